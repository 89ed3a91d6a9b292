// Package native runs the built binary on the machine the tests run on, with
// real containerd but without resource limits (--isolation=none), for whatever
// needs no cgroups v2: clients, the command line, crashes.
package native
