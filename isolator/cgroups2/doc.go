// Package cgroups2 holds containers to their CPU, memory and number of
// processes with cgroups v2, reads what they use, and says after their end
// whether a limit ended them.
//
// # The tree
//
//	<root>/               cpu, memory, pids (and hugetlb, where there is one) enabled
//	  <container id>/     the domain: made, written, read and removed here alone
//	    ctr/              the leaf: the runtime puts the processes here and adds
//	                      its device rules
//
// The domain enforces; the runtime never sees a limit, so none is converted on
// the way, and the domain's counters outlive the leaf, which the runtime
// removes with the task. The leaf gets a copy of cpu.max, memory.max and
// memory.swap.max because programs that size themselves (JVM, Go, .NET) read
// them, and the container's cgroup namespace has the leaf as its root. The copy
// of cpu.max has a longer period and a burst, so that throttling happens, and
// is counted, in the domain.
//
// # Invariants
//
//  1. A value counts as written once it has been read back. No file is ever
//     created, and no error is dropped: a container starts with all its limits
//     or not at all.
//  2. A cgroup that is gone is errs.NotFound, never a sample of zeros.
//  3. No limit is lowered below what a container can not give back: Update
//     refuses instead of letting the kernel kill.
//  4. Directories are removed below the root only.
//
// Settings and the verdict are pure; everything else is shell, called by the
// agent's goroutines and without any of its own that outlives a call.
//
// memory.low (the request) protects a container as far as the cgroups above it
// are protected too. The root gets the sum of its containers' requests; above
// it, that is the operator's choice (under systemd: MemoryLow= of the holder
// unit and its slice).
//
// Source: kernel Documentation/admin-guide/cgroup-v2.rst, and measurements on
// Linux 6.1.
package cgroups2
