package replog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog/paxos"
	"mezzo/replog/wal/waltest"
)

// TestFullDisk: goal, that a full disk loses nothing, says so, and that all goes
// on once there is room; method, a disk of limited size, that grows.
func TestFullDisk(t *testing.T) {
	disk := waltest.New()
	open := func(d *waltest.Disk) *ensemble {
		l, err := Open(Config{Dir: "disk", Addr: "a:1", Bootstrap: true, SegmentBytes: 64 << 10},
			Deps{Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }, FS: d})
		if err != nil {
			t.Fatal(err)
		}
		return &ensemble{t: t, nodes: []*replica{{log: l}}}
	}
	e := open(disk)
	_, w := e.elect()
	disk.SetCapacity(disk.Used() + 150<<10)
	results := make(chan string, 1000)
	full := false
	sent := 0
	for ; !full; sent++ {
		text := fmt.Sprint(sent, strings.Repeat("x", 3000))
		err := w.Append(t.Context(), []byte(text), func(p uint64, err error) {
			if err != nil {
				t.Errorf("append %d: %v", sent, err)
			}
			results <- fmt.Sprint(p, " ", text)
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.nodes[0].log.Status(t.Context())
		if err != nil || sent > 900 {
			t.Fatalf("after %d appends: %v, %v", sent, s, err)
		}
		full = strings.Contains(s.GetProblem(), "can't write")
	}
	before := len(results)
	if before == 0 || before == sent {
		t.Errorf("%d of %d appends are acknowledged on a full disk", before, sent)
	}
	disk.SetCapacity(0)
	var want []string
	for range sent {
		select {
		case r := <-results:
			want = append(want, r)
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d appends are acknowledged", len(want), sent)
		}
	}
	e.until(0, "no problem any more", func(s *api.StatusReply) bool { return s.GetProblem() == "" })
	got := contents(t, e.nodes[0].log, w.Start()+uint64(sent))
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	if err := e.nodes[0].log.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(disk)
	defer e.nodes[0].log.Close()
	_, w = e.elect()
	if got := contents(t, e.nodes[0].log, w.Start()); !reflect.DeepEqual(got, want) {
		t.Fatalf("after a restart %d entries, want %d", len(got), len(want))
	}
}

// TestStranger: goal, that a replica of another ensemble is refused, by both, with
// both ensembles named; method, a directory that was another's.
func TestStranger(t *testing.T) {
	other := newEnsemble(t, 1, Config{})
	other.elect()
	theirs, err := other.nodes[0].log.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other.stop(0)
	e := newEnsemble(t, 3, Config{})
	_, w := e.elect()
	end := appendAll(t, w, "a")
	_ = w.Resign(t.Context())
	e.stop(2)
	e.nodes[2].dir = other.nodes[0].dir
	e.start(2)
	stranger := e.nodes[2].log
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if w, err := stranger.Elect(ctx); err == nil {
		<-w.Done() // of its own ensemble it was the only one, until it heard of others
	}
	e.nodes[2].log = nil
	i, w := e.elect()
	e.nodes[2].log = stranger
	end = appendAll(t, w, "b")
	ours, err := e.nodes[i].log.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.until(2, "a complaint", func(s *api.StatusReply) bool {
		return strings.Contains(s.GetProblem(), ours.GetEnsemble()) && strings.Contains(s.GetProblem(), theirs.GetEnsemble())
	})
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := stranger.Elect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the stranger leads: %v", err)
	}
	if got := contents(t, e.nodes[i].log, end); len(got) != 2 {
		t.Errorf("log has %q", got)
	}
}

// TestReadOnly: goal, that a directory that can't be written is named.
func TestReadOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Config{Dir: filepath.Join(file, "log"), Addr: "a:1"}, Deps{Log: slog.New(slog.DiscardHandler), Fatal: func(error) {}})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("opened %v, %v", l, err)
	}
}

func TestConfig(t *testing.T) {
	many := make([]string, paxos.MaxMembers+1)
	for i := range many {
		many[i] = fmt.Sprint("h", i)
	}
	for text, c := range map[string]Config{
		"address":      {},
		"quorum 1":     {Addr: "a", Peers: []string{"a", "b", "c"}, Quorum: 1},
		"15 can":       {Addr: "a", Peers: many},
		"16777217":     {Addr: "a", MaxEntryBytes: 16<<20 + 1},
		"not positive": {Addr: "a", Tick: -1},
	} {
		c.Dir = t.TempDir()
		l, err := Open(c, Deps{Log: slog.New(slog.DiscardHandler), Fatal: func(error) {}})
		if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, %v", text, l, err)
		}
	}
}

// FuzzState: no bytes crash the parser, and what it takes it gives back.
func FuzzState(f *testing.F) {
	m := paxos.Membership{Slots: 1, Members: []paxos.Member{{ID: paxos.ID{1}, Slot: 1, Addr: "a:1"}}}
	f.Add(encodeState(paxos.State{Ensemble: paxos.ID{2}, Promised: 7, Begin: 3, Chosen: 9, Members: m}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err != nil {
			if !errors.Is(err, errs.Corrupt) {
				t.Fatalf("error %v is not errs.Corrupt", err)
			}
			return
		}
		if again, err := parseState(encodeState(s)); err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

// FuzzMessage: no message from the network crashes a replica's parser.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("0123456789abcdef"), "a:1", uint32(7), uint32(2), []byte("x"), []byte(nil))
	f.Fuzz(func(t *testing.T, from, ensemble []byte, addr string, typ, kind uint32, data, members []byte) {
		m, err := decode(&api.Message{From: from, Ensemble: ensemble, Addr: addr, Type: typ, Members: members,
			Entries: []*api.Entry{nil, {Position: 1, Kind: kind, Data: data}}})
		if err != nil && !errors.Is(err, errs.Invalid) {
			t.Fatalf("error %v is not errs.Invalid", err)
		}
		if err == nil && len(m.Entries) != 2 {
			t.Fatalf("%+v", m)
		}
	})
}
