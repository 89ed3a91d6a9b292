package wal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"mezzo/replog/wal"
	"mezzo/replog/wal/waltest"
)

var (
	ensemble = wal.ID{1, 2, 3}
	member   = wal.ID{4, 5, 6}
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// small segments, so that there are many.
func small() wal.Config {
	return wal.Config{Dir: "disk", Ensemble: ensemble, Member: member, SegmentBytes: 16 << 10}
}

// open fails the test if the disk does.
func open(t testing.TB, disk wal.FS, cfg wal.Config) (*wal.WAL, *wal.Report) {
	t.Helper()
	w, r, err := wal.Open(cfg, wal.Deps{FS: disk, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, r
}

func entry(position, ballot uint64, payload []byte) wal.Record {
	return wal.Record{Kind: 1, Position: position, Ballot: ballot, Payload: payload}
}

// payload of a position is told from every other.
func payload(position, ballot uint64, size int) []byte {
	b := make([]byte, size)
	var word [16]byte
	binary.LittleEndian.PutUint64(word[:], position)
	binary.LittleEndian.PutUint64(word[8:], ballot)
	for i := range b {
		b[i] = word[i%16] + byte(i)
	}
	return b
}

// await appends and waits until it is told.
func await(w *wal.WAL, sync bool, records ...wal.Record) error {
	done := make(chan error, 1)
	if err := w.Append(records, sync, func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

func truncate(w *wal.WAL, below uint64) error {
	done := make(chan error, 1)
	if err := w.Truncate(below, func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads all that the log has.
func contents(t testing.TB, w *wal.WAL) map[uint64]wal.Record {
	t.Helper()
	out := map[uint64]wal.Record{}
	for r, err := range w.Records(0, 1<<63) {
		if err != nil {
			t.Fatal(err)
		}
		out[r.Position] = r
	}
	return out
}

func same(a, b wal.Record) bool {
	return a.Kind == b.Kind && a.Position == b.Position && a.Ballot == b.Ballot && bytes.Equal(a.Payload, b.Payload)
}

func differ(got, want map[uint64]wal.Record) error {
	for p, r := range want {
		if g, ok := got[p]; !ok || !same(g, r) {
			return fmt.Errorf("position %d is ballot %d with %d bytes (there: %v), want ballot %d with %d bytes", p, g.Ballot, len(g.Payload), ok, r.Ballot, len(r.Payload))
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			return fmt.Errorf("position %d is there, want none", p)
		}
	}
	return nil
}

// torn is the bytes in all segments of what a crash left unfinished.
func torn(r *wal.Report) int64 {
	n := int64(0)
	for _, s := range r.Segments {
		n += s.Torn
	}
	return n
}

func newDisk() *waltest.Disk { return waltest.New() }
