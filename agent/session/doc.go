// Package session holds the processes that people and frameworks run beside a
// task, in its container: their input, who reads their output, and how they
// ended.
//
//	client ─ Input ─▶ pipe ─▶ process ─ output ─▶ every reader
//	                              └─ end ─▶ Wait, for a while after it
//
// # Invariants
//
//  1. A reader gets all output from the moment it came, in order, and then the
//     end; one that does not read holds the process up, until it leaves.
//  2. A session is closed once, whoever asks first: its owner, the end of the
//     process, or the end of the agent.
package session
