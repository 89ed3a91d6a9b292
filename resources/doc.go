// Package resources is the algebra of what is offered and used: amounts of
// cpus, memory, ports and so on, with the reservations, volumes and roles
// they carry.
//
// Resources is an immutable value. Its zero is empty, and its items are kept
// in one canonical order with equal identities merged, so that equal contents
// print and encode to equal bytes. It owns nothing else: who may use what is
// the allocator's business, whether a volume may be created the master's.
//
// Amounts are exact. A scalar is a whole number of thousandths, which is all
// that Mesos keeps of a double; 0.1 + 0.2 is 0.3. Conversion from the wire
// rounds half away from zero, as llround does.
//
// Identity decides what adds up: name, kind, stack of reservations (type,
// role, principal, labels), disk (persistence id and source), revocable,
// shared, provider and the role it is allocated to. Where a volume is mounted
// and who created it ride along but are no part of identity.
//
// Invariants of Resources:
//
//  1. items are strictly ascending by identity; items that cannot be split
//     (volumes, whole disks) by identity, then size;
//  2. no item is empty: no zero scalar, no empty ranges or set;
//  3. ranges are ascending, disjoint and not adjacent; sets ascending and
//     without duplicates;
//  4. reservations are in the refined form: a stack, outermost role first.
//
// Text form, which String prints and Parse reads:
//
//	item  = name {"(" role ["," [principal]] ")"} ["{REV}"] ["@" role] ":" value
//	value = number | "[" begin "-" end {"," …} "]" | "{" word {"," word} "}"
//
// joined by ";". "(role)" is a static reservation, "(role,principal)" and
// "(role,)" a dynamic one, "@role" the allocation. A word with a character of
// the grammar in it is quoted as in Go. What has labels, a disk, a provider
// or is shared prints, but has no text to be read from: that is the JSON form.
//
// Everything here is pure and safe for concurrent use.
package resources
