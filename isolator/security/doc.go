// Package security closes what a container does not need open: capabilities,
// system calls, new privileges, kernel files, namespaces shared with the host.
// It only edits the spec, so it applies on every host, whatever enforces the
// limits, and has nothing to clean up.
//
// It goes first among the isolators, on a spec that has its process, mounts
// and devices already.
package security
