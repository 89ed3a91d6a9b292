package wal

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"

	"mezzo/internal/errs"
)

// What lies on the disk: see the drawing in doc.go. None of this may change
// without another version.
const (
	magic       = "mezzolog"
	version     = 1
	headerBytes = 128
	recordBytes = 40 // of a record before its payload
	alignBytes  = 8  // records start at multiples of it
	blockBytes  = 4096
)

// Kinds of the log's own records; those below are the caller's.
const (
	kindBegin = 0xfc // Position: the begin; Ballot: the first segment kept
	kindSeal  = 0xfd // the segment ends here, another follows
	kindMark  = 0xfe // all before it is durable: written by Close
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ID names an ensemble or one of its members.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// header is the start of a segment.
type header struct {
	ensemble, member ID
	sequence         uint64 // 1 for the first; also the file's name
	salt             uint64 // drawn once for a directory
	size             int64  // of the file
	base             int64  // end of what the segment was born with
}

func (h header) encode() []byte {
	b := make([]byte, headerBytes)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], version)
	copy(b[16:], h.ensemble[:])
	copy(b[32:], h.member[:])
	binary.LittleEndian.PutUint64(b[48:], h.sequence)
	binary.LittleEndian.PutUint64(b[56:], h.salt)
	binary.LittleEndian.PutUint64(b[64:], uint64(h.size))
	binary.LittleEndian.PutUint64(b[72:], uint64(h.base))
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[16:], castagnoli))
	return b
}

// parseHeader reads the header of a file of the given size.
func parseHeader(b []byte, size int64) (header, error) {
	if len(b) < headerBytes || string(b[:8]) != magic {
		return header{}, fmt.Errorf("header at offset 0 is none of a log: %w", errs.Corrupt)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return header{}, fmt.Errorf("format version is %d, this program knows %d: %w", v, version, errs.Unsupported)
	}
	if crc32.Checksum(b[16:headerBytes], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return header{}, fmt.Errorf("header at offset 0 does not match its checksum: %w", errs.Corrupt)
	}
	h := header{
		sequence: binary.LittleEndian.Uint64(b[48:]),
		salt:     binary.LittleEndian.Uint64(b[56:]),
		size:     int64(binary.LittleEndian.Uint64(b[64:])),
		base:     int64(binary.LittleEndian.Uint64(b[72:])),
	}
	copy(h.ensemble[:], b[16:])
	copy(h.member[:], b[32:])
	if h.size != size {
		return header{}, fmt.Errorf("file has %d bytes, its header says %d: %w", size, h.size, errs.Corrupt)
	}
	if h.base < headerBytes || h.base > h.size || h.base%alignBytes != 0 || h.size%blockBytes != 0 {
		return header{}, fmt.Errorf("header at offset 0 has base %d in %d bytes: %w", h.base, h.size, errs.Corrupt)
	}
	return h, nil
}

// seed starts the checksums of a segment's records. A CRC of equal length and
// salt is another for each other sequence, and one that starts elsewhere ends
// elsewhere: a record of the file's former life never parses, not just rarely.
func (h header) seed() uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], h.salt)
	binary.LittleEndian.PutUint64(b[8:], h.sequence)
	return crc32.Checksum(b[:], castagnoli)
}

// head is the part of a record before its payload.
type head struct {
	kind             uint8
	length           int // of the payload
	position, ballot uint64
	synced           int64  // up to here the segment was durable when this was written
	sum              uint32 // of the payload
}

// slot is the room of the whole record.
func (h head) slot() int64 { return roundUp(recordBytes+int64(h.length), alignBytes) }

func (h head) encode(seed uint32, offset int64) []byte {
	b := make([]byte, recordBytes)
	binary.LittleEndian.PutUint32(b[4:], h.sum)
	binary.LittleEndian.PutUint32(b[8:], uint32(h.length))
	b[12] = h.kind
	binary.LittleEndian.PutUint64(b[16:], h.position)
	binary.LittleEndian.PutUint64(b[24:], h.ballot)
	binary.LittleEndian.PutUint64(b[32:], uint64(h.synced))
	binary.LittleEndian.PutUint32(b, headSum(b, seed, offset))
	return b
}

// parseHead tells whether a record's head stands at the offset of a segment of
// size bytes. It is cheap on what is none: recovery asks at every 8 bytes.
func parseHead(b []byte, seed uint32, offset, size int64) (head, bool) {
	if len(b) < recordBytes || b[12] == 0 || b[13]|b[14]|b[15] != 0 {
		return head{}, false
	}
	h := head{
		kind:     b[12],
		length:   int(binary.LittleEndian.Uint32(b[8:])),
		position: binary.LittleEndian.Uint64(b[16:]),
		ballot:   binary.LittleEndian.Uint64(b[24:]),
		synced:   int64(binary.LittleEndian.Uint64(b[32:])),
		sum:      binary.LittleEndian.Uint32(b[4:]),
	}
	if h.slot() > size-offset || h.synced < 0 || h.synced > offset {
		return head{}, false
	}
	return h, headSum(b, seed, offset) == binary.LittleEndian.Uint32(b)
}

// headSum covers where the record stands too: a copy elsewhere is none.
func headSum(b []byte, seed uint32, offset int64) uint32 {
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(offset))
	return crc32.Update(crc32.Update(seed, castagnoli, at[:]), castagnoli, b[4:recordBytes])
}

func checksum(payload []byte) uint32 { return crc32.Checksum(payload, castagnoli) }

func roundUp(n, to int64) int64   { return (n + to - 1) / to * to }
func roundDown(n, to int64) int64 { return n / to * to }
