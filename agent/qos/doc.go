// Package qos keeps tasks on revocable resources from harming those on resources
// of their own. It is pure; time and samples come in, decisions come out.
//
// A task suffers if it waits for a CPU though it uses less than it was given, or
// if it stalls for memory. While some task suffers for Patience, and again after
// each Patience, the next step is taken:
//
//	throttle all revocable tasks to half of what they use ─▶ … ─▶ evict the one that uses most
//
// Once they are throttled to MinMilli, or where memory is what is wanted, one is
// evicted at a time. When nobody suffered for Calm, their limits are doubled, and
// again after each Calm, until they are what they were.
//
// # Invariants
//
//  1. A task on resources of its own is never touched.
//  2. Nobody is evicted for CPUs who was not throttled before.
//  3. Without a sufferer nothing gets less.
package qos
