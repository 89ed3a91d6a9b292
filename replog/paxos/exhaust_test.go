package paxos

import (
	"cmp"
	"flag"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"testing"
)

var statesFlag = flag.Int("states", 15_000, "how many states TestExhaust looks at")

// TestExhaust: goal, that nothing chosen ever changes, whatever the order in which
// two of three replicas contend and append, messages arrive or don't, and one
// replica starts anew; method, all states of the real core that can be reached, the
// nearest first. Without clocks: a lease may end at any moment, since what is
// chosen must not depend on it. Disks are fast here: TestSim loses what was not
// durable. 500,000 states were looked at (-states), in 100 s: none breaks a rule.
func TestExhaust(t *testing.T) {
	seed := maphash.MakeSeed()
	first := newWorld(t)
	seen := map[uint64]bool{first.hash(seed): true}
	depth, acked, crashed := 0, 0, 0
	for frontier := []*world{first}; len(frontier) > 0 && len(seen) < *statesFlag; depth++ {
		var next []*world
		for _, w := range frontier {
			if w.crashes == 0 {
				crashed++
			}
			for _, act := range w.actions() {
				n := w.clone()
				act(n)
				n.check(t)
				if h := n.hash(seed); !seen[h] {
					seen[h] = true
					next = append(next, n)
					if len(n.acked) > 0 {
						acked++
					}
				}
				if len(seen) >= *statesFlag {
					break
				}
			}
		}
		frontier = next
	}
	t.Logf("%d states, up to %d steps away, %d with something acknowledged, %d after a crash", len(seen), depth, acked, crashed)
	if acked == 0 || crashed == 0 {
		t.Error("nothing was acknowledged, or nobody crashed: look at more states")
	}
}

// machine is a replica of a world.
type machine struct {
	core    *Core
	state   State
	entries map[uint64]Entry
	own     []Message // to itself
	term    Ballot
	waiting []proposal
}

// world is everything at one moment.
type world struct {
	machines [3]machine
	flights  []Message // each once
	chosen   map[uint64]string
	acked    map[uint64]string
	broken   string

	elections [3]int // that may yet be
	proposals [3]int
	crashes   int
}

func machineConfig(i int) Config {
	return Config{ID: ID{byte(i + 1)}, Addr: string(rune('a' + i)), Peers: []string{"a", "b", "c"}, WindowLength: 4}
}

func newWorld(t *testing.T) *world {
	w := &world{chosen: map[uint64]string{}, acked: map[uint64]string{}, elections: [3]int{1, 1, 0}, proposals: [3]int{1, 1, 0}, crashes: 1}
	m := Membership{}.with(ID{1}, "a").with(ID{2}, "b").with(ID{3}, "c")
	for i := range w.machines {
		s := State{Ensemble: ID{9}, Begin: 1, Chosen: 1, Members: m}
		core, err := New(machineConfig(i), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		core.contend, core.now = true, 1
		w.machines[i] = machine{core: core, state: s, entries: map[uint64]Entry{}}
	}
	return w
}

func (w *world) clone() *world {
	n := *w
	n.flights, n.chosen, n.acked = slices.Clone(w.flights), maps.Clone(w.chosen), maps.Clone(w.acked)
	for i := range n.machines {
		m := &n.machines[i]
		c := *m.core
		c.tail, c.found = maps.Clone(c.tail), maps.Clone(c.found)
		c.peers = slices.Clone(c.peers)
		for k, p := range c.peers {
			peer := *p
			c.peers[k] = &peer
		}
		m.core, m.entries = &c, maps.Clone(m.entries)
		m.waiting = slices.Clone(m.waiting)
	}
	return &n
}

// actions are all that may happen next.
func (w *world) actions() (all []func(*world)) {
	for i := range w.machines {
		if w.elections[i] > 0 {
			all = append(all, func(w *world) { w.elections[i]--; w.elect(i) })
		}
		if w.proposals[i] > 0 && w.machines[i].core.CanPropose() {
			all = append(all, func(w *world) { w.proposals[i]--; w.propose(i) })
		}
		if w.crashes > 0 {
			all = append(all, func(w *world) { w.crashes--; w.restart(i) })
		}
	}
	for k := range w.flights {
		all = append(all, func(w *world) { w.deliver(k) })
	}
	return all
}

// elect contends without asking first whether that disturbs anybody.
func (w *world) elect(i int) {
	c := w.machines[i].core
	c.leaseUntil = 0
	c.follow()
	me, _ := c.state.Members.Find(c.cfg.ID)
	c.become(preparing, max(c.newest, c.state.Promised).after(me.Slot))
	c.raise(c.ballot)
	c.dirty, c.found = true, map[uint64]Entry{}
	c.prepare()
	w.handle(i)
}

func (w *world) propose(i int) {
	m := &w.machines[i]
	data := fmt.Sprint(m.core.cfg.Addr, w.proposals[i])
	p, _ := m.core.Propose(Data, []byte(data))
	m.waiting = append(m.waiting, proposal{p, word(Entry{Kind: Data, Data: []byte(data)})})
	w.handle(i)
}

func (w *world) deliver(k int) {
	msg := w.flights[k]
	w.flights = slices.Delete(w.flights, k, k+1)
	i := int(msg.To[0] - 'a')
	w.machines[i].core.leaseUntil = 0
	w.machines[i].core.Step(msg)
	w.handle(i)
}

// post sends what goes to others; heartbeats, which only move leases, are left out.
func (w *world) post(i int, all []Message) {
	for _, m := range all {
		switch {
		case m.To == w.machines[i].core.cfg.Addr:
			w.machines[i].own = append(w.machines[i].own, m)
		case m.Type == Write && len(m.Entries) == 0, m.Type == Wrote && m.High == 0:
		case !slices.ContainsFunc(w.flights, func(f Message) bool { return key(f) == key(m) }):
			w.flights = append(w.flights, m)
		}
	}
}

func key(m Message) string {
	return fmt.Sprint(m.Type, m.Addr, m.To, m.Ballot, m.Chosen, m.Low, m.High, m.Begin, m.Gap, m.Entries)
}

// handle does what a replica wants done, until it wants nothing more.
func (w *world) handle(i int) {
	m := &w.machines[i]
	for again := true; again; again = len(m.own) > 0 {
		own := m.own
		m.own = nil
		for _, msg := range own {
			m.core.Step(msg)
		}
		r := m.core.Ready()
		w.settle(i)
		w.post(i, r.Send)
		for _, f := range r.Serve {
			w.post(i, []Message{w.serve(i, f)})
		}
		w.keep(i, r)
	}
}

func (w *world) serve(i int, f Message) Message {
	m := &w.machines[i]
	reply := m.core.Sign(f.Addr, Message{Type: Chosen, Low: f.Low, Begin: 1, Members: m.core.State().Members})
	reply.Chosen = f.Low
	for p := f.Low; p < m.core.State().Chosen; p++ {
		reply.Entries = append(reply.Entries, m.entries[p])
		reply.Chosen = p + 1
	}
	return reply
}

func (w *world) settle(i int) {
	m := &w.machines[i]
	b, _ := m.core.Elected()
	below := m.core.State().Chosen
	if m.term != 0 && b != m.term {
		if lost, at := m.core.Lost(); lost == m.term {
			below = at
		} else {
			below = 0
		}
	}
	for len(m.waiting) > 0 && m.waiting[0].position < below {
		w.acked[m.waiting[0].position] = m.waiting[0].data
		w.record(m.waiting[0].position, m.waiting[0].data)
		m.waiting = m.waiting[1:]
	}
	if m.term = b; b == 0 {
		m.waiting = nil
	}
}

func (w *world) record(p uint64, value string) {
	if old, ok := w.chosen[p]; ok && old != value {
		w.broken = fmt.Sprintf("position %d is %q and %q", p, old, value)
	}
	w.chosen[p] = value
}

func (w *world) keep(i int, r Ready) {
	m := &w.machines[i]
	if r.State != nil {
		m.state = *r.State
	}
	for _, e := range r.Entries {
		m.entries[e.Position] = e
	}
	for p := uint64(1); p < r.Chosen; p++ {
		w.record(p, word(m.entries[p]))
	}
	w.post(i, r.After)
}

// restart is a loss of power: what is in memory is gone.
func (w *world) restart(i int) {
	m := &w.machines[i]
	core, err := New(machineConfig(i), m.state, slices.Collect(maps.Values(m.entries)))
	if err != nil {
		w.broken = err.Error()
		return
	}
	core.contend, core.now = true, 1
	m.core, m.own, m.waiting, m.term = core, nil, nil, 0
}

func (w *world) check(t *testing.T) {
	for i := range w.machines {
		w.machines[i].core.Check()
	}
	if w.broken != "" {
		t.Fatal(w.broken)
	}
}

// hash is of all that matters for what may come.
func (w *world) hash(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for i := range w.machines {
		m := &w.machines[i]
		c := m.core
		fmt.Fprint(&h, c.role, c.ballot, c.newest, c.state.Promised, c.state.Chosen, c.run, c.end, c.start, c.lost, c.lostAt, c.fetchUntil, m.term, m.waiting)
		for _, p := range c.peers {
			fmt.Fprint(&h, p.granted, p.chosen, p.low, p.high, p.next)
		}
		for _, all := range []map[uint64]Entry{c.tail, c.found, m.entries} {
			fmt.Fprint(&h, len(all), slices.SortedFunc(maps.Values(all), func(a, b Entry) int { return cmp.Compare(a.Position, b.Position) }))
		}
		fmt.Fprint(&h, m.state.Promised, m.state.Chosen)
	}
	keys := make([]string, len(w.flights))
	for i, f := range w.flights {
		keys[i] = key(f)
	}
	slices.Sort(keys)
	fmt.Fprint(&h, keys, w.elections, w.proposals, w.crashes, len(w.acked))
	return h.Sum64()
}
