package wal_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"mezzo/replog/wal"
)

// Both write where blocks were written before: the log's second round of
// segments, the bare file's second pass.

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 1 << 20} {
		for _, appenders := range []int{1, 4, 16, 64, 256} {
			if size == 1<<20 && appenders > 16 {
				continue
			}
			b.Run(fmt.Sprintf("size=%d/appenders=%d", size, appenders), func(b *testing.B) {
				cfg := wal.Config{Dir: filepath.Join(b.TempDir(), "log"), Ensemble: ensemble}
				w, _ := open(b, wal.OS(cfg.Dir), cfg)
				p := payload(1, 1, size)
				next := uint64(0)
				for w.Stats().Recycled < 2 {
					must(b, await(w, true, slices.Repeat([]wal.Record{entry(next, 1, make([]byte, 1<<20))}, 4)...))
					next++
					must(b, truncate(w, next))
				}
				before := w.Stats()
				took := make([]time.Duration, b.N)
				keep := min(16<<20/size, 1000)
				var mu sync.Mutex
				var all sync.WaitGroup
				i := 0
				b.ResetTimer()
				for range appenders {
					all.Go(func() {
						for {
							mu.Lock()
							n := i
							i++
							mu.Unlock()
							if n >= b.N {
								return
							}
							start := time.Now()
							if err := await(w, true, entry(next+uint64(n), 1, p)); err != nil {
								b.Error(err)
							}
							took[n] = time.Since(start)
							// As a log that is cleaned all along.
							if n%keep == keep-1 {
								if err := w.Truncate(next+uint64(n-keep+1), func(error) {}); err != nil {
									b.Error(err)
								}
							}
						}
					})
				}
				all.Wait()
				b.StopTimer()
				s := w.Stats()
				report(b, took)
				b.ReportMetric(float64(s.WrittenBytes-before.WrittenBytes)/float64(s.StoredBytes-before.StoredBytes), "written/stored")
				b.ReportMetric(float64(s.Syncs-before.Syncs)/float64(b.N), "syncs/op")
			})
		}
	}
}

// BenchmarkBareFdatasync is what the disk can do for one appender.
func BenchmarkBareFdatasync(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			const room = 96 << 20
			f, err := wal.OS(b.TempDir()).Create("bare", room)
			must(b, err)
			defer f.Close()
			chunk := payload(1, 1, 1<<20)
			for at := int64(0); at < room; at += 1 << 20 {
				_, err := f.WriteAt(chunk, at)
				must(b, err)
			}
			must(b, f.Datasync())
			took := make([]time.Duration, b.N)
			at := int64(0)
			b.ResetTimer()
			for i := range took {
				start := time.Now()
				if _, err := f.WriteAt(chunk[:size], at); err != nil {
					b.Fatal(err)
				}
				if err := f.Datasync(); err != nil {
					b.Fatal(err)
				}
				took[i] = time.Since(start)
				if at += int64(size); at+int64(size) > room {
					at = 0
				}
			}
			b.StopTimer()
			report(b, took)
		})
	}
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkCreate makes a log where there is none.
func BenchmarkCreate(b *testing.B) {
	for b.Loop() {
		w, _ := open(b, wal.OS(filepath.Join(b.TempDir(), "log")), wal.Config{Ensemble: ensemble})
		must(b, w.Close())
	}
}

// BenchmarkOpen recovers 50,000 positions of 200 bytes.
func BenchmarkOpen(b *testing.B) {
	cfg := wal.Config{Dir: b.TempDir(), Ensemble: ensemble}
	w, _ := open(b, wal.OS(cfg.Dir), cfg)
	for p := range uint64(500) {
		var batch []wal.Record
		for i := range uint64(100) {
			batch = append(batch, entry(p*100+i, 1, payload(p, i, 200)))
		}
		must(b, await(w, false, batch...))
	}
	must(b, w.Close())
	for b.Loop() {
		w, r := open(b, wal.OS(cfg.Dir), cfg)
		if r.Positions != 50_000 {
			b.Fatal(r.Positions)
		}
		must(b, w.Close())
	}
}
