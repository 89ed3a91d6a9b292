package paxos

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"mezzo/internal/assert"
)

// Config is what a replica is told.
type Config struct {
	ID           ID       // of its disk
	Addr         string   // where it is reached
	Peers        []string // addresses of replicas, its own among them
	Voters       int      // how many there are to be. Default: the peers
	Bootstrap    bool     // begin an ensemble if all peers are empty
	Ensemble     ID       // to be given to an ensemble that begins here
	Seed         uint64   // of what is drawn: how long to wait before an election
	LeaseTicks   uint64   // for how long who leads is not questioned. Default 12
	BatchBytes   int      // of entries in a message, if there are several. Default 1 MiB
	WindowBytes  int      // of entries not yet chosen. Default 16 MiB
	WindowLength int      // their number. Default 4096
}

// Ticks, beside the lease.
const (
	skewTicks      = 2 // a leader's lease ends this much before those that granted it think
	heartbeatTicks = 2
	resendTicks    = 6
	helloTicks     = 4
	staleTicks     = 4 * helloTicks // who was not heard for so long is not there
)

// maxAhead is how far beyond what is chosen a replica accepts, so that holes that
// somebody has to fill are few.
const maxAhead = 1 << 20

type role uint8

const (
	follower  role = iota
	probing        // asks who would promise
	preparing      // asks for promises
	leading        // has them
)

// Core is one replica's part of the protocol. It is not safe for concurrent use.
type Core struct {
	cfg Config
	rng *rand.Rand
	now uint64 // tick

	state     State // with the newest Promised, Begin and Chosen
	dirty     bool  // state is to be kept
	keptAt    uint64
	tail      map[uint64]Entry // accepted, not known to be chosen
	tailBytes int

	// Acceptor: of its promised ballot it holds [low, high).
	run struct {
		ballot    Ballot
		low, high uint64
	}
	leader     ID // who was heard last, until leaseUntil
	leaderAddr string
	leaseUntil uint64

	// Learner.
	fetchUntil uint64 // an answer is waited for

	// Proposer.
	role     role
	contend  bool
	ballot   Ballot // of the role
	newest   Ballot // heard of
	electAt  uint64 // tick
	since    uint64 // tick at which the role began
	peers    []*peer
	found    map[uint64]Entry // in promises
	end      uint64           // next position
	start    uint64           // first position that is not a former leader's
	changing bool             // a change of members is under way
	learners []learner
	empties  map[string]empty  // peers that have no ensemble
	foreign  map[string]uint64 // tick at which a peer was heard that has another
	lost     Ballot            // at which it led last,
	lostAt   uint64            // and below this what it proposed was chosen

	out Ready
}

// peer is a member as its leader sees it.
type peer struct {
	Member
	granted   bool   // Probe or Prepare, as the role is
	chosen    uint64 // as it said
	low, high uint64 // held durably
	next      uint64 // to be sent
	moved     uint64 // tick at which high rose or next was set back
	sent      uint64 // tick of the last Write
	stamp     uint64 // newest tick it answered
	joined    uint64 // tick at which it became a peer
}

type empty struct {
	id    ID
	heard uint64 // tick
}

// learner is a replica without a vote, or a member that moved.
type learner struct {
	id     ID
	addr   string
	heard  uint64 // tick
	chosen uint64
}

// New makes the core of a replica from what it kept: the zero State and nothing
// if it is empty. Of entries, those from State.Chosen on are needed.
func New(cfg Config, state State, entries []Entry) (*Core, error) {
	setDefault(&cfg.LeaseTicks, 12)
	setDefault(&cfg.BatchBytes, 1<<20)
	setDefault(&cfg.WindowBytes, 16<<20)
	setDefault(&cfg.WindowLength, 4096)
	setDefault(&cfg.Voters, len(cfg.Peers))
	if cfg.ID == (ID{}) || !slices.Contains(cfg.Peers, cfg.Addr) || cfg.LeaseTicks <= skewTicks {
		return nil, fmt.Errorf("replica %v at %q with a lease of %d ticks is not one of %q: %w", cfg.ID, cfg.Addr, cfg.LeaseTicks, cfg.Peers, ErrMalformed)
	}
	if err := state.Members.check(); err != nil {
		return nil, err
	}
	c := &Core{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, cfg.Seed)), state: state, tail: map[uint64]Entry{}, empties: map[string]empty{}, foreign: map[string]uint64{}}
	for _, e := range entries {
		if e.Position >= state.Chosen {
			c.keep(e)
		}
		c.state.Promised = max(c.state.Promised, e.Ballot)
	}
	c.newest = c.state.Promised
	if !c.alone() { // it may have granted a lease that still runs
		c.leaseUntil = cfg.LeaseTicks
	}
	c.electAt = c.leaseUntil + c.turn()
	if state.Ensemble == (ID{}) && cfg.Voters == 1 {
		c.bootstrap()
	}
	return c, nil
}

func setDefault[T int | uint64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Tick says that time has come to a tick. Ticks that come late make leases
// longer, none may come early.
func (c *Core) Tick(now uint64) {
	if now <= c.now {
		return
	}
	c.now = now
	if c.state.Ensemble == (ID{}) {
		c.bootstrap()
	}
	c.sayHello()
	switch c.role {
	case leading:
		c.lead()
	case preparing:
		c.prepare() // again: what was lost
		fallthrough
	default:
		if c.now >= c.electAt {
			c.probe()
		}
	}
}

// Step takes a message.
func (c *Core) Step(m Message) {
	if m.Ensemble != c.state.Ensemble && m.Type != Hello && m.Type != Welcome {
		if m.Ensemble != (ID{}) && c.state.Ensemble != (ID{}) {
			c.refuse(m)
		}
		return
	}
	switch m.Type {
	case Hello:
		c.hello(m)
	case Welcome:
		c.welcome(m)
	case Probe:
		if c.mayPromise(m) {
			c.send(m.Addr, Message{Type: Grant, Ballot: m.Ballot})
		} else if m.Chosen < c.state.Chosen { // it may have been removed, and not know
			c.send(m.Addr, Message{Type: Chosen})
		}
	case Grant, Promise:
		c.granted(m)
	case Prepare:
		c.promise(m)
	case Write:
		c.write(m)
	case Wrote:
		c.wrote(m)
	case Nack:
		c.outbid(m.Ballot)
	case Fetch:
		c.out.Serve = append(c.out.Serve, m)
	case Chosen:
		c.learn(m)
	case Resign:
		if m.Ballot == c.run.ballot && m.From == c.leader {
			c.leaseUntil, c.electAt = c.now, c.now+c.turn()
		}
	}
}

// Ready takes what is to be done.
func (c *Core) Ready() Ready {
	if c.role == leading {
		c.replicate()
	}
	if len(c.out.Entries) > 0 && c.state.Chosen > c.keptAt+uint64(c.cfg.WindowLength) {
		c.dirty = true // so that a restart does not read far back
	}
	r := c.out
	c.out = Ready{}
	if c.dirty {
		s := c.state
		r.State, c.dirty, c.keptAt = &s, false, s.Chosen
	}
	r.Chosen, r.Begin = c.state.Chosen, c.state.Begin
	return r
}

// Contend says whether this replica would lead.
func (c *Core) Contend(would bool) {
	if c.contend = would; would {
		c.electAt = min(c.electAt, max(c.leaseUntil, c.now)+c.turn())
		if c.alone() && c.role == follower {
			c.probe() // nobody is to be waited for
		}
	}
}

// SetPeers replaces Config.Peers.
func (c *Core) SetPeers(peers []string) {
	if slices.Contains(peers, c.cfg.Addr) {
		c.cfg.Peers = slices.Clone(peers)
	}
}

// State is what the replica knows now; it may not be kept yet.
func (c *Core) State() State { return c.state }

// Leader is where the replica thinks the leader is, "" if it knows none.
func (c *Core) Leader() string {
	switch {
	case c.role == leading:
		return c.cfg.Addr
	case c.now < c.leaseUntil:
		return c.leaderAddr
	}
	return ""
}

// Elected is the ballot at which this replica leads and the position at which it
// began: all below is chosen and its own. The zero Ballot is nobody's.
func (c *Core) Elected() (Ballot, uint64) {
	if c.role != leading || c.state.Chosen < c.start {
		return 0, 0
	}
	return c.ballot, c.start
}

// Lost is the ballot at which this replica led last and leads no more, and up to
// where what it had proposed was chosen by then. Of the rest nobody knows.
func (c *Core) Lost() (Ballot, uint64) { return c.lost, c.lostAt }

// Lag is how far each member and learner that is heard is, by address.
func (c *Core) Lag() map[string]uint64 {
	lag := map[string]uint64{}
	for _, p := range c.peers {
		lag[p.Addr] = p.chosen
	}
	for _, l := range c.learners {
		lag[l.addr] = l.chosen
	}
	return lag
}

func (c *Core) send(to string, m Message) {
	c.out.Send = append(c.out.Send, c.Sign(to, m))
}

// sendAfter sends what says that something is kept.
func (c *Core) sendAfter(to string, m Message) {
	c.out.After = append(c.out.After, c.Sign(to, m))
}

// Post sends a message of the shell, an answer to Fetch that Sign completed.
func (c *Core) Post(m Message) { c.out.Send = append(c.out.Send, m) }

// Sign completes a message.
func (c *Core) Sign(to string, m Message) Message {
	m.From, m.Addr, m.To, m.Ensemble, m.Chosen = c.cfg.ID, c.cfg.Addr, to, c.state.Ensemble, c.state.Chosen
	return m
}

// turn is how long this replica lets others go first when a leader is gone: the
// members behind it have their turns, one after the other.
func (c *Core) turn() uint64 {
	at := func(id ID) int {
		return slices.IndexFunc(c.state.Members.Members, func(m Member) bool { return m.ID == id })
	}
	n := max(1, len(c.state.Members.Members))
	return 2 * uint64((at(c.cfg.ID)-at(c.leader)-1+2*n)%n)
}

// jitter keeps elections apart after one that failed.
func (c *Core) jitter() uint64 {
	return c.rng.Uint64N(2*uint64(max(1, len(c.state.Members.Members))) - 1)
}

func (c *Core) votes() bool {
	_, ok := c.state.Members.Find(c.cfg.ID)
	return ok && c.state.Chosen > c.state.Members.Since
}

func (c *Core) alone() bool {
	m := c.state.Members.Members
	return len(m) == 1 && m[0].ID == c.cfg.ID
}

// keep holds an accepted entry until it is chosen.
func (c *Core) keep(e Entry) {
	c.tailBytes += len(e.Data) - len(c.tail[e.Position].Data)
	c.tail[e.Position] = e
}

func (c *Core) drop(position uint64) {
	c.tailBytes -= len(c.tail[position].Data)
	delete(c.tail, position)
}

// Check panics unless what must hold does.
func (c *Core) Check() {
	bytes := 0
	for p, e := range c.tail {
		assert.That(p == e.Position && p >= c.state.Chosen, "entry of position %d is kept at %d, chosen %d", e.Position, p, c.state.Chosen)
		assert.That(e.Ballot <= c.state.Promised, "entry of ballot %x is above the promised %x", e.Ballot, c.state.Promised)
		bytes += len(e.Data)
	}
	assert.That(bytes == c.tailBytes, "tail has %d bytes, counted %d", bytes, c.tailBytes)
	assert.That(c.run.low <= c.run.high && c.run.ballot <= c.state.Promised, "run %+v with promised %x", c.run, c.state.Promised)
	assert.That(c.state.Begin <= c.state.Chosen, "begin %d is above chosen %d", c.state.Begin, c.state.Chosen)
	assert.That(c.role == follower || c.ballot <= c.state.Promised || c.role == probing, "proposes %x, promised %x", c.ballot, c.state.Promised)
	if c.role == leading {
		assert.That(c.ballot == c.state.Promised, "leads at %x, promised %x", c.ballot, c.state.Promised)
	}
}
