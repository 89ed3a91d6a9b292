// Goal: kill -9 under load loses nothing that was acknowledged. Method: this
// test binary again, as a child that appends and says what it was told.
package wal_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"mezzo/replog/wal"
)

const childEnv = "MEZZO_WAL_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

func childConfig(dir string) wal.Config {
	return wal.Config{Dir: dir, Ensemble: ensemble, Member: member, SegmentBytes: 64 << 10}
}

// child appends from many goroutines until it is killed, and truncates.
func child(dir string) {
	w, r, err := wal.Open(childConfig(dir), wal.Deps{Fatal: func(err error) { panic(err) }})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	next := r.Last + 1
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				mu.Lock()
				p := next
				next++
				mu.Unlock()
				if err := await(w, true, entry(p, 1, payload(p, 1, int(p*37%3000)))); err != nil {
					panic(err)
				}
				fmt.Printf("%d\n", p) // one write each
				if p%200 == 0 {
					if err := truncate(w, p-100); err != nil {
						panic(err)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestKill(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	acked := uint64(0)
	rng := seeded(5)
	for round := range 8 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		told := map[uint64]bool{}
		kill := 100 + rng.IntN(500)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var p uint64
			if _, err := fmt.Sscan(lines.Text(), &p); err != nil {
				break // cut by the kill
			}
			told[p] = true
			acked = max(acked, p)
			if len(told) == kill {
				must(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("child ended by itself")
		}
		if len(told) < kill {
			t.Fatalf("round %d: child told of %d appends only", round, len(told))
		}
		w, r, err := wal.Open(childConfig(dir), wal.Deps{Fatal: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if r.Last < acked {
			t.Errorf("round %d: last is %d, %d was acknowledged", round, r.Last, acked)
		}
		for p := range told {
			if p < r.Begin {
				continue
			}
			if rec, err := w.Read(p); err != nil || !bytes.Equal(rec.Payload, payload(p, 1, int(p*37%3000))) {
				t.Errorf("round %d: position %d of %d from %d: %v", round, p, acked, r.Begin, err)
			}
		}
		must(t, w.Close())
	}
	t.Logf("%d appends", acked)
}
