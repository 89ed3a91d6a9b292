package paxos

import (
	"errors"
	"fmt"
	"slices"
)

// bootstrap begins an ensemble: alone, or as the first of peers that all are
// empty, so that two can't begin side by side.
func (c *Core) bootstrap() {
	peers := slices.Compact(slices.Sorted(slices.Values(c.cfg.Peers)))
	if !c.cfg.Bootstrap || len(peers) != c.cfg.Voters || peers[0] != c.cfg.Addr {
		return
	}
	m := Membership{}
	for _, addr := range peers {
		e, ok := c.empties[addr]
		switch {
		case addr == c.cfg.Addr:
			m = m.with(c.cfg.ID, addr)
		case !ok || e.heard+staleTicks < c.now:
			return
		default:
			m = m.with(e.id, addr)
		}
	}
	c.begin(c.cfg.Ensemble, m)
	for _, addr := range peers[1:] {
		c.sendAfter(addr, Message{Type: Welcome, Members: m})
	}
}

// begin makes the replica part of an ensemble. Position 0 is its first membership.
func (c *Core) begin(ensemble ID, m Membership) {
	c.state = State{Ensemble: ensemble, Begin: 1, Chosen: 1, Members: m}
	c.dirty = true
	c.leaseUntil = c.now // it granted none
	c.electAt = c.now + c.turn()
}

// refuse tells the shell of who can't work together with this replica.
func (c *Core) refuse(m Message) {
	c.out.Refused = append(c.out.Refused, m)
	if m.Ensemble != c.state.Ensemble && slices.Contains(c.cfg.Peers, m.Addr) {
		c.foreign[m.Addr] = c.now
	}
}

// misplaced tells whether half of the replicas that there are to be belong to
// another ensemble: then this one has the wrong disk, and leads nobody.
func (c *Core) misplaced() bool {
	n := 0
	for _, heard := range c.foreign {
		if heard+4*staleTicks >= c.now {
			n++
		}
	}
	return 2*n >= c.cfg.Voters && n > 0
}

// sayHello asks to be let in, or found at a new address, or looks for who is
// missing.
func (c *Core) sayHello() {
	m, _ := c.state.Members.Find(c.cfg.ID)
	if m.Addr == c.cfg.Addr && len(c.state.Members.Members) >= c.cfg.Voters || c.now%helloTicks != 0 {
		return
	}
	to := slices.Clone(c.cfg.Peers)
	for _, m := range c.state.Members.Members {
		to = append(to, m.Addr)
	}
	slices.Sort(to)
	for _, addr := range slices.Compact(to) {
		if addr != c.cfg.Addr {
			c.send(addr, Message{Type: Hello, Voters: c.cfg.Voters})
		}
	}
}

func (c *Core) hello(m Message) {
	switch {
	case m.Ensemble == c.state.Ensemble && m.Ensemble == (ID{}):
		if m.Voters != c.cfg.Voters {
			c.refuse(m)
			return
		}
		if slices.Contains(c.cfg.Peers, m.Addr) {
			c.empties[m.Addr] = empty{m.From, c.now}
		}
	case c.state.Ensemble == (ID{}):
	case m.Ensemble == (ID{}):
		c.send(m.Addr, Message{Type: Welcome, Members: c.state.Members})
	case m.Ensemble != c.state.Ensemble:
		c.refuse(m)
		c.send(m.Addr, Message{Type: Welcome, Members: c.state.Members}) // so that it knows
	default:
		c.heardLearner(m)
	}
}

// welcome takes an empty replica into the ensemble: as a member if it is one of
// the first, else to learn.
func (c *Core) welcome(m Message) {
	if c.state.Ensemble != (ID{}) {
		if m.Ensemble != c.state.Ensemble {
			c.refuse(m)
		}
		return
	}
	if m.Ensemble == (ID{}) || m.Members.check() != nil || len(m.Members.Members) == 0 {
		return
	}
	c.begin(m.Ensemble, m.Members)
	c.behind(m)
}

func (c *Core) heardLearner(m Message) {
	if n, _ := c.state.Members.Find(m.From); c.role != leading || n.Addr == m.Addr {
		return
	}
	i := slices.IndexFunc(c.learners, func(l learner) bool { return l.id == m.From })
	if i < 0 {
		if len(c.learners) >= MaxMembers {
			return
		}
		i = len(c.learners)
		c.learners = append(c.learners, learner{id: m.From})
	}
	l := &c.learners[i]
	l.addr, l.heard, l.chosen = m.Addr, c.now, m.Chosen
}

// tendLearners lets learners know how far the log is, and makes those members
// that are among this leader's peers, while votes are missing. Where another
// replica answers than was there, and that one is silent, its disk is gone: its
// vote ends first, lest the quorums of before and after have nobody in common.
func (c *Core) tendLearners() {
	c.learners = slices.DeleteFunc(c.learners, func(l learner) bool { return l.heard+staleTicks < c.now })
	if me, _ := c.state.Members.Find(c.cfg.ID); me.Addr != c.cfg.Addr {
		_ = c.change(c.state.Members.moved(c.cfg.ID, c.cfg.Addr))
	}
	for _, l := range c.learners {
		c.heartbeat(l.addr)
		at, taken := c.state.Members.At(l.addr)
		_, member := c.state.Members.Find(l.id)
		switch { // what can't be done now is tried again
		case taken && at.ID != l.id && c.lives(at.ID): // an old disk's word came late
		case taken && at.ID != l.id:
			_ = c.change(c.state.Members.without(at.ID))
		case member && !taken:
			_ = c.change(c.state.Members.moved(l.id, l.addr))
		case !member && len(c.state.Members.Members) < c.cfg.Voters && slices.Contains(c.cfg.Peers, l.addr):
			_ = c.Add(l.addr)
		}
	}
}

// Errors of a change of members.
var (
	ErrNotLeading = errors.New("this replica does not lead")
	ErrChanging   = errors.New("another change is under way")
	ErrUnknown    = errors.New("no such replica")
	ErrLimit      = errors.New("not possible with so many members")
)

// Add lets the replica at an address vote, which must be heard and have learned
// nearly all that is chosen.
func (c *Core) Add(addr string) error {
	i := slices.IndexFunc(c.learners, func(l learner) bool { return l.addr == addr })
	switch {
	case i < 0:
		return fmt.Errorf("add %q, which was not heard: %w", addr, ErrUnknown)
	case c.learners[i].chosen+uint64(c.cfg.WindowLength) < c.state.Chosen:
		return fmt.Errorf("add %q, which knows of %d positions of %d: %w", addr, c.learners[i].chosen, c.state.Chosen, ErrChanging)
	case len(c.state.Members.Members) == MaxMembers || c.state.Members.Slots == 1<<slotBits-1:
		return fmt.Errorf("add %q to %d members, slot %d: %w", addr, len(c.state.Members.Members), c.state.Members.Slots, ErrLimit)
	}
	return c.change(c.state.Members.with(c.learners[i].id, addr))
}

// Remove takes the vote of the member at an address.
func (c *Core) Remove(addr string) error {
	m, ok := c.state.Members.At(addr)
	switch {
	case !ok:
		return fmt.Errorf("remove %q, which is no member: %w", addr, ErrUnknown)
	case len(c.state.Members.Members) == 1:
		return fmt.Errorf("remove %q, the only member: %w", addr, ErrLimit)
	case c.lives(m.ID) && slices.Contains(c.cfg.Peers, addr):
		return fmt.Errorf("remove %q, which runs and is one of the leader's peers, so it would be added again: %w", addr, ErrLimit)
	}
	return c.change(c.state.Members.without(m.ID))
}

// lives tells whether a member was heard not long ago.
func (c *Core) lives(id ID) bool {
	return slices.ContainsFunc(c.peers, func(p *peer) bool { return p.ID == id && p.stamp+staleTicks >= c.now })
}

// change proposes a membership that differs in one member, so that quorums of
// both have a member in common.
func (c *Core) change(m Membership) error {
	if b, _ := c.Elected(); b == 0 {
		return ErrNotLeading
	}
	if _, ok := c.Propose(Members, m.Encode()); !ok {
		return ErrChanging
	}
	return nil
}

// reshape lets a leader go on with a membership that came to hold, or end: if
// it is no member any more, or if it is not this leader's own.
func (c *Core) reshape() {
	c.changing = false
	if _, ok := c.state.Members.Find(c.cfg.ID); !ok || c.state.Chosen <= c.start {
		for _, p := range c.peers {
			c.send(p.Addr, Message{Type: Resign, Ballot: c.ballot})
		}
		c.follow()
		if ok {
			c.electAt = c.now + 1
		}
		return
	}
	var peers []*peer
	for _, m := range c.state.Members.Members {
		m = c.reached(m)
		i := slices.IndexFunc(c.peers, func(p *peer) bool { return p.ID == m.ID })
		if i >= 0 {
			c.peers[i].Member = m
			peers = append(peers, c.peers[i])
		} else {
			peers = append(peers, &peer{Member: m, next: c.end, moved: c.now, joined: c.now})
		}
	}
	c.peers = peers
	c.learners = slices.DeleteFunc(c.learners, func(l learner) bool { _, ok := c.state.Members.Find(l.id); return ok })
}
