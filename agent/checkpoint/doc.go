// Package checkpoint keeps records on disk for an agent that may die at any
// moment: all changes of one Commit are there after it, or none are. The file is
// a bbolt database; each value carries a checksum, which bbolt's pages do not.
//
// # Invariants
//
//  1. What Commit returned without an error for is read by the next Open.
//  2. A record that changed on the disk by itself is reported and left out,
//     never returned.
//  3. Damage to the file is an error that names it, never the end of the process.
package checkpoint
