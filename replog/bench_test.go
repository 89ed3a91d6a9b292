package replog

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkAppend measures appends that are acknowledged, with all replicas in
// this process, over real sockets and disks.
func BenchmarkAppend(b *testing.B) {
	for _, replicas := range []int{1, 3, 5} {
		for _, size := range []int{100, 4 << 10, 1 << 20} {
			for _, writers := range []int{1, 16, 256} {
				if size == 1<<20 && writers > 16 {
					continue
				}
				b.Run(fmt.Sprintf("replicas=%d/bytes=%d/writers=%d", replicas, size, writers), func(b *testing.B) {
					benchmarkAppend(b, replicas, size, writers)
				})
			}
		}
	}
}

func benchmarkAppend(b *testing.B, replicas, size, writers int) {
	e := newEnsemble(b, replicas, Config{SegmentBytes: 64 << 20})
	_, w := e.elect()
	data := make([]byte, size)
	if _, err := w.AppendWait(b.Context(), data); err != nil {
		b.Fatal(err)
	}
	times := make([][]time.Duration, writers)
	b.SetBytes(int64(size))
	b.ResetTimer()
	var wait sync.WaitGroup
	for k := range writers {
		wait.Go(func() {
			for range (b.N + writers - 1 - k) / writers {
				start := time.Now()
				if _, err := w.AppendWait(b.Context(), data); err != nil {
					b.Error(err)
					return
				}
				times[k] = append(times[k], time.Since(start))
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds()), "p99-ns")
}
