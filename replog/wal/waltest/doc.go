// Package waltest is a disk for tests of the write-ahead log and of what stands
// on it: a directory in memory that can lose power, fail, fill up and rot.
//
//	d := waltest.New()
//	w, _, err := wal.Open(cfg, wal.Deps{FS: d, …})
//	…
//	after := d.Crash(rng)   // what a power failure now would leave
//
// What was synced survives a crash. Of what was not, a seeded choice survives:
// each sector of a write, or the first bytes of it, each change of the
// directory by itself and in no order. What a sync failed to write is seen as long
// as there is power, and no later sync will write it. That is harsher than most
// disks are.
//
// It is safe for concurrent use.
package waltest
