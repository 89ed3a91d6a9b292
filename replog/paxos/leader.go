package paxos

import "slices"

// follow gives up to propose; of its ballot for ever.
func (c *Core) follow() {
	if c.role == leading {
		c.lost, c.lostAt = c.ballot, c.state.Chosen
	}
	c.role, c.ballot, c.peers, c.found, c.changing, c.learners = follower, 0, nil, nil, false, nil
	c.electAt = max(c.leaseUntil, c.now+c.cfg.LeaseTicks/2) + c.jitter()
}

// outbid is told of a ballot that somebody promised.
func (c *Core) outbid(b Ballot) {
	c.newest = max(c.newest, b)
	if c.role != follower && b > c.ballot {
		c.follow()
	}
}

// become begins a role with the members there are.
func (c *Core) become(r role, b Ballot) {
	c.role, c.ballot, c.since = r, b, c.now
	c.peers = nil
	for _, m := range c.state.Members.Members {
		c.peers = append(c.peers, &peer{Member: c.reached(m), joined: c.now})
	}
}

// reached is a member where it is reached now: this replica may have moved.
func (c *Core) reached(m Member) Member {
	if m.ID == c.cfg.ID {
		m.Addr = c.cfg.Addr
	}
	return m
}

// probe asks whether an election would succeed, so that a replica that comes
// back to a living leader doesn't disturb it.
func (c *Core) probe() {
	c.follow()
	if !c.contend || !c.votes() || c.misplaced() || c.now < c.leaseUntil {
		return
	}
	me, _ := c.state.Members.Find(c.cfg.ID)
	c.become(probing, max(c.newest, c.state.Promised).after(me.Slot))
	for _, p := range c.peers {
		c.send(p.Addr, Message{Type: Probe, Ballot: c.ballot})
	}
}

// prepare asks those who didn't promise yet.
func (c *Core) prepare() {
	if c.now != c.since && (c.now-c.since)%resendTicks != 0 {
		return
	}
	for _, p := range c.peers {
		if !p.granted {
			c.sendAfter(p.Addr, Message{Type: Prepare, Ballot: c.ballot})
		}
	}
}

// granted takes a Grant or a Promise.
func (c *Core) granted(m Message) {
	i := slices.IndexFunc(c.peers, func(p *peer) bool { return p.ID == m.From })
	if i < 0 || m.Ballot != c.ballot || c.peers[i].granted {
		return
	}
	p := c.peers[i]
	switch {
	case m.Type == Grant && c.role == probing:
		p.granted = true
		if c.grants() == c.state.Members.Quorum() {
			c.become(preparing, c.ballot)
			c.raise(c.ballot)
			c.dirty, c.found = true, map[uint64]Entry{}
			c.prepare()
		}
	case m.Type == Promise && c.role == preparing:
		if slices.ContainsFunc(m.Entries, func(e Entry) bool { return e.Position >= m.Chosen+maxAhead }) {
			return // nobody of us accepted that
		}
		p.granted, p.chosen = true, m.Chosen
		for _, e := range m.Entries {
			if old, ok := c.found[e.Position]; !ok || old.Ballot < e.Ballot {
				c.found[e.Position] = e
			}
		}
		c.behind(m)
		c.promised()
	}
}

func (c *Core) grants() int {
	n := 0
	for _, p := range c.peers {
		if p.granted {
			n++
		}
	}
	return n
}

// promised begins to lead once a quorum promised, and all is known here that is
// chosen there: what may have been chosen beyond is proposed again, holes are
// filled. Behind a change of members others may have decided: it ends the tail,
// and the next election is by them.
func (c *Core) promised() {
	known := !slices.ContainsFunc(c.peers, func(p *peer) bool { return p.granted && p.chosen > c.state.Chosen })
	if c.grants() < c.state.Members.Quorum() || !known {
		return
	}
	found := c.found
	last, any := uint64(0), false
	for p := range found {
		if p >= c.state.Chosen {
			last, any = max(last, p), true
		}
	}
	c.become(leading, c.ballot)
	c.end = c.state.Chosen
	for _, p := range c.peers {
		p.next, p.low, p.high, p.moved = c.end, c.end, c.end, c.now
	}
	for any && c.end <= last && !c.changing {
		e, ok := found[c.end]
		if !ok {
			e.Kind = Nop
		}
		c.propose(e.Kind, e.Data)
	}
	c.start, c.found = c.end, nil
	c.lead()
}

// propose proposes at the next position. The leader accepts at once.
func (c *Core) propose(k Kind, data []byte) uint64 {
	e := Entry{c.end, c.ballot, k, data}
	c.keep(e)
	c.out.Entries = append(c.out.Entries, e)
	c.end++
	c.changing = k == Members
	return e.Position
}

// CanPropose says whether Propose would do it now.
func (c *Core) CanPropose() bool {
	b, _ := c.Elected()
	return b != 0 && !c.changing && c.tailBytes < c.cfg.WindowBytes && len(c.tail) < c.cfg.WindowLength
}

// Propose appends to the log and returns the position. Once Chosen is above it
// and Elected still tells the same ballot, it is chosen; if this replica leads
// no more at that ballot, nobody knows.
func (c *Core) Propose(k Kind, data []byte) (uint64, bool) {
	if !c.CanPropose() {
		return 0, false
	}
	return c.propose(k, data), true
}

// lead does what time demands of a leader.
func (c *Core) lead() {
	if c.now >= c.contactEnd() || c.misplaced() {
		c.follow()
		return
	}
	for _, p := range c.peers {
		if p.high < p.next && c.now-p.moved >= resendTicks {
			p.next, p.moved = max(p.high, c.state.Chosen), c.now
		}
		if p.ID == c.cfg.ID {
			p.stamp = c.now
		} else if c.now == c.since || c.now-p.sent >= heartbeatTicks {
			c.heartbeat(p.Addr)
			p.sent = c.now
		}
	}
	if c.now%heartbeatTicks == 0 {
		c.tendLearners()
	}
}

func (c *Core) heartbeat(addr string) {
	c.send(addr, Message{Type: Write, Ballot: c.ballot, Stamp: c.now})
}

// replicate sends what was proposed, in messages of BatchBytes.
func (c *Core) replicate() {
	for _, p := range c.peers {
		p.next = max(p.next, c.state.Chosen)
		if p.ID == c.cfg.ID {
			if p.next < c.end {
				c.sendAfter(p.Addr, Message{Type: Wrote, Ballot: c.ballot, Low: p.low, High: c.end, Stamp: c.now})
				p.next = c.end
			}
			continue
		}
		for p.next < c.end {
			m := Message{Type: Write, Ballot: c.ballot, Low: p.next, Stamp: c.now}
			for bytes := 0; p.next < c.end && (bytes == 0 || bytes < c.cfg.BatchBytes); p.next++ {
				e := c.tail[p.next]
				m.Entries = append(m.Entries, e)
				bytes += len(e.Data) + 1
			}
			c.send(p.Addr, m)
			p.sent = c.now
		}
	}
}

// wrote counts what is held where.
func (c *Core) wrote(m Message) {
	if c.role != leading || m.Ballot != c.ballot {
		return
	}
	i := slices.IndexFunc(c.peers, func(p *peer) bool { return p.ID == m.From })
	if i < 0 {
		c.heardLearner(m)
		return
	}
	p := c.peers[i]
	p.stamp, p.chosen = max(p.stamp, min(m.Stamp, c.now)), max(p.chosen, m.Chosen)
	switch {
	case m.Gap:
		if back := max(m.High, c.state.Chosen); back < p.next && c.now > p.moved {
			p.next, p.moved = back, c.now
		}
	case m.Low > p.low && m.High > p.high:
		p.low, p.high, p.moved = m.Low, m.High, c.now
	case m.Low == p.low && m.High > p.high:
		p.high, p.moved = m.High, c.now
	}
	c.choose()
}

// choose finds what a quorum holds.
func (c *Core) choose() {
	held := make([]uint64, 0, MaxMembers)
	for _, p := range c.peers {
		if p.low <= c.state.Chosen {
			held = append(held, p.high)
		}
	}
	quorum := c.state.Members.Quorum()
	if len(held) < quorum {
		return
	}
	slices.Sort(held)
	for end := min(held[len(held)-quorum], c.end); c.state.Chosen < end && c.role == leading; {
		c.apply(c.tail[c.state.Chosen])
	}
}

// LeaseEnd is the tick up to which certainly nobody else leads, 0 if that is
// not certain: a quorum answered what was sent that much before.
func (c *Core) LeaseEnd() uint64 {
	if b, _ := c.Elected(); b == 0 {
		return 0
	}
	if c.alone() {
		return c.now + c.cfg.LeaseTicks - skewTicks
	}
	stamps := make([]uint64, 0, MaxMembers)
	for _, p := range c.peers {
		stamps = append(stamps, p.stamp)
	}
	slices.Sort(stamps)
	if s := stamps[len(stamps)-c.state.Members.Quorum()]; s > 0 {
		return s + c.cfg.LeaseTicks - skewTicks
	}
	return 0
}

// contactEnd is when a leader that hears nothing more gives up.
func (c *Core) contactEnd() uint64 {
	if c.alone() {
		return c.now + 1
	}
	stamps := []uint64{}
	for _, p := range c.peers {
		stamps = append(stamps, max(p.stamp, p.joined))
	}
	slices.Sort(stamps)
	return stamps[len(stamps)-c.state.Members.Quorum()] + c.cfg.LeaseTicks - skewTicks
}

// Resign ends leading, so that others need not wait for the lease to end, and
// contending. What is under way may or may not be chosen.
func (c *Core) Resign() {
	c.contend = false
	if c.role == leading {
		for _, p := range c.peers {
			c.send(p.Addr, Message{Type: Resign, Ballot: c.ballot})
		}
	}
	c.follow()
}
