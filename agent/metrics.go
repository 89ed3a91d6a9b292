package agent

import (
	"fmt"
	"net/http"
	"runtime"
	"syscall"
	"time"

	"mezzo/agent/core"
	"mezzo/agent/task"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
	"mezzo/internal/prom"
	"mezzo/resources"
)

// metric is one number of /metrics/snapshot, by Mesos's name.
type metric struct {
	name, help string
	value      func(*reading) float64
}

// reading is what metrics are computed from.
type reading struct {
	snap   *snapshot
	uptime time.Duration
	states map[task.State]int
	total  resources.Resources // the agent's
	used   resources.Resources // by tasks
	system syscall.Sysinfo_t
}

// metrics are the numbers an agent has. Those with a help of "always 0" are
// read by tools and belong to what this agent does not do.
var metrics = []metric{
	{"slave/registered", "1 while attached to a master", func(r *reading) float64 { return truth(r.snap.Registered) }},
	{"slave/uptime_secs", "seconds since the start", func(r *reading) float64 { return r.uptime.Seconds() }},
	{"slave/frameworks_active", "frameworks with tasks here", func(r *reading) float64 { return float64(len(r.snap.Frameworks)) }},

	{"slave/tasks_staging", "tasks not yet begun", inState(task.Staging, task.Queued)},
	{"slave/tasks_starting", "tasks whose container is being made", inState(task.Starting, task.Aborting)},
	{"slave/tasks_running", "tasks that run", inState(task.Running, task.Given)},
	{"slave/tasks_killing", "tasks that were asked to end", inState(task.Killing)},
	{"slave/tasks_finished", "tasks that ended well", counter(func(c core.Counters) int { return c.Finished })},
	{"slave/tasks_failed", "tasks that failed", counter(func(c core.Counters) int { return c.Failed })},
	{"slave/tasks_killed", "tasks that were killed", counter(func(c core.Counters) int { return c.Killed })},
	{"slave/tasks_error", "tasks that were refused", counter(func(c core.Counters) int { return c.Error })},
	{"slave/tasks_lost", "always 0", none},
	{"slave/tasks_gone", "always 0", none},

	{"slave/executors_registering", "tasks whose container is being made", inState(task.Starting, task.Aborting)},
	{"slave/executors_running", "tasks that run", inState(task.Running)},
	{"slave/executors_terminating", "tasks that were asked to end", inState(task.Killing)},
	{"slave/executors_terminated", "tasks that ended", counter(func(c core.Counters) int { return c.Finished + c.Failed + c.Killed })},
	{"slave/executors_preempted", "always 0", none},
	{"slave/executor_directory_max_allowed_age_secs", "how long sandboxes are kept after their task's end, as full as the disk is", func(r *reading) float64 { return r.snap.gc.maxAge.Seconds() }},
	{"gc/path_removals_succeeded", "sandboxes that were removed", func(r *reading) float64 { return float64(r.snap.gc.removed) }},
	{"gc/path_removals_failed", "sandboxes that resisted", func(r *reading) float64 { return float64(r.snap.gc.failed) }},
	{"gc/path_removals_pending", "sandboxes that will be removed", func(r *reading) float64 { return float64(r.snap.gc.pending) }},

	{"slave/valid_status_updates", "updates that were acknowledged", counter(func(c core.Counters) int { return c.ValidUpdates })},
	{"slave/invalid_status_updates", "acknowledgements that fit no update", counter(func(c core.Counters) int { return c.InvalidUpdates })},
	{"slave/valid_framework_messages", "always 0", none},
	{"slave/invalid_framework_messages", "always 0", none},

	{"slave/container_launch_errors", "containers that did not start", counter(func(c core.Counters) int { return c.LaunchErrors })},
	{"containerizer/mesos/container_destroy_errors", "containers that could not be removed", counter(func(c core.Counters) int { return c.DestroyErrors })},
	{"slave/containers_throttled", "containers on revocable resources that have less for now, for others suffered", func(r *reading) float64 { return float64(r.snap.throttled) }},
	{"slave/containers_preempted", "containers on revocable resources that were ended for others", counter(func(c core.Counters) int { return c.Preempted })},
	{"slave/recovery_errors", "records of an earlier agent that could not be read", func(r *reading) float64 { return float64(r.snap.recoveryErrors) }},

	{"system/cpus_total", "processors of the node", func(*reading) float64 { return float64(runtime.NumCPU()) }},
	{"system/load_1min", "load average of a minute", load(0)},
	{"system/load_5min", "load average of five minutes", load(1)},
	{"system/load_15min", "load average of a quarter of an hour", load(2)},
	{"system/mem_total_bytes", "memory of the node", func(r *reading) float64 { return float64(r.system.Totalram) * float64(r.system.Unit) }},
	{"system/mem_free_bytes", "memory nobody uses", func(r *reading) float64 { return float64(r.system.Freeram) * float64(r.system.Unit) }},
}

func none(*reading) float64 { return 0 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func inState(states ...task.State) func(*reading) float64 {
	return func(r *reading) float64 {
		n := 0
		for _, s := range states {
			n += r.states[s]
		}
		return float64(n)
	}
}

func counter(of func(core.Counters) int) func(*reading) float64 {
	return func(r *reading) float64 { return float64(of(r.snap.Counters)) }
}

// load is a load average; the kernel counts it in 1/65536.
func load(i int) func(*reading) float64 {
	return func(r *reading) float64 { return float64(r.system.Loads[i]) / (1 << 16) }
}

// resourceMetrics are slave/cpus_total and so on, of each resource of Mesos.
func resourceMetrics(r *reading, values map[string]float64) {
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		for suffix, part := range map[string]func(resources.Resources) resources.Resources{
			"_": resources.Resources.NonRevocable, "_revocable_": resources.Resources.Revocable,
		} {
			total, used := part(r.total).Total(name).Float(), part(r.used).Total(name).Float()
			percent := 0.0
			if total > 0 {
				percent = used / total
			}
			values["slave/"+name+suffix+"total"] = total
			values["slave/"+name+suffix+"used"] = used
			values["slave/"+name+suffix+"percent"] = percent
		}
	}
}

// metricValues computes all metrics.
func (s *server) metricValues(snap *snapshot) map[string]float64 {
	r := &reading{
		snap: snap, uptime: time.Since(s.start), states: make(map[task.State]int),
		total: resourcesOf(snap.Agent.GetResources()).Add(snap.revocable), used: snap.allocated(),
	}
	for _, t := range snap.tasks() {
		r.states[t.State]++
	}
	if err := syscall.Sysinfo(&r.system); err != nil {
		s.log.Warn("read system's load", "err", err)
	}
	values := make(map[string]float64)
	for _, m := range metrics {
		values[m.name] = m.value(r)
	}
	resourceMetrics(r, values)
	return values
}

// metrics answers /metrics/snapshot. It is fast enough to need no timeout, but
// one that makes no sense is refused.
func (s *server) metrics(snap *snapshot, r *http.Request) (any, error) {
	if t := r.URL.Query().Get("timeout"); t != "" {
		if _, err := flags.ParseDuration(t); err != nil {
			return nil, fmt.Errorf("timeout %q: %w: %w", t, err, errs.Invalid)
		}
	}
	return s.metricValues(snap), nil
}

// prometheus answers /metrics.
func (s *server) prometheus(w http.ResponseWriter, r *http.Request) error {
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	help := make(map[string]string, len(metrics))
	for _, m := range metrics {
		help[m.name] = m.help
	}
	var samples []prom.Sample
	for name, value := range s.metricValues(snap) {
		samples = append(samples, prom.Sample{Name: name, Help: help[name], Value: value})
	}
	prom.Serve(w, r, samples)
	return nil
}

// systemStats answers /system/stats: the node's load, processors and memory.
//
// Source: 3rdparty/libprocess/include/process/system.hpp.
func (s *server) systemStats(snap *snapshot, _ *http.Request) (any, error) {
	values := s.metricValues(snap)
	o := make(object)
	for name, of := range map[string]string{
		"avg_load_1min": "load_1min", "avg_load_5min": "load_5min", "avg_load_15min": "load_15min",
		"cpus_total": "cpus_total", "mem_total_bytes": "mem_total_bytes", "mem_free_bytes": "mem_free_bytes",
	} {
		o[name] = values["system/"+of]
	}
	return o, nil
}
