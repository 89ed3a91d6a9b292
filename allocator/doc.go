// Package allocator decides who is offered what.
//
// It is told of agents and what they have, of frameworks and the roles they
// are subscribed in, and of everything given back; Allocate answers with
// offers. It is a pure core: no I/O, goroutine, clock or log; the same calls
// with the same Config.Seed give the same offers, byte for byte. It is not
// safe for concurrent use.
//
// A pair of a framework and one of its roles is a client. In each cycle, for
// each agent with something to give, the roles are asked in the order of
// Dominant Resource Fairness over the tree of roles, and in a role its
// clients in that order too; the first eligible client is offered of the agent
// what it may use: all of it, or a part if more clients wait than agents have
// something left. Offers count as used at once. A client is eligible if
//
//   - it is active: subscribed in the role, connected, not suppressed;
//   - its role may use it: unreserved, or reserved to it or a role above;
//   - its capabilities and constraints allow the agent and what is on it;
//   - quota leaves its role room for it: see package quota;
//   - it is enough: one of the framework's or else of the configured minima;
//   - it has not refused it: a refusal of an agent's resources holds for all
//     parts of them, for a time, or until the client revives.
//
// A cycle first serves only roles that are owed something guaranteed, then all.
// Among those who are due the same, who asked for what an agent has comes first.
// Explain goes through the same rules and counts where a client fails.
//
// Agents are asked in an order shuffled in each cycle. Going round in a fixed
// order instead would pair the same frameworks with the same agents again and
// again whenever their numbers have a common divisor.
//
// What is used is told once, with the agent (after a failover of the master)
// or by an offer, and is taken off the agent until it is released, also when
// its framework is removed before or not yet known. Shared volumes are offered
// to many at once and charged to nobody.
//
// A call that returns an error has changed nothing: errs.NotFound and errs.Exists
// of what it names, errs.Invalid of what makes no sense.
//
// Invariants, verified by Check:
//
//  1. on each agent, available is total less all that is used there;
//  2. a client is charged what its framework uses for its role, a role what
//     its clients are charged, on all agents together;
//  3. a client exists exactly if its framework is subscribed in the role or
//     uses something for it;
//  4. a refusal has a future end, at which it is forgotten.
package allocator
