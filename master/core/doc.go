// Package core is the master's mind: which frameworks and agents there are, who
// was offered what, which task runs where. Events and time go in, effects come
// out. It is pure: no I/O, clock, goroutine, lock, randomness or log, and the
// same events give the same effects. It is not safe for concurrent use; the
// shell (mezzo/master) owns it from one goroutine.
//
// # A framework's life
//
//	            SUBSCRIBE                  stream closed
//	(unknown) ─────────────▶ connected ◀──────────────────▶ disconnected
//	    │                        │          SUBSCRIBE            │
//	    │ told of by an agent    │ TEARDOWN                      │ failover_timeout
//	    ▼                        ▼                               ▼
//	recovered ──SUBSCRIBE──▶ connected                       completed
//
// # An agent's life
//
//	          Hello              stream closed
//	(new) ───────────▶ connected ◀────────────▶ disconnected
//	                       │          Hello          │
//	                       │ pings unanswered        │ as long without a Hello
//	                       ▼                         ▼
//	                  unreachable ──Hello──▶ connected
//
// Beside that an operator may deactivate it, drain it (DRAINING, then DRAINED
// once no task is left) or mark it gone; and its machine is up, draining once it
// is scheduled for maintenance, or down, when the agent is shut down.
//
// # A task's life
//
//	ACCEPT ─▶ STAGING ─▶ STARTING ─▶ RUNNING ─▶ KILLING ─▶ terminal ─ack─▶ completed
//	             └───────────┴──────────┴──────────┴────────▲
//	     agent unreachable: to the framework's unreachable tasks, and back with the agent
//
// What an agent reports decides; the newest state frees or holds the resources,
// the oldest unacknowledged one is what the framework was told.
//
// # Invariants, verified by Check
//
//  1. An agent's total contains what is offered of it beside what its live tasks
//     use; of what they use more than there is, nothing is offered.
//  2. An offer belongs to one connected framework and one connected agent.
//  3. A task is known by its framework if and only if its agent knows it.
//  4. A stream belongs to at most one framework, a connection to one agent.
//  5. Every list of what is past has a limit.
//  6. An agent is scheduled if and only if its machine is; all offers of it say
//     when it goes, and no agent is on a machine that is down.
//  7. A framework has at most one inverse offer of an agent, which is scheduled.
//
// # What outlives it
//
// Agents, frameworks and what operators said are kept by Store effects, one at
// the beginning of the effects of the Step that changed them; New takes over what
// a core before kept.
//
// Tasks are copied on write: a *Task in a Snapshot never changes.
package core
