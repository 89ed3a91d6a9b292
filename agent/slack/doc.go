// Package slack estimates what of a machine is allocated and not used, to be
// offered again as revocable resources. It is pure; time and samples come in.
//
// Of each task that runs on resources of its own, what it was given is compared
// with the most that it used at any time of a window; what is between is its
// slack, once it ran that long. The sum is bounded by what the machine really had
// left in the same window, and by a margin that is always kept:
//
//	slack = min(Σ (given − peak), CPUs − machine's peak) − margin · CPUs
//
// The machine's use is without that of the tasks on revocable resources, who give
// way. Only CPUs are estimated: they can be taken back in a moment, memory can't
// without a task's end.
//
// # Invariants
//
//  1. The estimate is never more than what tasks were given and did not use in
//     the window, nor than what the machine had left.
//  2. Of a task that is younger than the window nothing is offered.
package slack
