package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/usage"
)

// reported is what it costs that all agents report what their tasks use.
type reported struct {
	rate  float64 // samples of tasks in a second
	cpu   float64 // of the master: processors
	state time.Duration
}

// reporters send at once; the master's pace may hold them up.
const reporters = 8

// measureReports lets every agent report once a second, or as seldom as the master
// wants it, each at a time of its own.
func (f *fleet) measureReports(ctx context.Context, addr string, pid int) (r reported, err error) {
	ctx, end := context.WithCancel(ctx)
	var sent atomic.Int64
	var group sync.WaitGroup
	defer group.Wait()
	defer end()
	for n := range reporters {
		group.Go(func() {
			const step = 10 * time.Millisecond
			tick := time.NewTicker(step)
			defer tick.Stop()
			i, due := n, 0.0
			for {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
				every := max(time.Second, time.Duration(f.pause.Load())*time.Millisecond)
				for due += float64(len(f.streams)) / reporters * float64(step) / float64(every); due >= 1; due-- {
					if f.streams[i].Send(&link.FromAgent{Message: &link.FromAgent_Usage{Usage: f.report(i)}}) != nil {
						return
					}
					sent.Add(frameworks * tasksOfEach)
					if i += reporters; i >= len(f.streams) {
						i = n
					}
				}
			}
		})
	}
	const settle, window = 3 * time.Second, 10 * time.Second
	<-time.After(settle)
	before, err := processorTime(pid)
	if err != nil {
		return r, err
	}
	from, start := sent.Load(), time.Now()
	<-time.After(window)
	after, err := processorTime(pid)
	if err != nil {
		return r, err
	}
	took := time.Since(start).Seconds()
	r.rate, r.cpu = float64(sent.Load()-from)/took, (after-before).Seconds()/took
	r.state, err = median(func() error { return fetch(ctx, addr, "/state", nil) })
	return r, err
}

// report is what agent i says of its node and its tasks.
func (f *fleet) report(i int) *link.Usage {
	u := &link.Usage{All: true, Node: &usage.NodeUsage{Timestamp: proto.Float64(1.7e9), Cpu: cpuUsage(), Memory: memoryUsage()}}
	for n := range frameworks {
		for k := range tasksOfEach {
			u.Containers = append(u.Containers, &usage.ContainerUsage{
				FrameworkId: frameworkID(n), TaskId: &v1.TaskID{Value: proto.String(fmt.Sprintf("task-%05d-%d-%d", i, n, k))},
				ContainerId: &v1.ContainerID{Value: proto.String("84affea7-0787-444d-aebb-49d176f80ff5")},
				Timestamp:   proto.Float64(1.7e9), Cpu: cpuUsage(), Memory: memoryUsage(), Pids: &usage.Pids{Current: proto.Uint64(3)},
			})
		}
	}
	return u
}

func cpuUsage() *usage.CPU {
	return &usage.CPU{
		RequestCpus: proto.Float64(1), UsageMicros: proto.Uint64(1e9), UserMicros: proto.Uint64(6e8), SystemMicros: proto.Uint64(4e8),
		RateCpus: proto.Float64(0.42), Periods: proto.Uint64(1e5), ThrottledPeriods: proto.Uint64(1e3), ThrottledMicros: proto.Uint64(1e6),
		Pressure: &usage.Pressure{SomeAvg10: proto.Float64(1.5), SomeAvg60: proto.Float64(1.25), SomeTotalMicros: proto.Uint64(1e6)},
	}
}

func memoryUsage() *usage.Memory {
	return &usage.Memory{
		RequestBytes: proto.Uint64(1 << 30), LimitBytes: proto.Uint64(1 << 30), CurrentBytes: proto.Uint64(5e8), WorkingSetBytes: proto.Uint64(4e8),
		PeakBytes: proto.Uint64(6e8), AnonBytes: proto.Uint64(3e8), FileBytes: proto.Uint64(1e8), KernelBytes: proto.Uint64(1e7),
	}
}

// processorTime is what a process has used so far, in proc(5)'s ticks of 10 ms.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
