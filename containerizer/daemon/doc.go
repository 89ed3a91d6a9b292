// Package daemon finds the containerd that an agent works with, or starts a
// private one under the agent's work directory.
//
// A private containerd outlives the process that started it: it has a session
// and, under systemd, a scope of its own, and the next Connect with the same
// directory finds it by its socket. So a restart of the agent never touches a task. While a connection is open it
// is started again when it dies, if Config.Keep says so; tasks do not notice.
//
// On disk, for Config.Dir = <work_dir>/containerd:
//
//	<dir>/config.toml   written at each start
//	<dir>/root/         images, snapshots, container records
//	<dir>/containerd.log
//	/run/mezzo/<12 hex digits of the directory's hash>/
//	    containerd.sock, state/, runc/    gone after a reboot, as they must be
//
// The short path under /run is there because the address of a unix socket may
// have at most 107 bytes, and a work directory may be longer.
package daemon
