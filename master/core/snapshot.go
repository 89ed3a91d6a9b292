package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/btree"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/resources"
)

// Snapshot is everything the master knows at one moment, in the order of ids, to be
// read by others. Nothing in it changes.
type Snapshot struct {
	Frameworks  []FrameworkView
	Completed   []FrameworkView // oldest first
	Agents      []Agent
	Executors   []*Executor
	Operations  []*Operation
	Unreachable map[ids.AgentID]time.Time
	Recovered   []*v1.AgentInfo   // agents of masters before that are not back yet, by id
	Quotas      []QuotaView       // by role
	Weights     map[string]Weight // by role; none is WeightUnit
	Schedule    *maintenance.Schedule
	Machines    []MachineView     // of Schedule, in its order
	Shares      []allocator.Share // of the roles that have frameworks
	Counts      Counts
	TaskEnds    map[TaskEnd]uint64
}

// FrameworkView is a framework with what belongs to it.
type FrameworkView struct {
	Framework
	Tasks       []*Task
	Unreachable []*Task
	Finished    []*Task // oldest first
	Executors   []*Executor
	Offers      []*Offer
	Inverse     []*InverseOffer
	Requests    []allocator.Request // that no offer answered yet
}

// Unsorted is what a snapshot is made of.
type Unsorted struct {
	snapshot Snapshot
	tasks    []*btree.Map[ids.TaskID, *Task] // of the snapshot's frameworks
}

// Snapshot copies what changes and shares what does not: its cost is some words
// for each agent, and none for a task. The rest is left to Sort, which need not be
// called by the owner of the core.
func (c *Core) Snapshot() *Unsorted {
	u := &Unsorted{snapshot: Snapshot{
		Frameworks:  make([]FrameworkView, 0, len(c.frameworks)),
		Agents:      make([]Agent, 0, len(c.agents)),
		Unreachable: maps.Clone(c.unreachable.values),
		Quotas:      c.quotaViews(),
		Weights:     maps.Clone(c.policy.weights),
		Schedule:    c.orders.schedule,
		Machines:    c.machineViews(),
		Shares:      c.alloc.Shares(),
		Counts:      c.counts,
		TaskEnds:    maps.Clone(c.taskEnds),
	}}
	s := &u.snapshot
	at := make(map[ids.FrameworkID]int, len(c.frameworks))
	for _, f := range c.frameworks {
		v := f.viewBesideTasks()
		v.Requests = c.alloc.Requests(f.ID)
		at[f.ID] = len(s.Frameworks)
		s.Frameworks = append(s.Frameworks, v)
		u.tasks = append(u.tasks, f.tasks.Copy())
	}
	for _, id := range sortedKeys(c.recovered) {
		s.Recovered = append(s.Recovered, c.recovered[id].info)
	}
	for _, f := range c.completed.all() {
		s.Completed = append(s.Completed, f.view())
	}
	for _, a := range c.agents {
		s.Agents = append(s.Agents, a.Agent)
		for _, o := range a.operations {
			s.Operations = append(s.Operations, o)
		}
		for _, x := range a.executors {
			s.Executors = append(s.Executors, x)
			if i, ok := at[x.Framework]; ok {
				s.Frameworks[i].Executors = append(s.Frameworks[i].Executors, x)
			}
		}
	}
	return u
}

// view shows f whole.
func (f *framework) view() FrameworkView {
	v := f.viewBesideTasks()
	v.Tasks = f.tasks.Values()
	return v
}

// viewBesideTasks leaves out the tasks that are there, which may be many.
func (f *framework) viewBesideTasks() FrameworkView {
	v := FrameworkView{
		Framework: f.Framework,
		Finished:  slices.Clone(f.finished),
	}
	v.Counts.Ended = maps.Clone(f.Counts.Ended)
	for _, t := range f.unreachable.all() {
		v.Unreachable = append(v.Unreachable, t)
	}
	for _, o := range f.offers {
		v.Offers = append(v.Offers, o.Offer)
	}
	for _, o := range f.inverse {
		v.Inverse = append(v.Inverse, o.InverseOffer)
	}
	return v
}

// Used is what the framework's tasks and executors hold, on all agents together.
func (f *FrameworkView) Used() resources.Resources {
	return resources.Sum(func(yield func(resources.Resources) bool) {
		for _, t := range f.Tasks {
			if t.live() && !yield(t.Resources) {
				return
			}
		}
		for _, x := range f.Executors {
			if !yield(x.Resources) {
				return
			}
		}
	})
}

// HeldByExecutors is what each of the framework's executors holds with its tasks.
func (f *FrameworkView) HeldByExecutors() map[*Executor]resources.Resources {
	type place struct {
		agent    ids.AgentID
		executor ids.ExecutorID
	}
	tasks := make(map[place]resources.Resources)
	for _, t := range f.Tasks {
		if id := t.Info.GetExecutorId().GetValue(); id != "" && t.live() {
			at := place{t.Agent, ids.ExecutorID(id)}
			tasks[at] = tasks[at].Add(t.Resources)
		}
	}
	held := make(map[*Executor]resources.Resources, len(f.Executors))
	for _, x := range f.Executors {
		held[x] = x.Resources.Add(tasks[place{x.Agent, x.ID}])
	}
	return held
}

// Offered is what is offered to the framework now.
func (f *FrameworkView) Offered() resources.Resources {
	return resources.Sum(func(yield func(resources.Resources) bool) {
		for _, o := range f.Offers {
			if !yield(o.Resources) {
				return
			}
		}
	})
}

// OldestOffer is when the first of the offers that the framework holds was made;
// zero if it holds none.
func (f *FrameworkView) OldestOffer() time.Time {
	var t time.Time
	for _, o := range f.Offers {
		t = earlier(t, o.Made)
	}
	return t
}

// Sort makes the snapshot: the same state, the same bytes. It is called once.
func (u *Unsorted) Sort() *Snapshot {
	s := &u.snapshot
	for i, tasks := range u.tasks {
		s.Frameworks[i].Tasks = tasks.Values()
	}
	u.tasks = nil
	s.Agents = sortAgents(s.Agents)
	slices.SortFunc(s.Executors, compareExecutors)
	slices.SortFunc(s.Operations, func(a, b *Operation) int { return cmp.Compare(a.UUID, b.UUID) })
	slices.SortFunc(s.Shares, func(a, b allocator.Share) int { return cmp.Compare(a.Role, b.Role) })
	slices.SortFunc(s.Frameworks, func(a, b FrameworkView) int { return cmp.Compare(a.ID, b.ID) })
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		slices.SortFunc(f.Unreachable, compareTasks)
		slices.SortFunc(f.Executors, compareExecutors)
		slices.SortFunc(f.Offers, func(a, b *Offer) int { return cmp.Compare(a.ID, b.ID) })
		slices.SortFunc(f.Inverse, func(a, b *InverseOffer) int { return cmp.Compare(a.ID, b.ID) })
	}
	return s
}

// sortAgents moves each of them once: they are large.
func sortAgents(agents []Agent) []Agent {
	order := make([]*Agent, len(agents))
	for i := range agents {
		order[i] = &agents[i]
	}
	slices.SortFunc(order, func(a, b *Agent) int { return cmp.Compare(a.ID, b.ID) })
	sorted := make([]Agent, len(agents))
	for i, a := range order {
		sorted[i] = *a
	}
	return sorted
}
