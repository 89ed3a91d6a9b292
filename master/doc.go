// Package master is the shell of a mezzo master: one port, the v1 HTTP API and
// the older endpoints, the agents' gRPC streams, and the loop around the pure
// core (mezzo/master/core) that decides everything.
//
// # Who runs what
//
//	handlers ── event ──▶ inboxes (bounded) ──▶ loop ──▶ core.Step
//	   ▲                                         │
//	   └── reply ◀── effects: reply, send, close, trace ───┘
//
// One goroutine, the loop, owns the core, the table of subscribers and the
// table of agent streams. It does no I/O but its log: what it sends goes into a bounded
// queue per subscriber or agent, and the goroutine at the other end of that
// queue encodes and writes. A queue that overflows ends its connection. Agents have
// an inbox of their own and wait when it is full; calls are refused when theirs is.
//
// Reads (state, metrics, pages for tools) are served from an immutable snapshot
// that the loop makes on demand and that is then rendered by the reader's own
// goroutine.
//
// # Invariants
//
//  1. Only the loop calls core.Step, core.Snapshot and core.NextWake.
//  2. Only the loop sends into or closes an outbound queue.
//  3. Every goroutine started by Run has ended when Run returns.
//  4. One RecordIO record is one Write and one Flush, so one HTTP chunk.
package master
