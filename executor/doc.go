// Package executor is for people who write executors in Go: it speaks the
// executor side of the v1 HTTP API, to mezzo's agent or to Mesos's.
//
// An executor is the program of a framework that an agent starts and then hands
// tasks to. FromEnv reads what the agent told it, a Client holds the
// conversation. Run subscribes, hands what the agent sends to a Handler, and
// subscribes again when the stream breaks or falls silent:
//
//	           stream broken, silent, 503
//	    ┌───────────────────────────────────────┐
//	    ▼                                       │
//	SUBSCRIBE ──► SUBSCRIBED ──► events ────────┤
//	    │                           │           │
//	    │ refused, away too long    │ SHUTDOWN  └─ handler's error, Stop,
//	    ▼                           ▼              ctx: Run returns
//	Handler.Shutdown ─────────► Run returns
//
// # Invariants
//
//  1. A Handler's functions are called one at a time, in the order of the
//     events.
//  2. A status that Update took is sent, in the order of the calls of Update,
//     until the agent acknowledges it: each SUBSCRIBE carries what is not
//     acknowledged, and the tasks of which nothing is acknowledged yet. The end
//     of Run ends that.
//  3. A task is launched once, however often the agent sends it.
//
// Goroutines: that of Run owns all state; it waits for nothing but its channels.
// One reads the stream, one makes the present call, one runs the present
// function of the Handler; they are told and tell by channels alone. So the
// methods of Client may be called from anywhere, the Handler included.
//
// What is to be sent again is decided by pending, which is pure. The rest is a
// shell: it does I/O and uses the clock.
package executor
