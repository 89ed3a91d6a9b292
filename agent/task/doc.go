// Package task is the life of one task on its agent, as a table: state and
// event in, next state and effects out. It is pure; whoever owns a Task steps
// it from one goroutine, gives it the time, and carries out the effects.
//
//	                  Progress
//	                    ┌─┐
//	          Start     ▼ │      Launched               Exited
//	Staging ────────▶ Starting ────────────▶ Running ───────────▶ Done
//	   │ Refuse          │  │ LaunchFailed      │ Kill, Expired     ▲
//	   │ Kill            │  └───────────────────┼───────────────────┤
//	   │                 │ Kill                 ▼                   │
//	   │                 ▼         Launched  Killing ───────────────┤
//	   │              Aborting ────────────▶ ▲ │ Exited             │
//	   │                 │ LaunchFailed      └─┘ Kill, GraceOver    │
//	   └─────────────────┴──────────────────────────────────────────┘
//
// A task that an executor of its framework's runs has another life: it is Queued
// until the executor is there, then Given, and Told of from then on, to its end.
//
// News of a task that runs is told and changes nothing. Lost leads to Done from every state in which there may be a container: nobody
// saw its end. A Task can be saved in any state and restored by another process.
//
// # Invariants
//
//  1. An event without an arrow in the table is refused and changes nothing.
//  2. Exactly one Update is terminal, and it is the last.
//  3. A Destroy is asked for once for every container that was launched, or may
//     have been when it was Lost, after its exit.
//  4. A kill may be repeated; it only ever shortens the grace.
package task
