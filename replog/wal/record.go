package wal

import (
	"fmt"

	"mezzo/internal/errs"
)

// Kinds that the caller may give to records, with a meaning of his own.
const (
	FirstKind  = 0x01 // to LastKind: records of a position, the later one wins
	LastKind   = 0x7f
	FirstState = 0x80 // to LastState: state; the last of each kind is kept for ever
	LastState  = 0xef
)

// Limits of a payload and of a batch.
const (
	MaxPayload = 64 << 20
	MaxState   = 64 << 10
	MaxBatch   = 256 << 20
)

// Record is what the log keeps. Kind says how: below FirstState it belongs to
// its position and is there until a later record of the position, or
// truncation; from FirstState on it belongs to its kind, is repeated in each
// new segment and so outlives truncation, and its position and ballot mean what
// the caller likes.
type Record struct {
	Kind     uint8
	Position uint64
	Ballot   uint64
	Payload  []byte
}

func isState(kind uint8) bool { return kind >= FirstState && kind <= LastState }
func isEntry(kind uint8) bool { return kind >= FirstKind && kind <= LastKind }

func (r Record) check() error {
	limit := MaxPayload
	if isState(r.Kind) {
		limit = MaxState
	} else if !isEntry(r.Kind) {
		return fmt.Errorf("kind %#x of position %d is not from %#x to %#x: %w", r.Kind, r.Position, FirstKind, LastState, errs.Invalid)
	}
	if len(r.Payload) > limit {
		return fmt.Errorf("payload of position %d, kind %#x, has %d bytes, more than %d: %w", r.Position, r.Kind, len(r.Payload), limit, errs.Invalid)
	}
	return nil
}

// Report is what was found in a directory.
type Report struct {
	Ensemble, Member ID
	Begin            uint64 // positions below are truncated
	First, Last      uint64 // positions held; both 0 if there is none
	Positions        int
	State            map[uint8]Record // the last of each kind of state
	Segments         []SegmentReport
}

// SegmentReport is one file.
type SegmentReport struct {
	File    string
	Records int
	Live    int   // positions whose record is here
	End     int64 // of the last record
	Torn    int64 // bytes behind it, of a write that was never acknowledged: Open cuts them
	Size    int64
	Sealed  bool
}

// Item is a record as it lies on the disk, superseded or not.
type Item struct {
	File   string
	Offset int64
	Name   string // of the log's own records: begin or seal
	Record
}

var ownNames = map[uint8]string{kindBegin: "begin", kindSeal: "seal"}

// Stats counts since Open what the log did, and says what it is.
type Stats struct {
	Records, Syncs uint64
	StoredBytes    uint64 // payloads
	WrittenBytes   uint64 // given to files, blocks that are prepared included
	Created        uint64 // files
	Recycled       uint64 // segments made spares

	Begin     uint64 // positions below are truncated
	Positions int
	Segments  int
	DiskBytes int64 // of the segments
}
