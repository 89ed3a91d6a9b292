package paxos

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "the one seed to simulate, with its trace")
	seedsFlag = flag.Uint64("seeds", 300, "how many seeds to simulate")
	firstFlag = flag.Uint64("first", 1, "the first of them")
)

// disk is what a replica keeps: durable, and on the way there.
type disk struct {
	id      ID
	state   State
	entries map[uint64]Entry
	pending []Ready
}

func (d *disk) sync(n int) {
	for _, r := range d.pending[:n] {
		if r.State != nil {
			d.state = *r.State
		}
		for _, e := range r.Entries {
			d.entries[e.Position] = e
		}
		for p := range d.entries {
			if p < d.state.Begin {
				delete(d.entries, p)
			}
		}
	}
	d.pending = d.pending[n:]
}

// proposal is an append that a client waits for.
type proposal struct {
	position uint64
	data     string
}

type node struct {
	addr   string
	disk   disk
	core   *Core // nil while it is down
	rate   float64
	born   float64 // time of its tick 0
	paused float64 // until then

	term    Ballot
	waiting []proposal
	read    uint64 // below it was read
}

type flight struct {
	m  Message
	at float64 // not before
}

// sim is a whole ensemble on a fake network, disk and clock.
type sim struct {
	t       testing.TB
	rng     *rand.Rand
	trace   func(format string, args ...any)
	now     float64 // in ticks of a perfect clock
	nodes   []*node
	peers   []string
	flights []flight
	loss    float64
	cut     map[[2]string]bool
	serial  int

	chosen  map[uint64]string // position → kind and data
	acked   map[uint64]string
	ballots map[Ballot]string // who was elected at it
	faults  bool
	begin   uint64
}

func newSim(t testing.TB, seed uint64, replicas int) *sim {
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), trace: func(string, ...any) {}, cut: map[[2]string]bool{},
		chosen: map[uint64]string{}, acked: map[uint64]string{}, ballots: map[Ballot]string{}, begin: 1}
	for i := range replicas {
		s.peers = append(s.peers, string(rune('a'+i)))
	}
	for _, addr := range s.peers {
		n := &node{addr: addr}
		s.nodes = append(s.nodes, n)
		s.wipe(n)
		s.start(n)
	}
	return s
}

func (s *sim) id() ID {
	s.serial++
	return ID{byte(s.serial >> 8), byte(s.serial), 1}
}

func (s *sim) wipe(n *node) {
	n.disk = disk{id: s.id(), entries: map[uint64]Entry{}}
	n.read = 0
}

func (s *sim) start(n *node) {
	entries := slices.Collect(maps.Values(n.disk.entries))
	cfg := Config{ID: n.disk.id, Addr: n.addr, Peers: s.peers, Bootstrap: true, Ensemble: s.id(), Seed: s.rng.Uint64(),
		BatchBytes: 40, WindowLength: 16, WindowBytes: 400}
	core, err := New(cfg, n.disk.state, entries)
	if err != nil {
		s.t.Fatal(err)
	}
	n.core, n.born, n.rate, n.term, n.waiting = core, s.now, 0.96+0.08*s.rng.Float64(), 0, nil
	core.Contend(true)
}

func (s *sim) crash(n *node) {
	n.disk.sync(s.rng.IntN(len(n.disk.pending) + 1))
	n.disk.pending, n.core = nil, nil
	n.read = min(n.read, n.disk.state.Chosen)
}

func (n *node) tick(now float64) uint64 { return uint64((now - n.born) * n.rate) }

func (s *sim) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("at %.1f: "+format, append([]any{s.now}, args...)...)
}

func word(e Entry) string { return fmt.Sprint(e.Kind, " ", string(e.Data)) }

// record notes that a value is chosen: for ever the same.
func (s *sim) record(n *node, p uint64, value string) {
	if old, ok := s.chosen[p]; ok && old != value {
		s.failf("%s has %q chosen at position %d, which was %q", n.addr, value, p, old)
	}
	s.chosen[p] = value
}

// handle does what n's core wants done, but for what waits for the disk.
func (s *sim) handle(n *node) {
	n.core.Check()
	r := n.core.Ready()
	s.post(n, r.Send)
	for _, m := range r.Serve {
		s.serve(n, m)
	}
	n.disk.pending = append(n.disk.pending, r)
	s.settle(n)
}

// settle tells clients what became of their appends, and holds elections to
// their promise.
func (s *sim) settle(n *node) {
	b, start := n.core.Elected()
	if n.term != 0 && b != n.term {
		lost, at := n.core.Lost()
		if lost == n.term {
			s.ack(n, at)
		}
		n.waiting, n.term = nil, 0
	}
	if b == 0 {
		return
	}
	if n.term == 0 {
		if who, ok := s.ballots[b]; ok {
			s.failf("%s is elected at %x, as %s was", n.addr, b, who)
		}
		s.ballots[b] = n.addr
		s.trace("%.1f %s leads at %x from %d", s.now, n.addr, b, start)
		for p := range s.acked {
			if p >= start {
				s.failf("%s leads from %d, position %d is acknowledged", n.addr, start, p)
			}
		}
		n.term = b
	}
	s.ack(n, n.core.State().Chosen)
}

func (s *sim) ack(n *node, below uint64) {
	for len(n.waiting) > 0 && n.waiting[0].position < below {
		p := n.waiting[0]
		s.record(n, p.position, p.data)
		s.acked[p.position] = p.data
		n.waiting = n.waiting[1:]
	}
}

func (s *sim) post(n *node, all []Message) {
	for _, m := range all {
		copies := 1
		if m.To != n.addr && s.faults {
			if s.rng.Float64() < s.loss {
				continue
			}
			copies += s.rng.IntN(20) / 19
		}
		for range copies {
			delay := 0.0
			if m.To != n.addr {
				delay = s.rng.Float64()
				if s.faults && s.rng.IntN(30) == 0 {
					delay *= 60
				}
			}
			s.flights = append(s.flights, flight{m, s.now + delay})
		}
	}
}

// serve answers a Fetch from the disk.
func (s *sim) serve(n *node, m Message) {
	state := n.core.State()
	reply := n.core.Sign(m.Addr, Message{Type: Chosen, Low: max(m.Low, n.disk.state.Begin), Begin: n.disk.state.Begin, Members: state.Members})
	reply.Chosen = n.read
	for p := reply.Low; p < n.read && len(reply.Entries) < 40; p++ {
		reply.Entries = append(reply.Entries, n.disk.entries[p])
	}
	s.post(n, []Message{reply})
}

// sync makes the oldest of what waits durable.
func (s *sim) sync(n *node) {
	r := n.disk.pending[0]
	n.disk.sync(1)
	s.post(n, r.After)
	n.read = max(n.read, n.disk.state.Begin)
	for ; n.read < r.Chosen; n.read++ {
		e, ok := n.disk.entries[n.read]
		if !ok {
			if n.read < n.core.State().Begin {
				continue
			}
			s.failf("%s has nothing at position %d, below %d chosen", n.addr, n.read, r.Chosen)
		}
		s.record(n, n.read, word(e))
	}
}

func (s *sim) deliver(i int) {
	f := s.flights[i]
	s.flights = slices.Delete(s.flights, i, i+1)
	to := s.at(f.m.To)
	if to == nil || to.core == nil || s.cut[[2]string{f.m.Addr, f.m.To}] {
		return
	}
	s.trace("%.1f %s", s.now, show(f.m))
	to.core.Step(f.m)
	s.handle(to)
}

func show(m Message) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s→%s type %d ballot %x [%d,%d) chosen %d begin %d gap %v", m.Addr, m.To, m.Type, m.Ballot, m.Low, m.High, m.Chosen, m.Begin, m.Gap)
	for _, e := range m.Entries {
		fmt.Fprintf(&b, " %d@%x=%q", e.Position, e.Ballot, word(e))
	}
	return b.String()
}

func (s *sim) at(addr string) *node {
	i := slices.IndexFunc(s.nodes, func(n *node) bool { return n.addr == addr })
	if i < 0 {
		return nil
	}
	return s.nodes[i]
}

func (s *sim) leader() *node {
	for _, n := range s.nodes {
		if n.core != nil && n.term != 0 {
			if b, _ := n.core.Elected(); b == n.term {
				return n
			}
		}
	}
	return nil
}

func (s *sim) propose(n *node) {
	if !n.core.CanPropose() {
		return
	}
	k, data := Data, fmt.Sprint("v", s.serial)
	if s.serial++; s.rng.IntN(20) == 0 {
		k, data = Truncate, string(TruncateTo(n.core.State().Chosen-min(n.core.State().Chosen-1, s.rng.Uint64N(8))))
	}
	p, _ := n.core.Propose(k, []byte(data))
	n.waiting = append(n.waiting, proposal{p, word(Entry{Kind: k, Data: []byte(data)})})
	s.trace("%.1f %s proposes %q at %d", s.now, n.addr, data, p)
	s.handle(n)
}

// step lets a little time pass, in which anything may happen.
func (s *sim) step() {
	s.now += 0.05
	for _, n := range s.nodes {
		if n.core == nil || n.paused > s.now {
			continue
		}
		n.core.Tick(n.tick(s.now))
		s.handle(n)
		if s.rng.IntN(3) > 0 {
			for range s.rng.IntN(len(n.disk.pending) + 1) {
				s.sync(n)
			}
		}
		if _, start := n.core.Elected(); start > 0 && s.rng.IntN(4) == 0 {
			s.propose(n)
		}
	}
	for i := 0; i < len(s.flights); {
		to := s.at(s.flights[i].m.To)
		if s.flights[i].at <= s.now && (to == nil || to.paused <= s.now) && s.rng.IntN(3) > 0 {
			s.deliver(i)
		} else {
			i++
		}
	}
	s.checkLeases()
}

// checkLeases: whoever is sure to lead alone does.
func (s *sim) checkLeases() {
	var sure []*node
	for _, n := range s.nodes {
		if n.core != nil && n.tick(s.now) < n.core.LeaseEnd() {
			sure = append(sure, n)
		}
	}
	if len(sure) > 1 {
		s.failf("%s and %s are both sure to lead", sure[0].addr, sure[1].addr)
	}
}

// members is the newest membership that anybody knows to be chosen.
func (s *sim) members() (m Membership) {
	for _, n := range s.nodes {
		for _, known := range []Membership{n.disk.state.Members, n.state().Members} {
			if known.Since >= m.Since && len(known.Members) > 0 {
				m = known
			}
		}
	}
	return m
}

func (n *node) state() State {
	if n.core == nil {
		return n.disk.state
	}
	return n.core.State()
}

// mayWipe: as many members keep their disk as decide; those of the newest
// membership, and those of each that a replica still goes by. A replacement that
// one replica alone knows to be chosen is not complete: with that one it would be
// lost, and the others wait for members that are no more.
func (s *sim) mayWipe(victim *node) bool {
	views := []Membership{s.members()}
	for _, n := range s.nodes {
		if n != victim && len(n.disk.state.Members.Members) > 0 {
			views = append(views, n.disk.state.Members)
		}
	}
	for _, m := range views {
		kept := 0
		for _, n := range s.nodes {
			if _, ok := m.Find(n.disk.id); ok && n != victim {
				kept++
			}
		}
		if len(m.Members) == 0 || kept < m.Quorum() || kept < len(m.Members)-1 {
			return false
		}
	}
	return true
}

// disturb does something bad, or heals it.
func (s *sim) disturb() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	switch s.rng.IntN(12) {
	case 0, 1:
		if n.core != nil {
			s.trace("%.1f %s crashes", s.now, n.addr)
			s.crash(n)
		}
	case 2, 3, 4:
		if n.core == nil {
			s.trace("%.1f %s starts", s.now, n.addr)
			s.start(n)
		}
	case 5:
		n.paused = s.now + 40*s.rng.Float64()
	case 6:
		s.loss = 0.3 * s.rng.Float64()
	case 7:
		other := s.nodes[s.rng.IntN(len(s.nodes))]
		s.cut[[2]string{n.addr, other.addr}] = true
		s.cut[[2]string{other.addr, n.addr}] = s.rng.IntN(3) > 0
	case 8, 9:
		clear(s.cut)
	case 10:
		if l := s.leader(); l != nil && s.rng.IntN(3) == 0 {
			l.core.Resign()
			s.handle(l)
			l.core.Contend(true)
		}
	case 11:
		if s.rng.IntN(3) == 0 && s.mayWipe(n) {
			s.trace("%.1f %s loses its disk", s.now, n.addr)
			n.disk.pending, n.core = nil, nil
			s.wipe(n)
		}
	}
}

// heal ends all faults; then the ensemble must come to life.
func (s *sim) heal() {
	clear(s.cut)
	s.faults = false
	for _, n := range s.nodes {
		n.paused = 0
		if n.core == nil {
			s.start(n)
		}
	}
	s.until("all to follow one leader", func() bool {
		l := s.leader()
		if l == nil {
			return false
		}
		m := s.members()
		for _, n := range s.nodes {
			if _, ok := m.Find(n.disk.id); !ok || n.state().Chosen+40 < l.state().Chosen {
				return false
			}
		}
		return len(m.Members) == len(s.nodes)
	})
	before := len(s.acked)
	s.until("appends to be acknowledged", func() bool { return len(s.acked) > before+10 })
}

func (s *sim) until(what string, done func() bool) {
	for end := s.now + 600; !done(); s.step() {
		if s.now > end {
			s.failf("waited too long for %s: %v", what, s)
		}
	}
}

func (s *sim) String() string {
	var b bytes.Buffer
	for _, n := range s.nodes {
		if n.core == nil {
			fmt.Fprintf(&b, "\n%s down", n.addr)
			continue
		}
		fmt.Fprintf(&b, "\n%s %v role %d ballot %x contend %v tick %d electAt %d lease %d end %d run %+v learners %+v %+v", n.addr, n.disk.id, n.core.role, n.core.ballot, n.core.contend, n.core.now, n.core.electAt, n.core.leaseUntil, n.core.end, n.core.run, n.core.learners, n.core.state)
	}
	return b.String()
}

// TestSim: goal, that nothing acknowledged is lost or changed, that nobody is
// elected twice and nobody leads beside another, and that an ensemble that is left
// alone comes to life; method, thousands of histories with lost, doubled, late
// messages, partitions, crashes, pauses, skewed clocks and lost disks.
// One seed again, with its trace: go test ./replog/paxos -run TestSim -seed N
func TestSim(t *testing.T) {
	if *seedFlag != 0 {
		simulate(t, *seedFlag, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
		return
	}
	for seed := *firstFlag; seed < *firstFlag+*seedsFlag; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, seed, nil) })
	}
}

func simulate(t testing.TB, seed uint64, trace func(string, ...any)) {
	s := newSim(t, seed, []int{3, 3, 5, 1, 2}[seed%5])
	if trace != nil {
		s.trace = trace
	}
	s.until("an ensemble to begin", func() bool { return s.leader() != nil })
	for range 2 {
		s.faults = true
		for range 3000 {
			if s.rng.IntN(60) == 0 {
				s.disturb()
			}
			s.step()
		}
		s.heal()
	}
	if len(s.acked) == 0 {
		t.Fatal("nothing was acknowledged")
	}
}
