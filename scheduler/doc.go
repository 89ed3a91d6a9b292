// Package scheduler is for people who write frameworks in Go: it speaks the
// scheduler side of the v1 HTTP API, to mezzo's master or to Mesos's.
//
// A Client holds one framework. Run subscribes it, hands what the master sends
// to a Handler, and subscribes again under the same framework id when the
// stream breaks, falls silent or the leading master changes:
//
//	                      stream broken, silent, 503
//	          ┌──────────────────────────────────────────────┐
//	          ▼                                              │
//	detect ──► SUBSCRIBE ──► SUBSCRIBED ──► events ──────────┤
//	          │                               │              │
//	          └─ refused: Run returns         └─ ERROR event, handler's error,
//	             *RefusedError                   Teardown, ctx: Run returns
//
// Invariants:
//  1. A Handler's functions are called one at a time, by the goroutine of Run.
//  2. After the first SUBSCRIBED every call carries the same framework id.
//  3. An update is acknowledged only after Handler.Update took it, unless the
//     framework asked for Config.ExplicitAcknowledge.
//
// Calls may be made from any goroutine, the handlers included. A call made
// while there is no stream fails with ErrDisconnected; calls are never queued,
// since what they name (offers, tasks) may be gone when the stream is back.
//
// A framework whose FailoverTimeout is zero is removed by the master as soon as
// its stream breaks; set one to profit from the reconnection.
//
// This package is a shell: it does I/O and uses the clock.
package scheduler
