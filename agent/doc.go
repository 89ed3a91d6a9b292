// Package agent is the shell of a mezzo agent: one node's link to the leading
// master, its containers, its sandboxes, its usage reports and its HTTP API,
// around the pure core (mezzo/agent/core) that decides everything.
//
// # Who runs what
//
//	link ── message ──▶ inbox (bounded) ──▶ loop ──▶ core.Step
//	workers ─ result ─▶     ▲                 │
//	handlers ─ query ─▶     │                 │
//	   └──────────────── effects: send, launch, signal, destroy, trace
//
// One goroutine, the loop, owns the core and everything else that changes. It
// never waits for I/O: a launch, a wait, a destroy and a sweep of usage each run
// in a goroutine of their own, whose result comes back through the inbox. What
// goes to the master passes a bounded queue; a queue that overflows ends its
// stream, and the stream's successor starts from what is not acknowledged.
//
// Reads (state, metrics, files) are served from an immutable snapshot that the
// loop makes on demand and the reader's own goroutine renders.
//
// # Invariants
//
//  1. Only the loop calls the core.
//  2. At most one stream to a master exists at a time.
//  3. Every goroutine started by Run has ended when Run returns.
//  4. No path made of an id leaves work_dir; no path of a request leaves a
//     sandbox.
package agent
