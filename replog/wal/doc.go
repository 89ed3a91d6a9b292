// Package wal is the write-ahead log on one disk: records by position, of which
// the later one wins, and state by kind, of which the last one stays. It knows
// nothing of what they mean.
//
//	w, found, err := wal.Open(cfg, wal.Deps{Fatal: …})
//	for r, err := range w.Records(found.Begin, found.Last) { … }
//	w.Append([]wal.Record{{Kind: entry, Position: 7, Ballot: 3, Payload: p}}, true, done)
//	w.Truncate(5, done)
//
// Segments are files of one size, named by their sequence. A batch is never
// split; one that is larger than a segment gets a segment of its own size.
//
//	segment   0    8       12   16        32      48        56    64    72    80       128
//	          magic version crc  ensemble  member  sequence  salt  size  base  zeros …  │
//	          128      base: what the segment is born with ends here
//	          begin│state│state│record│record│ … │seal or nothing│zeros│anything
//	record    0    4            8       12    13     16        24      32      40
//	          crc  payload crc  length  kind  zeros  position  ballot  synced  payload …
//
// Numbers are little-endian, sizes in bytes, records at multiples of 8, sums
// CRC-32C. A record's crc covers its head, its offset, and a seed made of salt
// and sequence, so nothing parses but what was written here in this life of the
// file. Synced is up to where the segment was durable when the record was
// written: 0 in what the segment is born with, base or more behind it.
//
// Segments whose positions are all truncated or written again later become
// spares, from the oldest on, and spares become segments: a sync of blocks that
// were written before has only their content to make durable. In a new file,
// zeros are written ahead of the records.
//
// Invariants:
//
//  1. What was told to be durable is there after any crash. What was not is
//     there wholly or not at all, and only if all that was appended before is.
//  2. After a write or a sync that failed nothing is taken, told or read any
//     more: Deps.Fatal ends the process. What Open reports is durable, also if
//     the process before ended that way.
//  3. All segments but the last are sealed. The next one is durable, with the
//     begin and all state, before the seal is written, and has nothing else
//     before the seal is durable. So a segment that is missing is noticed.
//  4. Only the end of the last write may be unreadable, and Open cuts it. If a
//     record behind says that the place was durable, or it is elsewhere, it is
//     damage: refused, never skipped. After Close no damage is cut.
//  5. A segment is given up durably before its file changes, and durably
//     renamed before it is written to. A reader that looked before looks again.
//  6. A full disk is noticed before anything of a batch is written. The last
//     64 KiB of a segment (an eighth of a small one) are for state, the last
//     1 KiB for truncation, so that entries stop first, and space can be freed.
//
// Limits: damage to nothing but the last group of writes before a crash looks
// like a torn write. A truncation is durable once it frees a segment; before, an
// older begin may come back. A position that is never truncated keeps its segment
// and all that follow. Space is given back by whole segments, large ones and those
// beyond Config.Spares at once. Where the file system copies on write, or reserves
// nothing, a full disk may be noticed late, and ends the log as a failure does. A
// sector that is written again is taken to keep its bytes that don't change.
//
// Shell: one goroutine, the writer, ended by Close.
package wal
