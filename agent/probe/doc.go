// Package probe is when a task is probed, and what follows from the results: its
// health check and its general check. It is pure; time and outcomes come in.
//
//	Start ─ delay ─▶ Due ─▶ attempt ─▶ Result ─ interval ─▶ Due …
//
// A health check counts failures in a row; those within the grace period count
// only once the task was healthy. Each failure that counts is told, a success
// when it is news, and enough failures ask for the task's end. A check only tells
// its result when it is another.
//
// # Invariants
//
//  1. At most one attempt is under way.
//  2. A result is taken once, and only that of the attempt under way.
//
// Source: mesos checks/health_checker.cpp, checks/checker_process.cpp.
package probe
