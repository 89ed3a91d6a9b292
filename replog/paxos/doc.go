// Package paxos is the protocol of the replicated log: Multi-Paxos with one value
// per position. It is pure: messages and ticks come in, Ready values go out; no
// I/O, clock, goroutine or lock. The shell (mezzo/replog) owns it.
//
//	core.Step(message); core.Tick(now); core.Propose(paxos.Data, data)
//	r := core.Ready() // keep r.State and r.Entries, then send r.After; …
//
// # Rules
//
//  1. A replica promises a ballot before it answers Prepare, and accepts only
//     ballots at or above its promise. To accept raises the promise too.
//  2. One Prepare covers all positions. Who has promises of a quorum learns what
//     is chosen there, proposes what was accepted with the highest ballot, fills
//     holes, and then appends; all at its ballot, many under way at once.
//  3. A position is chosen once a quorum holds it at one ballot. A replica takes
//     it for chosen if its leader says so and it holds what that leader wrote,
//     or if it was sent as chosen.
//  4. Who hears of a higher ballot, or from no quorum for a lease, leads no more;
//     with that ballot never again.
//  5. The members are an entry of the log and hold for what comes behind it.
//     They change by one at a time, with nothing proposed behind the change until
//     it is chosen, so that quorums before and after share a replica. A candidate
//     that finds a change in what it proposes again stops there, and is elected
//     anew under it.
//  6. A replica is its disk. With an empty one it is somebody new, learns, and
//     gets its own vote after the old one's is taken; so no promise is forgotten.
//  7. Who heard of a leader promises nobody else anything for LeaseTicks, nor does
//     who just started. The leader counts them from before it sent, less
//     skewTicks, and until then knows that nobody else leads.
//
// Positions start at 1; 0 stands for the members that an ensemble begins with.
//
// Assumptions: disks keep what they said is durable, or come back as another ID;
// ticks are nowhere faster than elsewhere by more than skewTicks in LeaseTicks
// (for leases only: what is chosen never depends on time); nobody lies.
//
// Sources: Lamport, Paxos Made Simple, 2001; Lamport, Malkhi, Zhou,
// Reconfiguring a State Machine, 2010; Gray, Cheriton, Leases, 1989.
package paxos
