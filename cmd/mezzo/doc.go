// Command mezzo is the whole product in one binary: the daemons, and the
// user's commands.
//
//	mezzo master | agent | local          daemons
//	mezzo run | ps | top | logs | kill …  commands (package cli)
//	mezzo version | completion | help
//
// Called mesos-master, mesos-agent, mesos-slave or mesos-local, it is that
// daemon. A container's logger is this binary too (package
// containerizer/logger).
//
// Here is wiring and nothing else: flags become the narrow Config of each
// component, real dependencies are made and handed over, signals end contexts.
// Daemons log to stderr and keep stdout for --help and --version. Exit codes of
// daemons: 0 after a signal, 1 for anything else.
package main
