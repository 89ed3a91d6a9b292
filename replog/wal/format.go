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
	version     = 1
	headerBytes = 128
	recordBytes = 40 // of a record before its payload
	alignBytes  = 8  // records start at multiples of it
	blockBytes  = 4096
	minSegment  = 16 << 10 // with the log's own records, and something to keep
	maxSegment  = 1 << 30

	// Kinds of the log's own records. Their position is the begin, their ballot
	// the sequence of the first segment kept.
	kindBegin = 0xfc
	kindSeal  = 0xfd // the segment ends here, another follows
)

// What the caller may give to records: kinds, with a meaning of his own, and
// bytes of payloads and of a batch.
const (
	FirstKind  = 0x01 // to LastKind: records of a position, the later one wins
	LastKind   = 0x7f
	FirstState = 0x80 // to LastState: state; the last of each kind is kept for ever
	LastState  = 0xef
	MaxPayload = 64 << 20
	MaxState   = 64 << 10
	MaxBatch   = 256 << 20
)

var (
	le         = binary.LittleEndian
	magic      = [8]byte([]byte("mezzolog"))
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	ownNames   = map[uint8]string{kindBegin: "begin", kindSeal: "seal"}
)

// ID names an ensemble or one of its members.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Record is what the log keeps: below FirstState for its position, until a later
// record of that, or truncation; from FirstState on for its kind, repeated in each
// new segment, so that it outlives truncation, and its position and ballot mean
// what the caller likes.
type Record struct {
	Kind     uint8
	Position uint64
	Ballot   uint64
	Payload  []byte
}

func isState(kind uint8) bool { return kind >= FirstState && kind <= LastState }
func isEntry(kind uint8) bool { return kind >= FirstKind && kind <= LastKind }

// header is the start of a segment, as it lies there.
type header struct {
	Magic            [8]byte
	Version, Sum     uint32 // of what follows
	Ensemble, Member ID
	Sequence         uint64 // 1 for the first; also the file's name
	Salt             uint64 // drawn once for a directory
	Bytes            int64  // of the file
	Base             int64  // end of what the segment was born with
	_                [48]byte
}

// encode fills in what is the same in all headers, and the sum.
func (h header) encode() []byte {
	h.Magic, h.Version = magic, version
	b, _ := binary.Append(nil, le, h) // of a fixed size
	le.PutUint32(b[12:], checksum(b[16:]))
	return b
}

func parseHeader(b []byte) (h header, err error) {
	size := int64(len(b))
	if _, err := binary.Decode(b, le, &h); err != nil || h.Magic != magic {
		return h, fmt.Errorf("header at offset 0 is none of a log: %w", errs.Corrupt)
	}
	switch {
	case h.Version != version:
		err = fmt.Errorf("format version is %d, this program knows %d: %w", h.Version, version, errs.Unsupported)
	case h.Sum != checksum(b[16:headerBytes]):
		err = fmt.Errorf("header at offset 0 does not match its checksum: %w", errs.Corrupt)
	case h.Bytes != size:
		err = fmt.Errorf("file has %d bytes, its header says %d: %w", size, h.Bytes, errs.Corrupt)
	case h.Base < headerBytes || h.Base > size || h.Base%alignBytes != 0 || size%blockBytes != 0:
		err = fmt.Errorf("header at offset 0 has base %d in %d bytes: %w", h.Base, size, errs.Corrupt)
	}
	return h, err
}

// seed starts the checksums of a segment's records. A CRC of equal length and
// salt is another for each other sequence, and one that starts elsewhere ends
// elsewhere: a record of the file's former life never parses, not just rarely.
func (h header) seed() uint32 {
	return checksum(le.AppendUint64(le.AppendUint64(nil, h.Salt), h.Sequence))
}

// record is a Record as it lies on the disk.
type record struct {
	Record
	synced int64  // up to here the segment was durable when this was written
	sum    uint32 // of the payload
}

// slotBytes is the room of a record with a payload of that many bytes.
func slotBytes(payload int) int64 { return roundUp(recordBytes+int64(payload), alignBytes) }

// append puts the record, which is for the offset, behind b.
func (r record) append(b []byte, seed uint32, offset int64) []byte {
	at := len(b)
	b = append(b, zeros[:recordBytes]...)
	h := b[at:]
	le.PutUint32(h[4:], r.sum)
	le.PutUint32(h[8:], uint32(len(r.Payload)))
	h[12] = r.Kind
	le.PutUint64(h[16:], r.Position)
	le.PutUint64(h[24:], r.Ballot)
	le.PutUint64(h[32:], uint64(r.synced))
	le.PutUint32(h, headSum(h, seed, offset))
	b = append(b, r.Payload...)
	return append(b, zeros[:slotBytes(len(r.Payload))-recordBytes-int64(len(r.Payload))]...)
}

// parseRecord tells whether b, which stands at the offset, begins with a record.
// The payload is a part of b, and not looked at.
func parseRecord(b []byte, seed uint32, offset int64) (record, bool) {
	if len(b) < recordBytes || b[12] == 0 || b[13]|b[14]|b[15] != 0 {
		return record{}, false
	}
	length, synced := int(le.Uint32(b[8:])), int64(le.Uint64(b[32:]))
	if slotBytes(length) > int64(len(b)) || synced < 0 || synced > offset || headSum(b, seed, offset) != le.Uint32(b) {
		return record{}, false
	}
	r := Record{Kind: b[12], Position: le.Uint64(b[16:]), Ballot: le.Uint64(b[24:]), Payload: b[recordBytes:][:length:length]}
	return record{r, synced, le.Uint32(b[4:])}, true
}

// headSum covers where the record stands too: a copy elsewhere is none.
func headSum(b []byte, seed uint32, offset int64) uint32 {
	sum := crc32.Update(seed, castagnoli, le.AppendUint64(nil, uint64(offset)))
	return crc32.Update(sum, castagnoli, b[4:recordBytes])
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func roundUp(n, to int64) int64   { return (n + to - 1) / to * to }
func roundDown(n, to int64) int64 { return n / to * to }
