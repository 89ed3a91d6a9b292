// Package nested keeps account of the containers that calls of the agent's API
// launch: within a task's, an executor's or another such one, or standalone. It
// decides nothing and does no I/O.
//
// # Invariants
//
//  1. Of one id with those around it there is one container, from its launch to
//     its removal; how it ended is kept until then.
//  2. What is within another is listed before it, so that it can be ended first.
package nested
