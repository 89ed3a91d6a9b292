package master

import (
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
	"mezzo/resources"
)

// metric declares one metric: docs/monitoring.md lists the same.
type metric struct {
	name  string
	kind  string // counter or gauge
	help  string
	value func(*tally) float64
}

// tally is what metrics are read from: a snapshot, counted through once.
type tally struct {
	counts                core.Counts
	ends                  map[core.TaskEnd]uint64
	uptime                float64
	inbox                 int
	agents, agentsActive  int
	agentsConnected       int
	agentsUnreachable     int
	frameworks, connected int
	offers, inverse       int
	machines              int
	machinesDown          int
	agentsDraining        int
	agentsDrained         int
	oldest                time.Time // of the offers; zero if there are none
	now                   time.Time
	requesting            int
	rounds, stores        timings
	queuedStores          int
	watching              int64
	kept                  int64
	replicas              int
	recovered             bool
	loaded                time.Duration
	elected               bool
	states                map[v1.TaskState]int
	total, used, offered  resources.Quantities
	revocable, revocUsed  resources.Quantities
}

func takeTally(s *core.Snapshot) *tally {
	t := &tally{
		counts: s.Counts, ends: s.TaskEnds, states: map[v1.TaskState]int{},
		agents: len(s.Agents), agentsUnreachable: len(s.Unreachable), frameworks: len(s.Frameworks),
	}
	for i := range s.Agents {
		a := &s.Agents[i]
		if a.Connected {
			t.agentsConnected++
		}
		if a.Active() {
			t.agentsActive++
		}
		switch a.Drain.GetState() {
		case v1.DrainState_DRAINING:
			t.agentsDraining++
		case v1.DrainState_DRAINED:
			t.agentsDrained++
		default:
		}
		t.total = t.total.Add(a.Total.NonRevocable().Quantities())
		t.used = t.used.Add(a.Used.NonRevocable().Quantities())
		t.offered = t.offered.Add(a.Offered.Quantities())
		t.revocable = t.revocable.Add(a.Total.Revocable().Quantities())
		t.revocUsed = t.revocUsed.Add(a.Used.Revocable().Quantities())
	}
	for _, m := range s.Machines {
		t.machines++
		if m.Down {
			t.machinesDown++
		}
	}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		if f.Connected {
			t.connected++
		}
		t.offers += len(f.Offers)
		t.inverse += len(f.Inverse)
		if made := f.OldestOffer(); !made.IsZero() && (t.oldest.IsZero() || made.Before(t.oldest)) {
			t.oldest = made
		}
		if len(f.Requests) > 0 {
			t.requesting++
		}
		for _, task := range f.Tasks {
			t.states[task.State]++
		}
		t.states[v1.TaskState_TASK_UNREACHABLE] += len(f.Unreachable)
	}
	return t
}

var declared = declare()

func declare() []metric {
	list := []metric{
		gauge("master/elected", "1 if this master leads", func(t *tally) float64 { return one(t.elected) }),
		gauge("master/uptime_secs", "seconds since the start", func(t *tally) float64 { return t.uptime }),
		gauge("master/slaves_active", "agents whose resources are offered", func(t *tally) float64 { return float64(t.agentsActive) }),
		gauge("master/slaves_inactive", "agents whose resources are not offered", func(t *tally) float64 { return float64(t.agents - t.agentsActive) }),
		gauge("master/slaves_connected", "agents with a stream", func(t *tally) float64 { return float64(t.agentsConnected) }),
		gauge("master/slaves_disconnected", "agents waited for", func(t *tally) float64 { return float64(t.agents - t.agentsConnected) }),
		gauge("master/slaves_unreachable", "agents given up for now", func(t *tally) float64 { return float64(t.agentsUnreachable) }),
		gauge("master/frameworks_active", "frameworks that get offers", func(t *tally) float64 { return float64(t.connected) }),
		gauge("master/frameworks_inactive", "frameworks that get no offers", func(t *tally) float64 { return float64(t.frameworks - t.connected) }),
		gauge("master/frameworks_connected", "frameworks with a stream", func(t *tally) float64 { return float64(t.connected) }),
		gauge("master/frameworks_disconnected", "frameworks waited for", func(t *tally) float64 { return float64(t.frameworks - t.connected) }),
		gauge("master/outstanding_offers", "offers not answered yet", func(t *tally) float64 { return float64(t.offers) }),
		gauge("master/slaves_draining", "agents whose tasks are ended to empty them", func(t *tally) float64 { return float64(t.agentsDraining) }),
		gauge("master/slaves_drained", "agents that were emptied", func(t *tally) float64 { return float64(t.agentsDrained) }),
		gauge("master/machines_draining", "machines scheduled for maintenance", func(t *tally) float64 { return float64(t.machines - t.machinesDown) }),
		gauge("master/machines_down", "machines in maintenance", func(t *tally) float64 { return float64(t.machinesDown) }),
		gauge("master/outstanding_inverse_offers", "inverse offers not answered yet", func(t *tally) float64 { return float64(t.inverse) }),
		gauge("master/oldest_offer_secs", "age of the oldest offer not answered yet", func(t *tally) float64 { return age(t.now, t.oldest) }),
		gauge("master/frameworks_requesting", "frameworks that asked for resources which they were not offered yet", func(t *tally) float64 { return float64(t.requesting) }),
		gauge("master/event_queue_messages", "events waiting for the loop", func(t *tally) float64 { return float64(t.inbox) }),
		counter("allocator/mesos/allocation_runs", "rounds of offers", core.AllocationRuns),
	}
	for _, s := range []v1.TaskState{
		v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING,
		v1.TaskState_TASK_KILLING, v1.TaskState_TASK_UNREACHABLE,
	} {
		list = append(list, gauge("master/"+stateWord(s), "tasks in this state", func(t *tally) float64 { return float64(t.states[s]) }))
	}
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		list = append(list, resourceMetrics(name)...)
	}
	for _, end := range []core.TaskEnd{
		{State: v1.TaskState_TASK_LOST, Source: v1.TaskStatus_SOURCE_MASTER, Reason: v1.TaskStatus_REASON_INVALID_OFFERS},
		{State: v1.TaskState_TASK_LOST, Source: v1.TaskStatus_SOURCE_MASTER, Reason: v1.TaskStatus_REASON_AGENT_REMOVED},
		{State: v1.TaskState_TASK_LOST, Source: v1.TaskStatus_SOURCE_AGENT, Reason: v1.TaskStatus_REASON_EXECUTOR_TERMINATED},
	} {
		list = append(list, metric{endName(end), "counter", "tasks that ended in this way", func(t *tally) float64 { return float64(t.ends[end]) }})
	}
	list = append(list, gauge("master/operator_event_stream_subscribers", "operators that watch events", func(t *tally) float64 { return float64(t.watching) }))
	list = append(list, gauge("registrar/queued_operations", "changes of the registry that are not durable", func(t *tally) float64 { return float64(t.queuedStores) }))
	list = append(list, gauge("registrar/log/ensemble_size", "replicas of the log that vote", func(t *tally) float64 { return float64(t.replicas) }))
	list = append(list, gauge("registrar/log/recovered", "1 if this replica of the log takes part", func(t *tally) float64 { return one(t.recovered) }))
	list = append(list, gauge("registrar/registry_size_bytes", "what is kept in the registry, names and values", func(t *tally) float64 { return float64(t.kept) }))
	list = append(list, gauge("registrar/state_fetch_ms", "loading the registry when this master was elected, in milliseconds", func(t *tally) float64 { return millis(t.loaded) }))
	list = append(list, timingMetrics("registrar/state_store_ms", "stores of the registry", func(t *tally) *timings { return &t.stores })...)
	list = append(list, timingMetrics("allocator/mesos/allocation_run_ms", "rounds of offers", func(t *tally) *timings { return &t.rounds })...)
	return append(append(list, counters...), nothingYet()...)
}

// age is how many seconds have gone by since a time; 0 since the zero time.
func age(now, since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return now.Sub(since).Seconds()
}

func stateWord(s v1.TaskState) string {
	return map[v1.TaskState]string{
		v1.TaskState_TASK_STAGING: "tasks_staging", v1.TaskState_TASK_STARTING: "tasks_starting",
		v1.TaskState_TASK_RUNNING: "tasks_running", v1.TaskState_TASK_KILLING: "tasks_killing",
		v1.TaskState_TASK_UNREACHABLE: "tasks_unreachable",
	}[s]
}

func gauge(name, help string, value func(*tally) float64) metric {
	return metric{name, "gauge", help, value}
}

func counter(name, help string, c core.Counter) metric {
	return metric{name, "counter", help, func(t *tally) float64 { return float64(t.counts[c]) }}
}

func resourceMetrics(name string) []metric {
	share := func(used, total resources.Quantities) float64 {
		if total.Get(name) == 0 {
			return 0
		}
		return used.Get(name).Float() / total.Get(name).Float()
	}
	list := []metric{
		gauge("master/"+name+"_total", "of all agents together", func(t *tally) float64 { return t.total.Get(name).Float() }),
		gauge("master/"+name+"_used", "allocated to tasks", func(t *tally) float64 { return t.used.Get(name).Float() }),
		gauge("master/"+name+"_percent", "share allocated, 0 to 1", func(t *tally) float64 { return share(t.used, t.total) }),
		gauge("master/"+name+"_revocable_total", "of all agents together, revocable", func(t *tally) float64 { return t.revocable.Get(name).Float() }),
		gauge("master/"+name+"_revocable_used", "allocated to tasks, revocable", func(t *tally) float64 { return t.revocUsed.Get(name).Float() }),
		gauge("master/"+name+"_revocable_percent", "share allocated, 0 to 1, revocable", func(t *tally) float64 { return share(t.revocUsed, t.revocable) }),
	}
	if name == "gpus" {
		return list
	}
	return append(list,
		gauge("allocator/mesos/resources/"+name+"/total", "of all agents together", func(t *tally) float64 { return t.total.Get(name).Float() }),
		gauge("allocator/mesos/resources/"+name+"/offered_or_allocated", "not free", func(t *tally) float64 { return t.used.Add(t.offered).Get(name).Float() }),
	)
}
