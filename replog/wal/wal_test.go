// Goal: what the log promises in plain operation. Method: tables and small
// histories on a disk in memory, some on the real one.
package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mezzo/internal/errs"
	"mezzo/replog/wal"
	"mezzo/replog/wal/waltest"
)

// TestReopen: entries, overwrites, holes and state come back, on both disks.
func TestReopen(t *testing.T) {
	for name, disk := range map[string]func(t *testing.T) wal.FS{
		"memory": func(*testing.T) wal.FS { return newDisk() },
		"real":   func(t *testing.T) wal.FS { return wal.OS(filepath.Join(t.TempDir(), "new", "log")) },
	} {
		t.Run(name, func(t *testing.T) {
			d := disk(t)
			w, r := open(t, d, small())
			if r.Positions != 0 || r.Ensemble != ensemble || r.Member != member {
				t.Errorf("new: got %+v", r)
			}
			want := map[uint64]wal.Record{}
			for i := range uint64(200) {
				if i%7 == 3 {
					continue
				}
				want[i] = entry(i, 1, payload(i, 1, int(i*3)))
				must(t, await(w, i%2 == 0, want[i], wal.Record{Kind: wal.FirstState, Position: i, Payload: []byte("commit")}))
			}
			want[20] = wal.Record{Kind: 9, Position: 20, Ballot: 7, Payload: []byte("later")}
			want[1<<40] = entry(1<<40, 7, nil)
			must(t, await(w, true, want[20], want[1<<40], wal.Record{Kind: wal.LastState, Ballot: 7, Payload: []byte("promise")}))
			if err := differ(contents(t, w), want); err != nil {
				t.Error("before: ", err)
			}
			must(t, w.Close())
			w, r = open(t, d, small())
			if err := differ(contents(t, w), want); err != nil {
				t.Error("after: ", err)
			}
			if torn(r) != 0 || r.Positions != len(want) || r.First != 0 || r.Last != 1<<40 || len(r.Segments) < 3 {
				t.Errorf("report: got %+v", r)
			}
			if got := r.State[wal.LastState]; len(r.State) != 2 || got.Ballot != 7 || string(got.Payload) != "promise" || r.State[wal.FirstState].Position != 198 {
				t.Errorf("state: got %v", r.State)
			}
			if m, ok := w.Next(21); !ok || m.Position != 21 || m.Ballot != 1 || m.Length != 63 {
				t.Errorf("next: got %v, %v", m, ok)
			}
			if _, err := w.Read(3); !errors.Is(err, errs.NotFound) {
				t.Errorf("hole: got %v", err)
			}
		})
	}
}

// TestOpenRefuses what is not the caller's, with both sides named.
func TestOpenRefuses(t *testing.T) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	other := wal.ID{9}
	deps := wal.Deps{FS: disk, Fatal: func(error) {}}
	try := func(name string, d wal.Deps, class error, cfg func(*wal.Config), words ...string) {
		t.Helper()
		c := small()
		cfg(&c)
		_, _, err := wal.Open(c, d)
		if !errors.Is(err, class) {
			t.Errorf("%s: got %v, want class %v", name, err, class)
			return
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: got %v, want %q in it", name, err, word)
			}
		}
	}
	try("locked", deps, errs.Conflict, func(*wal.Config) {})
	must(t, w.Close())
	try("ensemble", deps, errs.Conflict, func(c *wal.Config) { c.Ensemble = other }, "ensemble", other.String(), ensemble.String())
	try("member", deps, errs.Conflict, func(c *wal.Config) { c.Member = other }, "member", other.String(), member.String())
	try("size", deps, errs.Invalid, func(c *wal.Config) { c.SegmentBytes = 20_000 }, "20000")
	try("deaf", wal.Deps{FS: disk}, errs.Invalid, func(*wal.Config) {})
	empty := wal.Deps{FS: newDisk(), Fatal: func(error) {}}
	try("must exist", empty, errs.NotFound, func(c *wal.Config) { c.MustExist = true })
	try("nameless", empty, errs.Invalid, func(c *wal.Config) { c.Ensemble = wal.ID{} })

	missing := filepath.Join(t.TempDir(), "none")
	try("no directory", wal.Deps{FS: wal.OS(missing), Fatal: func(error) {}}, errs.NotFound, func(c *wal.Config) { c.MustExist = true })
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: one was made: %v", err)
	}
	in := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(in, nil, 0o600))
	try("a file", wal.Deps{FS: wal.OS(filepath.Join(in, "log")), Fatal: func(error) {}}, syscall.ENOTDIR, func(*wal.Config) {}, in)

	readOnly := newDisk()
	readOnly.SetFault(func(_ int, op waltest.Op, _ string) error {
		if op == waltest.Create {
			return syscall.EROFS
		}
		return nil
	})
	try("read-only", wal.Deps{FS: readOnly, Fatal: func(error) {}}, syscall.EROFS, func(*wal.Config) {}, "read-only file system")

	// Without ids, the directory says who it is.
	_, r, err := wal.Open(wal.Config{MustExist: true, SegmentBytes: 16 << 10}, deps)
	if err != nil || r.Ensemble != ensemble || r.Member != member {
		t.Errorf("any: got %+v, %v", r, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	w, _ := open(t, newDisk(), small())
	big := make([]byte, wal.MaxPayload+1)
	for name, r := range map[string]wal.Record{
		"no kind": {}, "own kind": {Kind: 0xfd},
		"large entry": {Kind: 1, Payload: big}, "large state": {Kind: wal.FirstState, Payload: big[:wal.MaxState+1]},
	} {
		if err := await(w, true, r); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	many := slices.Repeat([]wal.Record{entry(1, 1, big[1:])}, 4)
	if err := await(w, true, many...); !errors.Is(err, errs.Invalid) {
		t.Errorf("large batch: got %v", err)
	}
	must(t, w.Close())
	if err := await(w, true, entry(1, 1, nil)); !errors.Is(err, errs.Unavailable) {
		t.Errorf("closed: got %v", err)
	}
	if _, err := w.Read(1); !errors.Is(err, errs.Unavailable) {
		t.Errorf("read of a closed log: got %v", err)
	}
}

// TestLarge: payloads beyond a segment, and beyond a write, have a segment of
// their own size, which is not kept.
func TestLarge(t *testing.T) {
	disk := wal.OS(t.TempDir())
	w, _ := open(t, disk, small())
	want := map[uint64]wal.Record{}
	for i, size := range []int{100, 17 << 10, 1 << 20, 3<<20 + 5, 100, wal.MaxPayload, 100} {
		p := uint64(i + 1)
		want[p] = entry(p, 1, payload(p, 1, size))
		must(t, await(w, true, want[p]))
	}
	if err := differ(contents(t, w), want); err != nil {
		t.Error(err)
	}
	must(t, w.Close())
	w, _ = open(t, disk, small())
	if err := differ(contents(t, w), want); err != nil {
		t.Error("after: ", err)
	}
	must(t, truncate(w, 7))
	if s := w.Stats(); s.DiskBytes > 64<<10 || s.Positions != 1 {
		t.Errorf("after truncation: got %+v", s)
	}
}

// TestTruncate frees whole segments from the oldest on, keeps two of them, and
// loses neither state nor what is above.
func TestTruncate(t *testing.T) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	must(t, await(w, true, wal.Record{Kind: wal.FirstState, Ballot: 42, Payload: []byte("promise")}))
	fill := func(from, to uint64) {
		for p := from; p < to; p++ {
			must(t, await(w, p%10 == 0, entry(p, 1, payload(p, 1, 1000))))
		}
	}
	fill(1, 101)
	before := w.Stats()
	if before.Segments < 7 || before.Created < 7 {
		t.Fatalf("before: got %+v", before)
	}
	must(t, truncate(w, 1)) // nothing is below
	if got := w.Stats(); got.Segments != before.Segments {
		t.Errorf("nothing: got %+v", got)
	}
	must(t, truncate(w, 96))
	after := w.Stats()
	if after.Segments > 2 || after.Recycled == 0 || after.Recycled > 2 || after.Begin != 96 || after.Positions != 5 {
		t.Errorf("after: got %+v", after)
	}
	if used := disk.Used(); used > 5*16<<10 {
		t.Errorf("disk has %d bytes", used)
	}
	if _, err := w.Read(95); !errors.Is(err, errs.NotFound) || !strings.Contains(err.Error(), "begins at 96") {
		t.Errorf("below: got %v", err)
	}
	must(t, await(w, true, entry(50, 9, nil))) // from long ago: kept nowhere
	// Steady state: no file is made any more.
	for p := uint64(101); p < 400; p += 10 {
		fill(p, p+10)
		must(t, truncate(w, p))
	}
	if got := w.Stats(); got.Created != after.Created && got.Created != after.Created+1 {
		t.Errorf("steady: %d files were made, %d before", got.Created, after.Created)
	}
	must(t, w.Close())
	w, r := open(t, disk, small())
	if r.Begin == 0 || r.First < 96 || r.Last != 400 || r.State[wal.FirstState].Ballot != 42 {
		t.Errorf("reopened: got %+v", r)
	}
	must(t, truncate(w, 1000)) // beyond all
	must(t, await(w, true, entry(1000, 2, nil)))
	if got := slices.Collect(maps.Keys(contents(t, w))); !slices.Equal(got, []uint64{1000}) {
		t.Errorf("beyond: got %v", got)
	}
}

// TestReadWhileTruncated: a reader that has found a record gets it, or is told
// that it is truncated, never another's bytes.
func TestReadWhileTruncated(t *testing.T) {
	w, _ := open(t, newDisk(), small())
	var last atomic.Uint64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for p := last.Load(); p < 500; p = last.Load() {
				for at := p - min(p, 20); at <= p; at++ {
					r, err := w.Read(at)
					if err == nil && !bytes.Equal(r.Payload, payload(at, 1, 700)) {
						t.Errorf("position %d has other bytes", at)
					} else if err != nil && !errors.Is(err, errs.NotFound) {
						t.Errorf("position %d: %v", at, err)
					}
				}
			}
		})
	}
	for p := uint64(1); p <= 500; p++ {
		must(t, await(w, true, entry(p, 1, payload(p, 1, 700))))
		must(t, truncate(w, p-min(p, 10)))
		last.Store(p)
	}
	readers.Wait()
}

// TestConcurrent: many appenders share syncs, and each is told in its order.
func TestConcurrent(t *testing.T) {
	const appenders, each = 64, 50
	disk := wal.OS(t.TempDir())
	cfg := small()
	cfg.QueueBytes = 20_000 // some wait for room
	w, _ := open(t, disk, cfg)
	var all sync.WaitGroup
	var told atomic.Int64
	for a := range uint64(appenders) {
		all.Go(func() {
			next := uint64(0) // only the writer has it
			for i := range uint64(each) {
				p := a*each + i
				err := w.Append([]wal.Record{entry(p, a, payload(p, a, 100))}, true, func(err error) {
					if err != nil || next != i {
						t.Errorf("appender %d: append %d told in place of %d: %v", a, i, next, err)
					}
					next++
					told.Add(1)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	must(t, await(w, true)) // nothing but wait for all before
	if told.Load() != appenders*each {
		t.Errorf("%d were told", told.Load())
	}
	if s := w.Stats(); s.Syncs > appenders*each/2 {
		t.Errorf("%d syncs for %d appends", s.Syncs, s.Records)
	}
	must(t, w.Close())
	w, r := open(t, disk, cfg)
	if r.Positions != appenders*each {
		t.Errorf("%d positions", r.Positions)
	}
	for p, rec := range contents(t, w) {
		if !bytes.Equal(rec.Payload, payload(p, p/each, 100)) {
			t.Errorf("position %d differs", p)
		}
	}
}

// TestDump lists records as they lie, and Verify reads while a writer has the lock.
func TestDump(t *testing.T) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	must(t, await(w, true, entry(1, 1, []byte("a"))))
	must(t, await(w, true, entry(1, 2, []byte("b"))))
	if r, err := wal.Verify(disk); err != nil || r.Positions != 1 {
		t.Errorf("live: got %+v, %v", r, err)
	}
	must(t, w.Close())
	var got []string
	r, err := wal.Dump(disk, func(i wal.Item) {
		got = append(got, fmt.Sprintf("%s %d %s %d@%d %s", i.File, i.Offset, i.Name, i.Position, i.Ballot, i.Payload))
	})
	want := []string{
		"0000000000000001.seg 128 begin 0@1 ",
		"0000000000000001.seg 168  1@1 a",
		"0000000000000001.seg 216  1@2 b",
		"0000000000000001.seg 264 begin 0@1 ",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if len(r.Segments) != 1 || r.Segments[0].Live != 1 || r.Segments[0].Records != 4 || r.Segments[0].End != 304 {
		t.Errorf("report: got %+v", r)
	}
	if _, err := wal.Verify(newDisk()); !errors.Is(err, errs.NotFound) {
		t.Errorf("empty: got %v", err)
	}
	if _, err := wal.Verify(wal.OS(filepath.Join(t.TempDir(), "none"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v", err)
	}
}
