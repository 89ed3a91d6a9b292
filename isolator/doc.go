// Package isolator is the contract of whatever limits a container, and the set
// that applies several in order. Isolators edit the OCI spec and write to the
// kernel; no container starts from anything else.
//
// A container's life, as a Set sees it:
//
//	Prepare ── start ── Usage*, Update* ── Kill? ── exit ── Explain ── Cleanup
//	   │ error: Cleanup, in reverse                                      │
//	   └──────────────── Recover after a restart of the agent ───────────┘
//
// Implementations live in subfolders (cgroups2, security) and pass the contract
// suite of isolatortest. The set must stay free of policy: which isolators
// apply, and in which order, is wiring.
package isolator
