// Package election finds the leading master, and lets masters agree on one
// through ZooKeeper. Shell.
//
// A master flag names masters in one of these forms:
//
//	host[:port]                          the only master
//	host[:port],host[:port]              masters to be asked in turn
//	zk://[user:pass@]host[:port],…/path  the one that leads by ZooKeeper
//	file:///path                         a file that holds one of the above
//
// Without a port it is 5050, ZooKeeper's 2181. A leading "master@", as in a
// Mesos process id, is accepted and dropped.
//
// # What is in ZooKeeper
//
// The znodes are those of Mesos, so that its tools find mezzo and mezzo's find
// Mesos:
//
//	/path/json.info_0000000007     a contender: MasterInfo as JSON; ephemeral
//	/path/json.info_0000000009     the next one
//	/path/log_replicas/0000000003  a replica of the log: its address; ephemeral
//
// The lowest number leads. If its record can't be read, nobody is known to lead:
// the next one knows that it does not. With user:pass, what is made here can be changed by
// that user and read by all.
//
// # Invariants of contending
//
//  1. One session is one candidacy: what a session made dies with it, and a new
//     try is a new session with a new znode.
//  2. A leader's time ends on its own clock, two thirds of the session's timeout
//     after it sent the last request that a majority of the servers answered.
//     They count the whole timeout, from at most a quarter of it before, so it
//     ends before anybody else can be elected.
//  3. When in doubt it has ended.
//
// Not covered is a process or machine that is stopped in between and acts before
// its timers run: who needs more than a promise about time needs a fence, such as
// the replicated log's proposal numbers; Term.Until narrows the gap.
package election
