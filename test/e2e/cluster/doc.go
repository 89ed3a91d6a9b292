// Package cluster reaches the machines that the end-to-end tests run on.
//
// Whatever made the machines (the program in test/e2e/vm, or Vagrant) wrote a
// cluster file; Load reads it. A Node runs commands, starts processes, moves
// files and opens connections, all as root over one SSH connection.
//
// The machines may live in a network namespace of their own. Connections are
// then opened inside it, which needs root here; nothing else changes for the
// caller. The package does not make machines and knows nothing of mezzo.
package cluster
