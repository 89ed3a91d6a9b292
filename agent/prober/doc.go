// Package prober makes one attempt of a task's check: a GET, a connection, or a
// command in its container. Sockets are opened in the network namespace of the
// task's process, on the loopback address.
//
// An attempt never takes longer than its context. What it finds out is an
// outcome, not an error: a task that does not answer is the answer.
//
// Source: mesos checks/checker_process.cpp.
package prober
