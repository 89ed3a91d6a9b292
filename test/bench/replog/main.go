// Command replog measures mezzo's replicated log beside its peers: how many
// appends a second are durable on a quorum, how long each takes, and what they
// write. It is a module of its own, so that the peers are no dependencies of
// mezzo's. See `make bench BENCH=replog`.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// system is a log or a store, with all its replicas.
type system interface {
	// append returns once data is durable on a quorum. writer is from 0 on.
	append(writer int, data []byte) error
	close()
}

// contestant is how to make a system.
type contestant struct {
	name     string
	replicas []int
	open     func(dir string, replicas int) (system, error)
}

var contestants = []contestant{
	{"bare", []int{1, 3}, openBare},
	{"mezzo", []int{1, 3, 5}, openMezzo},
	{"hashicorp/raft", []int{1, 3, 5}, openRaft},
	{"dragonboat", []int{1, 3, 5}, openDragonboat},
	{"etcd", []int{1, 3}, openEtcd},
	{"zookeeper", []int{1, 3}, openZooKeeper},
}

// cell is one thing that is measured.
type cell struct{ bytes, writers int }

type result struct {
	rate, p50, p99 float64 // appends a second, milliseconds
	written        float64 // bytes, for each byte of a value, by each replica
}

func main() {
	if line := os.Getenv("MEZZO_BENCH_REPLICA"); line != "" {
		replicate(strings.Fields(line))
		return
	}
	quick := flag.Bool("quick", false, "one short round")
	only := flag.String("only", "", "systems to measure, separated by commas")
	dir := flag.String("dir", "", "directory on the disk to measure; default: a temporary one")
	flag.Parse()
	rounds, last := 3, 1500*time.Millisecond
	cells := []cell{{100, 1}, {100, 16}, {100, 256}, {4 << 10, 1}, {4 << 10, 16}, {4 << 10, 256}, {1 << 20, 1}, {1 << 20, 16}}
	if *quick {
		rounds, last = 1, 700*time.Millisecond
		cells = []cell{{100, 1}, {100, 256}, {4 << 10, 16}}
	}
	base, err := os.MkdirTemp(*dir, "bench")
	if err != nil {
		fatal(err)
	}
	defer os.RemoveAll(base)
	wanted := func(name string) bool { return *only == "" || slices.Contains(strings.Split(*only, ","), name) }
	results := map[string]map[cell][]result{}
	var order, failed []string
	for round := range rounds { // interleaved: this disk's speed comes and goes
		for _, c := range contestants {
			for _, n := range c.replicas {
				if !wanted(c.name) {
					continue
				}
				label := fmt.Sprintf("%s ×%d", c.name, n)
				fmt.Fprintf(os.Stderr, "round %d: %s\n", round+1, label)
				measured, err := measure(c, n, filepath.Join(base, fmt.Sprint(round, len(order), n)), cells, last)
				if err != nil {
					failed = append(failed, fmt.Sprintf("%s: %v", label, err))
				}
				if results[label] == nil {
					results[label] = map[cell][]result{}
					order = append(order, label)
				}
				for k, v := range measured {
					results[label][k] = append(results[label][k], v)
				}
			}
		}
	}
	print(order, cells, results)
	for _, f := range failed {
		fmt.Printf("\nNot measured: %s\n", f)
	}
	if wanted("mezzo") {
		fmt.Println()
		failover(base, map[bool]int{true: 3, false: 10}[*quick])
		recovery(base)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func measure(c contestant, replicas int, dir string, cells []cell, last time.Duration) (map[cell]result, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := c.open(dir, replicas)
	if err != nil {
		return nil, err
	}
	defer s.close()
	out := map[cell]result{}
	for _, k := range cells {
		if c.name == "bare" && k.writers > 1 {
			continue
		}
		if _, err := run(s, k, last/5); err != nil { // warm
			return out, err
		}
		before := writtenBytes(dir)
		r, err := run(s, k, last)
		if err != nil {
			return out, err
		}
		r.written = float64(writtenBytes(dir)-before) / (r.rate * last.Seconds() * float64(k.bytes) * float64(replicas))
		out[k] = r
	}
	return out, nil
}

// run lets writers append, each the next once the last is done.
func run(s system, k cell, last time.Duration) (result, error) {
	data := make([]byte, k.bytes)
	for i := range data {
		data[i] = byte(i * 7)
	}
	var mu sync.Mutex
	var times []time.Duration
	var failure error
	var writers sync.WaitGroup
	start := time.Now()
	for w := range k.writers {
		writers.Go(func() {
			var own []time.Duration
			for begun := start; begun.Sub(start) < last; {
				if err := s.append(w, data); err != nil {
					mu.Lock()
					failure = err
					mu.Unlock()
					return
				}
				now := time.Now()
				own = append(own, now.Sub(begun))
				begun = now
			}
			mu.Lock()
			times = append(times, own...)
			mu.Unlock()
		})
	}
	writers.Wait()
	took := time.Since(start)
	if failure != nil || len(times) == 0 {
		return result{}, fmt.Errorf("%d bytes, %d writers: %w", k.bytes, k.writers, failure)
	}
	slices.Sort(times)
	at := func(part float64) float64 { return times[int(part*float64(len(times)-1))].Seconds() * 1000 }
	return result{rate: float64(len(times)) / took.Seconds(), p50: at(0.5), p99: at(0.99)}, nil
}

// writtenBytes is what was written to the disk that a directory is on, by
// whomever: what processes are charged with counts whole pages that are not
// written.
func writtenBytes(dir string) int64 {
	var at syscall.Stat_t
	if err := syscall.Stat(dir, &at); err != nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", at.Dev>>8&0xfff, at.Dev&0xff|at.Dev>>12&0xfff00))
	if err != nil {
		return 0
	}
	const sectors = 6 // field of Documentation/block/stat.rst
	if f := strings.Fields(string(b)); len(f) > sectors {
		n, _ := strconv.ParseInt(f[sectors], 10, 64)
		return n * 512
	}
	return 0
}

// print prints a table for each size: the median of the rounds.
func print(order []string, cells []cell, results map[string]map[cell][]result) {
	sizes := map[int]string{100: "100 B", 4 << 10: "4 KiB", 1 << 20: "1 MiB"}
	for _, size := range []int{100, 4 << 10, 1 << 20} {
		var of []cell
		for _, k := range cells {
			if k.bytes == size {
				of = append(of, k)
			}
		}
		if len(of) == 0 {
			continue
		}
		fmt.Printf("\n| %s |", sizes[size])
		for _, k := range of {
			fmt.Printf(" %d: appends/s | p50 ms | p99 ms | written |", k.writers)
		}
		fmt.Printf("\n|---|%s\n", strings.Repeat("---:|", 4*len(of)))
		for _, label := range order {
			fmt.Printf("| %s |", label)
			for _, k := range of {
				r, ok := median(results[label][k])
				if !ok {
					fmt.Print(" – | – | – | – |")
					continue
				}
				fmt.Printf(" %.0f | %.2f | %.2f | %.1f |", r.rate, r.p50, r.p99, r.written)
			}
			fmt.Println()
		}
	}
}

func median(all []result) (result, bool) {
	if len(all) == 0 {
		return result{}, false
	}
	pick := func(of func(result) float64) float64 {
		var v []float64
		for _, r := range all {
			v = append(v, of(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return result{
		pick(func(r result) float64 { return r.rate }), pick(func(r result) float64 { return r.p50 }),
		pick(func(r result) float64 { return r.p99 }), pick(func(r result) float64 { return r.written }),
	}, true
}
