// Package core is the agent's mind: which tasks run here, what their frameworks
// are still to be told, what is to be done next. Events and time go in, effects
// come out. It is pure: no I/O, clock, goroutine, lock, randomness or log, and
// the same events give the same effects. It is not safe for concurrent use; the
// shell (mezzo/agent) owns it from one goroutine.
//
// # A task's way
//
//	RunTask ─▶ live: its life is mezzo/agent/task's table
//	             │  container destroyed and terminal update acknowledged
//	             ▼
//	           completed (bounded) ─▶ forgotten
//
// A task is live as long as anybody is owed something about it: its container
// exists or may come to exist, or its framework has not acknowledged its end.
//
// # Invariants, verified by Check
//
//  1. A live task belongs to a live framework, and its container's id to no other.
//  2. A task is live if and only if its container is held or its updates are
//     not all acknowledged; the tasks of a framework that was shut down owe no
//     updates.
//  3. Nothing is sent while detached; once attached, every live task's oldest
//     unacknowledged update is sent at once.
//  4. Every list of what is past has a limit.
//
// Messages in effects and views are shared and never changed.
package core
