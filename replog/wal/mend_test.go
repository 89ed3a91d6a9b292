// Goal: what Open mends stays mended. Method: a disk that lost, or kept in the
// page cache alone, what no test in crash_test.go looks at.
package wal_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"mezzo/replog/wal"
	"mezzo/replog/wal/waltest"
)

// once fails the next operation of a kind.
func once(disk *waltest.Disk, op waltest.Op, cause error) {
	done := false
	disk.SetFault(func(_ int, o waltest.Op, _ string) error {
		if o != op || done {
			return nil
		}
		done = true
		return cause
	})
}

// TestReportedIsDurable: what a sync failed to write is seen after the process
// is killed. What Open found then, a loss of power does not take.
func TestReportedIsDurable(t *testing.T) {
	for seed := range uint64(20) {
		disk := newDisk()
		w, _, err := wal.Open(small(), wal.Deps{FS: disk, Fatal: func(error) {}})
		must(t, err)
		must(t, await(w, true, entry(1, 1, payload(1, 1, 100))))
		must(t, await(w, true)) // zeros are written ahead by now
		once(disk, waltest.Datasync, syscall.EIO)
		if err := await(w, true, entry(2, 1, payload(2, 1, 9000))); !errors.Is(err, syscall.EIO) {
			t.Fatalf("seed %d: got %v", seed, err)
		}
		killed := disk.Clone()
		w.Close()
		w, _ = open(t, killed, small())
		want := contents(t, w)
		lost := killed.Crash(seeded(seed))
		must(t, w.Close())
		w, _ = open(t, lost, small())
		if err := differ(contents(t, w), want); err != nil || len(want) != 2 {
			t.Errorf("seed %d: %d positions were found, then %v", seed, len(want), err)
		}
		must(t, w.Close())
	}
}

// TestTornBlocks: of a write of many blocks the first is lost. What stands in the
// others is cleared, however what is written over the first ends.
func TestTornBlocks(t *testing.T) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	must(t, await(w, true, entry(1, 1, payload(1, 1, 100))))
	want := contents(t, w)
	r, err := wal.Verify(disk)
	must(t, err)
	name, end := r.Segments[0].File, r.Segments[0].End
	before := disk.Bytes(name)
	// The second record is at a block's start: writing the one before again leaves it.
	group := []wal.Record{entry(2, 1, payload(2, 1, int(8192-end-40))), entry(3, 1, payload(3, 1, 5000))}
	must(t, await(w, true, group...))
	after := disk.Bytes(name)
	for cut := end; cut < 8192; cut += 1000 {
		torn := disk.Clone()
		torn.SetBytes(name, slices.Concat(before[:cut], after[cut:]))
		checkPrefix(t, torn, want, group, fmt.Sprintf("without the first %d bytes", cut-end))
	}
}

// TestFailAhead: a sync of what is written ahead of records is one of theirs too.
// When it fails, for want of room as well, no later one says anything of them.
func TestFailAhead(t *testing.T) {
	disk := newDisk()
	var fatal error
	w, _, err := wal.Open(small(), wal.Deps{FS: disk, Fatal: func(err error) { fatal = err }})
	must(t, err)
	once(disk, waltest.Datasync, syscall.ENOSPC)
	must(t, await(w, false, entry(1, 1, nil)))
	if err := await(w, true); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if w.Close(); !errors.Is(fatal, syscall.ENOSPC) {
		t.Errorf("told %v", fatal)
	}
}

// TestRollOrder: the state that a segment is born with is of after the records in
// the one before. Where it is there, they are.
func TestRollOrder(t *testing.T) {
	born := 0
	for seed := range uint64(40) {
		disk := newDisk()
		w, _, err := wal.Open(small(), wal.Deps{FS: disk, Fatal: func(error) {}})
		must(t, err)
		must(t, await(w, true, entry(1, 1, nil)))
		must(t, await(w, false, entry(2, 1, payload(2, 1, 9000))))
		must(t, await(w, false, wal.Record{Kind: wal.FirstState, Ballot: 1}))
		once(disk, waltest.SyncDir, syscall.EIO)
		if err := await(w, true, entry(3, 1, payload(3, 1, 9000))); !errors.Is(err, syscall.EIO) {
			t.Fatalf("seed %d: got %v", seed, err)
		}
		lost := disk.Crash(seeded(seed))
		w.Close()
		w, r := open(t, lost, small())
		if len(r.State) > 0 && r.Last != 2 {
			t.Errorf("seed %d: the state is there, the record before is not", seed)
		}
		if len(r.Segments) == 2 {
			born++
		}
		must(t, w.Close())
	}
	if born == 0 {
		t.Error("no second segment in any")
	}
}
