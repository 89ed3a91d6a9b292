// Goal: what was acknowledged survives, and nothing else does harm. Method:
// power failures, torn writes, failing operations and flipped bits, everywhere.
package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"mezzo/internal/errs"
	"mezzo/replog/wal"
	"mezzo/replog/wal/waltest"
)

// TestTornAnywhere: the last group of writes, cut at every byte, over zeros and
// over what the file had in its life before.
func TestTornAnywhere(t *testing.T) {
	for _, reused := range []bool{false, true} {
		t.Run(fmt.Sprintf("reused=%v", reused), func(t *testing.T) {
			disk := newDisk()
			w, _ := open(t, disk, small())
			from := uint64(1)
			if reused { // the file that comes next had the same records before
				for ; w.Stats().Recycled == 0 || w.Stats().Segments > 1; from++ {
					must(t, await(w, true, entry(from, 1, payload(from, 1, 50))))
					must(t, truncate(w, from))
				}
			}
			for p := from; p < from+3; p++ {
				must(t, await(w, true, entry(p, 1, payload(p, 1, 50))))
			}
			want := contents(t, w)
			r, err := wal.Verify(disk)
			must(t, err)
			last := r.Segments[len(r.Segments)-1]
			before := disk.Bytes(last.File)
			group := []wal.Record{entry(from+3, 2, payload(from+3, 2, 30)), entry(from+1, 2, payload(from+1, 2, 61)), entry(from+4, 2, nil)}
			must(t, await(w, true, group...))
			after := disk.Bytes(last.File)
			r, err = wal.Verify(disk)
			must(t, err)
			end := r.Segments[len(r.Segments)-1].End
			for cut := last.End; cut <= end; cut++ {
				torn := disk.Clone()
				torn.SetBytes(last.File, slices.Concat(after[:cut], before[cut:]))
				checkPrefix(t, torn, want, group, fmt.Sprintf("%d of %d bytes", cut-last.End, end-last.End))
				// The disk wrote the later sectors first.
				torn = disk.Clone()
				torn.SetBytes(last.File, slices.Concat(before[:cut], after[cut:]))
				checkPrefix(t, torn, want, group, fmt.Sprintf("without the first %d bytes", cut-last.End))
			}
		})
	}
}

// checkPrefix opens a disk that has base and a first part of the group, appends,
// and sees that nothing of the rest comes back.
func checkPrefix(t *testing.T, disk *waltest.Disk, base map[uint64]wal.Record, group []wal.Record, what string) {
	t.Helper()
	var last error
	for n := 0; n <= len(group); n++ {
		want := maps.Clone(base)
		for _, r := range group[:n] {
			want[r.Position] = r
		}
		trial := disk.Clone()
		w, _, err := wal.Open(small(), wal.Deps{FS: trial, Fatal: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if last = differ(contents(t, w), want); last != nil {
			must(t, w.Close())
			continue
		}
		// As long as the first record of the group, so that the second would fit behind.
		next := entry(1000, 3, payload(1000, 3, len(group[0].Payload)))
		must(t, await(w, true, next))
		want[1000] = next
		killed := trial.Clone()
		must(t, w.Close())
		for _, d := range []*waltest.Disk{trial, killed} {
			w, r := open(t, d, small())
			if err := differ(contents(t, w), want); err != nil || torn(r) != 0 {
				t.Fatalf("%s: after an append: %v, torn %v", what, err, torn(r))
			}
			must(t, w.Close())
		}
		return
	}
	t.Fatalf("%s: no part of the group: %v", what, last)
}

// TestTornReported says where, and how much.
func TestTornReported(t *testing.T) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	must(t, await(w, true, entry(1, 1, []byte("kept"))))
	before, err := wal.Verify(disk)
	must(t, err)
	must(t, await(w, true, entry(2, 1, payload(2, 1, 100))))
	name, end := before.Segments[0].File, before.Segments[0].End
	disk = disk.Clone()
	disk.SetBytes(name, slices.Concat(disk.Bytes(name)[:end+60], make([]byte, 16<<10-end-60)))
	const want = 144
	if r, err := wal.Verify(disk); err != nil || r.Segments[0].End != end || torn(r) != want {
		t.Errorf("verify: got %+v, %v, want %d bytes torn at %d", r, err, want, end)
	}
	w, r := open(t, disk, small())
	if r.Segments[0].End != end || torn(r) != want {
		t.Errorf("open: got %+v, want %d bytes torn at %d", r, want, end)
	}
	must(t, w.Close())
	if r, err := wal.Verify(disk); err != nil || torn(r) != 0 || r.Last != 1 {
		t.Errorf("afterwards: got %+v, %v", r, err)
	}
}

// history is a log's disk with some of everything: several segments, state,
// overwrites, truncation, reuse.
func history(t testing.TB) (*waltest.Disk, map[uint64]wal.Record, *wal.WAL) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	for p := uint64(1); p < 40; p++ {
		must(t, await(w, true, entry(p, 1, payload(p, 1, 1500)), wal.Record{Kind: wal.FirstState, Position: p}))
		if p == 25 {
			must(t, truncate(w, 12))
		}
	}
	must(t, await(w, true, entry(33, 2, payload(33, 2, 10))))
	return disk, contents(t, w), w
}

// TestDamage: each bit of a closed log's segments, flipped (some of the bits in
// payloads and unused room), is refused with file and offset, or does no harm.
func TestDamage(t *testing.T) {
	disk, want, w := history(t)
	must(t, w.Close())
	clean, err := wal.Verify(disk)
	must(t, err)
	refused, harmless := 0, 0
	for _, s := range clean.Segments {
		edges := map[int64]bool{}
		_, err := wal.Dump(disk, func(i wal.Item) {
			if i.File == s.File {
				for at := i.Offset; at < i.Offset+44; at++ {
					edges[at] = true
				}
			}
		})
		must(t, err)
		for at := range s.Size {
			if at >= 128 && !edges[at] && at%61 != 0 {
				continue
			}
			disk.FlipBit(s.File, at*8+at%8)
			r, err := wal.Verify(disk)
			switch {
			case errors.Is(err, errs.Corrupt) || errors.Is(err, errs.Unsupported):
				refused++
			case err != nil:
				t.Fatalf("%s, byte %d: %v", s.File, at, err)
			case r.Positions != len(want) || len(r.State) != 1 || r.State[wal.FirstState].Position != 39 || r.Begin != clean.Begin:
				t.Fatalf("%s, byte %d: silently got %+v", s.File, at, r)
			default:
				harmless++
				clone := disk.Clone()
				w, _ := open(t, clone, small())
				if err := differ(contents(t, w), want); err != nil {
					t.Fatalf("%s, byte %d: %v", s.File, at, err)
				}
				must(t, w.Close())
			}
			disk.FlipBit(s.File, at*8+at%8)
		}
	}
	t.Logf("%d refused, %d harmless", refused, harmless)
	if refused == 0 || harmless == 0 {
		t.Error("one of both is missing")
	}
}

// TestDamageNamed: the error tells file and offset, also of a read in place.
func TestDamageNamed(t *testing.T) {
	disk, _, w := history(t)
	var at wal.Item
	_, err := wal.Dump(disk, func(i wal.Item) {
		if i.Position == 30 && i.Kind == 1 {
			at = i
		}
	})
	must(t, err)
	disk.FlipBit(at.File, (at.Offset+100)*8)
	want := []string{at.File, fmt.Sprintf("offset %d", at.Offset)}
	if _, err := w.Read(30); !errors.Is(err, errs.Corrupt) || !containsAll(err, want) {
		t.Errorf("read: got %v, want %q in it", err, want)
	}
	must(t, w.Close())
	if _, _, err := wal.Open(small(), wal.Deps{FS: disk, Fatal: func(error) {}}); !errors.Is(err, errs.Corrupt) || !containsAll(err, want) {
		t.Errorf("open: got %v, want %q in it", err, want)
	}
}

func containsAll(err error, words []string) bool {
	for _, word := range words {
		if !bytes.Contains([]byte(err.Error()), []byte(word)) {
			return false
		}
	}
	return true
}

// TestMissing: no segment can go unnoticed, and none of another log be slipped in.
func TestMissing(t *testing.T) {
	disk, _, w := history(t)
	must(t, w.Close())
	r, err := wal.Verify(disk)
	must(t, err)
	if len(r.Segments) < 3 {
		t.Fatalf("%d segments", len(r.Segments))
	}
	for _, s := range r.Segments {
		d := disk.Clone()
		must(t, d.Remove(s.File))
		if _, err := wal.Verify(d); !errors.Is(err, errs.Corrupt) || !containsAll(err, []string{s.File, "missing"}) {
			t.Errorf("%s: got %v", s.File, err)
		}
		d = disk.Clone()
		d.SetBytes(s.File, d.Bytes(s.File)[:8<<10])
		if _, err := wal.Verify(d); !errors.Is(err, errs.Corrupt) {
			t.Errorf("%s, cut: got %v", s.File, err)
		}
	}
	other, _, w := history(t)
	must(t, w.Close())
	first := r.Segments[0].File
	cfg := small()
	cfg.Member = wal.ID{77}
	foreign := newDisk()
	w, _ = open(t, foreign, cfg)
	must(t, w.Close())
	other.SetBytes(first, foreign.Bytes("0000000000000001.seg"))
	if _, err := wal.Verify(other); !errors.Is(err, errs.Corrupt) {
		t.Errorf("foreign: got %v", err)
	}
}

// script appends until something fails, and returns what was acknowledged and,
// of each position, all that was ever tried.
func script(w *wal.WAL, from uint64) (acked map[uint64]wal.Record, tried map[uint64][]wal.Record, begin uint64, err error) {
	acked, tried = map[uint64]wal.Record{}, map[uint64][]wal.Record{}
	for p := from; p < from+60; p++ {
		batch := []wal.Record{entry(p, 1, payload(p, 1, 1000)), entry(p-min(p-from, 3), p, payload(p, p, 20))}
		for _, r := range batch {
			tried[r.Position] = append(tried[r.Position], r)
		}
		if err := await(w, true, batch...); err != nil {
			return acked, tried, begin, err
		}
		for _, r := range batch {
			acked[r.Position] = r
		}
		if p%20 == 0 {
			begin = p - 10
			if err := truncate(w, begin); err != nil {
				return acked, tried, begin, err
			}
		}
	}
	return acked, tried, begin, nil
}

// consistent checks a reopened log against a script.
func consistent(got, acked map[uint64]wal.Record, tried map[uint64][]wal.Record, begin uint64) error {
	for p, r := range acked {
		if g, ok := got[p]; p >= begin && !ok {
			return fmt.Errorf("position %d was acknowledged and is lost", p)
		} else if ok && g.Ballot < r.Ballot {
			return fmt.Errorf("position %d went back from ballot %d to %d", p, r.Ballot, g.Ballot)
		}
	}
	for p, g := range got {
		if !slices.ContainsFunc(tried[p], func(r wal.Record) bool { return same(r, g) }) {
			return fmt.Errorf("position %d has what nobody wrote", p)
		}
	}
	return nil
}

// TestFailEverywhere: the k-th operation fails, for every k: a failure of
// storage ends the log at once and for good; what was acknowledged is there,
// whether the machine goes down too or not.
func TestFailEverywhere(t *testing.T) {
	rng := seeded(7)
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		fatals, exhausted, k := 0, 0, 0
		for done := false; !done; k++ {
			disk := newDisk()
			disk.SetFault(func(n int, _ waltest.Op, _ string) error {
				if n == k+1 {
					return cause
				}
				return nil
			})
			var fatal []error
			w, _, err := wal.Open(small(), wal.Deps{FS: disk, Fatal: func(err error) { fatal = append(fatal, err) }})
			acked, tried, begin := map[uint64]wal.Record{}, map[uint64][]wal.Record{}, uint64(0)
			if err == nil {
				acked, tried, begin, err = script(w, 1)
				done = err == nil && disk.Ops() < k+1
				var after error
				if err != nil && !errors.Is(err, errs.Exhausted) {
					after = await(w, true, entry(9999, 1, nil))
					if _, err := w.Read(1); !errors.Is(err, cause) {
						t.Fatalf("operation %d: read afterwards: %v", k, err)
					}
				}
				closing := w.Close()
				switch {
				case len(fatal) > 1:
					t.Fatalf("operation %d: told %d times", k, len(fatal))
				case len(fatal) == 1 && (!errors.Is(fatal[0], cause) || !errors.Is(closing, cause)):
					t.Fatalf("operation %d: told %v, close %v", k, fatal[0], closing)
				case errors.Is(err, errs.Exhausted) && len(fatal) == 0:
					exhausted++
					if !errors.Is(err, syscall.ENOSPC) {
						t.Fatalf("operation %d: %v", k, err)
					}
				case err != nil && (len(fatal) == 0 || after == nil):
					t.Fatalf("operation %d: %v was not told, or not for good", k, err)
				}
				fatals += len(fatal)
			} else if !errors.Is(err, cause) {
				t.Fatalf("operation %d: open: %v", k, err)
			}
			disk.SetFault(nil)
			for i, d := range []*waltest.Disk{disk.Clone(), disk.Crash(rng), disk.Crash(rng)} {
				w, _, err := wal.Open(small(), wal.Deps{FS: d, Fatal: func(err error) { t.Error(err) }})
				if err != nil {
					t.Fatalf("%v at operation %d, disk %d: %v", cause, k, i, err)
				}
				if err := consistent(contents(t, w), acked, tried, begin); err != nil {
					t.Fatalf("%v at operation %d, disk %d: %v", cause, k, i, err)
				}
				must(t, await(w, true, entry(5000, 1, nil)))
				acked[5000], tried[5000] = entry(5000, 1, nil), []wal.Record{entry(5000, 1, nil)}
				// What the killed process had not made durable must be by now.
				lost := d.Crash(rng)
				must(t, w.Close())
				w, _, err = wal.Open(small(), wal.Deps{FS: lost, Fatal: func(err error) { t.Error(err) }})
				if err != nil {
					t.Fatalf("%v at operation %d, disk %d, then a crash: %v", cause, k, i, err)
				}
				if err := consistent(contents(t, w), acked, tried, begin); err != nil {
					t.Fatalf("%v at operation %d, disk %d, then a crash: %v", cause, k, i, err)
				}
				must(t, w.Close())
				delete(acked, 5000)
			}
		}
		t.Logf("%v: %d operations, %d ended the log, %d were for want of room", cause, k, fatals, exhausted)
		if fatals == 0 || (cause == syscall.ENOSPC) != (exhausted > 0) {
			t.Errorf("%v: %d fatal, %d exhausted", cause, fatals, exhausted)
		}
	}
}

// TestFailInRecovery: opening after a crash fails at the k-th operation, and
// the next try has it all.
func TestFailInRecovery(t *testing.T) {
	rng := seeded(11)
	for round := range 20 {
		disk := newDisk()
		w, _ := open(t, disk, small())
		acked, tried, begin, err := script(w, 1)
		must(t, err)
		last := entry(70, 1, payload(70, 1, 5000))
		must(t, w.Append([]wal.Record{last}, false, func(error) {}))
		must(t, await(w, false))
		tried[70] = []wal.Record{last}
		crashed := disk.Crash(rng)
		must(t, w.Close())
		for k := 1; ; k++ {
			d := crashed.Clone()
			d.SetFault(func(n int, _ waltest.Op, _ string) error {
				if n >= k {
					return syscall.EIO
				}
				return nil
			})
			w, _, err := wal.Open(small(), wal.Deps{FS: d, Fatal: func(error) {}})
			if err == nil {
				w.Close()
				break
			}
			if !errors.Is(err, syscall.EIO) {
				t.Fatalf("round %d, operation %d: %v", round, k, err)
			}
			d.SetFault(nil)
			w, _ = open(t, d.Crash(rng), small())
			if err := consistent(contents(t, w), acked, tried, begin); err != nil {
				t.Fatalf("round %d, operation %d: %v", round, k, err)
			}
			must(t, w.Close())
		}
	}
}

// TestFull: a full disk refuses entries first, state later, reads nothing less,
// and truncation gives room again.
func TestFull(t *testing.T) {
	disk := newDisk()
	w, _ := open(t, disk, small())
	disk.SetCapacity(5 * 16 << 10)
	var p uint64
	var err error
	for err == nil {
		p++
		err = await(w, true, entry(p, 1, payload(p, 1, 500)))
	}
	if !errors.Is(err, errs.Exhausted) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full: got %v", err)
	}
	last := p - 1
	states := uint64(0)
	for ; err == nil || states == 0; states++ {
		if err = await(w, true, wal.Record{Kind: wal.FirstState, Ballot: states + 1}); err != nil && states == 0 {
			t.Fatalf("state: got %v", err)
		}
	}
	if !errors.Is(err, errs.Exhausted) || states < 30 {
		t.Errorf("%d states, then %v", states, err)
	}
	if got := contents(t, w); len(got) != int(last) {
		t.Errorf("%d positions of %d", len(got), last)
	}
	crashed := disk.Crash(seeded(1))
	crashed.SetCapacity(5 * 16 << 10)
	if again, r := open(t, crashed, small()); r.Positions != int(last) {
		t.Errorf("reopened: %d positions of %d", r.Positions, last)
	} else {
		must(t, again.Close())
	}
	must(t, truncate(w, last-1))
	for p := last + 1; p < 3*last; p++ {
		must(t, await(w, true, entry(p, 1, payload(p, 1, 500))))
		must(t, truncate(w, p-1))
	}
	if got := w.Stats().DiskBytes; got > 2*16<<10 {
		t.Errorf("disk has %d bytes", got)
	}
}

// TestFullInstall: a spare that a segment was to be made of, and for which there
// was no room, is a spare as before: used once, and never lost.
func TestFullInstall(t *testing.T) {
	for _, op := range []waltest.Op{waltest.Write, waltest.Rename} {
		t.Run(string(op), func(t *testing.T) {
			disk := newDisk()
			w, _ := open(t, disk, small())
			p := uint64(1)
			for ; w.Stats().Recycled < 2; p++ { // as many as are kept
				must(t, await(w, true, entry(p, 1, payload(p, 1, 5000))))
				must(t, truncate(w, p))
			}
			created, used := w.Stats().Created, disk.Used()
			refused, opened := 0, false
			disk.SetFault(func(_ int, o waltest.Op, name string) error {
				if o == waltest.Open && strings.HasSuffix(name, ".spare") {
					opened = true
				} else if o == op && opened {
					opened = false
					return syscall.ENOSPC
				}
				return nil
			})
			for range 20 {
				err := await(w, true, entry(p, 1, payload(p, 1, 5000)))
				if err != nil && !errors.Is(err, errs.Exhausted) {
					t.Fatal(err)
				} else if err != nil {
					refused++
				} else {
					p++
				}
			}
			if refused == 0 {
				t.Fatal("nothing was refused")
			}
			disk.SetFault(nil)
			want := contents(t, w)
			for range 10 {
				want[p] = entry(p, 1, payload(p, 1, 5000))
				must(t, await(w, true, want[p]))
				if err := differ(contents(t, w), want); err != nil {
					t.Fatal(err)
				}
				for at := range want {
					if at < p {
						delete(want, at)
					}
				}
				must(t, truncate(w, p))
				p++
			}
			if got := w.Stats().Created; got != created || disk.Used() != used {
				t.Errorf("%d files made and %d bytes used, %d and %d before", got, disk.Used(), created, used)
			}
			must(t, w.Close())
			w, _ = open(t, disk, small())
			if err := differ(contents(t, w), want); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStaleBirth: a spare that was to be a segment already, before a crash, has
// state in it that parses there. None of it may come back, however the records
// that are written over it end.
func TestStaleBirth(t *testing.T) {
	disk := newDisk()
	cfg := small()
	w, _, err := wal.Open(cfg, wal.Deps{FS: disk, Fatal: func(error) {}})
	must(t, err)
	state := func(kind uint8, ballot uint64, size int) wal.Record {
		return wal.Record{Kind: kind, Ballot: ballot, Payload: make([]byte, size)}
	}
	const wide, promise = wal.FirstState, wal.FirstState + 1
	// The second segment is born with the promise at offset 4096, a block's start.
	must(t, await(w, true, state(wide, 1, 4096-128-40-40), state(promise, 1, 0)))
	must(t, await(w, true, entry(1, 1, make([]byte, 6000))))
	disk.SetFault(func(_ int, op waltest.Op, name string) error {
		if op == waltest.Rename && strings.HasSuffix(name, ".spare") {
			return syscall.EIO
		}
		return nil
	})
	if err := await(w, true, entry(2, 1, make([]byte, 6000))); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v", err)
	}
	killed := disk.Clone()
	w.Close()
	w, _ = open(t, killed, cfg)
	must(t, await(w, true, state(wide, 2, 0), state(promise, 2, 0)))
	// Begin and both states end at 128+3*40; fill the block to its end.
	must(t, await(w, true, entry(2, 2, make([]byte, 4096-128-4*40))))
	if s := w.Stats(); s.Segments != 2 {
		t.Fatalf("%d segments", s.Segments)
	}
	again := killed.Clone()
	must(t, w.Close())
	w, r := open(t, again, cfg)
	if got := r.State[promise].Ballot; got != 2 || torn(r) != 0 {
		t.Errorf("promise is %d, torn %v, want 2 and none", got, torn(r))
	}
	must(t, w.Close())
}

// TestModel: random appends, overwrites, truncations, kills, power failures and
// restarts against a map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := seeded(rapid.Uint64().Draw(rt, "seed"))
		cfg := small()
		cfg.Spares = rapid.IntRange(-1, 3).Draw(rt, "spares")
		disk := newDisk()
		var w *wal.WAL
		open := func() *wal.Report {
			var r *wal.Report
			var err error
			w, r, err = wal.Open(cfg, wal.Deps{FS: disk, Fatal: func(err error) { rt.Errorf("fatal: %v", err) }})
			if err != nil {
				rt.Fatal(err)
			}
			return r
		}
		open()
		// Histories: what is durable, then one more state for each append since.
		type model struct {
			entries map[uint64]wal.Record
			state   map[uint8]wal.Record
		}
		now := model{map[uint64]wal.Record{}, map[uint8]wal.Record{}}
		after := []model{now}
		var begin, ballot uint64
		sizes := rapid.SampledFrom([]int{0, 1, 7, 8, 100, 3000, 20_000})
		check := func(r *wal.Report) {
			got := map[uint64]wal.Record{}
			for r, err := range w.Records(0, 1<<63) {
				if err != nil {
					rt.Fatal(err)
				}
				got[r.Position] = r
			}
			if r.Begin > begin {
				rt.Fatalf("begin is %d, want at most %d", r.Begin, begin)
			}
			for p := range got { // an older begin may come back
				if p < begin {
					delete(got, p)
				}
			}
			var last error
			for i := len(after) - 1; i >= 0; i-- {
				want := maps.Clone(after[i].entries)
				maps.DeleteFunc(want, func(p uint64, _ wal.Record) bool { return p < begin })
				if last = differ(got, want); last == nil && maps.EqualFunc(r.State, after[i].state, same) {
					now = after[i]
					after = []model{now}
					return
				}
			}
			rt.Fatalf("is none of %d states: %v", len(after), last)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				var batch []wal.Record
				next := model{maps.Clone(now.entries), maps.Clone(now.state)}
				ballot++
				for range rapid.IntRange(1, 4).Draw(rt, "records") {
					p := begin + rapid.Uint64Range(0, 60).Draw(rt, "position")
					r := entry(p, ballot, payload(p, ballot, sizes.Draw(rt, "bytes")))
					if rapid.IntRange(0, 4).Draw(rt, "state") == 0 {
						r.Kind, r.Payload = wal.FirstState+uint8(p%3), r.Payload[:min(len(r.Payload), 3000)]
						next.state[r.Kind] = r
					} else {
						next.entries[p] = r
					}
					batch = append(batch, r)
				}
				sync := rapid.Bool().Draw(rt, "sync")
				// A torn batch may keep its first records.
				for i := range batch {
					part := model{maps.Clone(now.entries), maps.Clone(now.state)}
					for _, r := range batch[:i] {
						if r.Kind >= wal.FirstState {
							part.state[r.Kind] = r
						} else {
							part.entries[r.Position] = r
						}
					}
					after = append(after, part)
				}
				if err := await(w, sync, batch...); err != nil {
					rt.Fatal(err)
				}
				now = next
				if after = append(after, now); sync {
					after = []model{now}
				}
			},
			"truncate": func(rt *rapid.T) {
				begin += rapid.Uint64Range(0, 50).Draw(rt, "by")
				if err := truncate(w, begin); err != nil {
					rt.Fatal(err)
				}
			},
			"close": func(rt *rapid.T) {
				if err := w.Close(); err != nil {
					rt.Fatal(err)
				}
				after = []model{now}
				check(open())
			},
			"kill": func(rt *rapid.T) {
				killed := disk.Clone()
				w.Close()
				disk, after = killed, []model{now}
				check(open())
			},
			"crash": func(rt *rapid.T) {
				crashed := disk.Crash(rng)
				w.Close()
				disk = crashed
				check(open())
			},
			"": func(rt *rapid.T) {
				for range 3 {
					p := begin + rapid.Uint64Range(0, 60).Draw(rt, "read")
					r, err := w.Read(p)
					if want, ok := now.entries[p]; ok && (err != nil || !same(r, want)) || !ok && !errors.Is(err, errs.NotFound) {
						rt.Fatalf("position %d: %v, want %v", p, err, ok)
					}
				}
			},
		})
		w.Close()
	})
}
