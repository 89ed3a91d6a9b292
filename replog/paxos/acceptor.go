package paxos

import "slices"

// mayPromise says whether somebody may be promised anything: not while somebody
// else leads, or may do.
func (c *Core) mayPromise(m Message) bool {
	if c.role == leading && m.From != c.cfg.ID {
		return c.now >= c.contactEnd()
	}
	return c.now >= c.leaseUntil || m.From == c.leader
}

// promise accepts nothing older than a ballot any more, and tells what it
// accepted so far.
func (c *Core) promise(m Message) {
	if m.Ballot < c.state.Promised {
		c.send(m.Addr, Message{Type: Nack, Ballot: c.state.Promised})
		return
	}
	if !c.mayPromise(m) {
		return
	}
	if m.Ballot > c.state.Promised {
		c.raise(m.Ballot)
		c.dirty = true
	}
	c.sendAfter(m.Addr, Message{Type: Promise, Ballot: m.Ballot, Entries: c.accepted()})
}

// accepted is what is accepted and not known to be chosen, in order.
func (c *Core) accepted() []Entry {
	all := make([]Entry, 0, len(c.tail))
	for _, e := range c.tail {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return int(int64(a.Position - b.Position)) })
	return all
}

// raise raises what is promised. To be kept, unless an entry of that ballot is.
func (c *Core) raise(b Ballot) {
	c.state.Promised = b
	c.newest = max(c.newest, b)
	if c.role != follower && c.ballot < b {
		c.follow()
	}
}

// write accepts entries, or a heartbeat.
func (c *Core) write(m Message) {
	if m.Ballot < c.state.Promised {
		c.send(m.Addr, Message{Type: Nack, Ballot: c.state.Promised})
		return
	}
	if m.Ballot > c.state.Promised {
		c.raise(m.Ballot)
	}
	if c.run.ballot != m.Ballot {
		c.run.ballot, c.run.low, c.run.high = m.Ballot, 0, 0
	}
	if c.role == probing {
		c.follow()
	}
	c.leader, c.leaderAddr = m.From, m.Addr
	c.leaseUntil = c.now + c.cfg.LeaseTicks
	c.electAt = c.leaseUntil + c.turn()
	reply := Message{Type: Wrote, Ballot: m.Ballot, Stamp: m.Stamp}
	if len(m.Entries) == 0 {
		c.send(m.Addr, reply)
	} else if c.accept(m) {
		reply.Low, reply.High = c.run.low, c.run.high
		c.sendAfter(m.Addr, reply)
	} else {
		reply.Gap, reply.High = true, c.run.high
		c.send(m.Addr, reply)
	}
	if c.run.low <= c.state.Chosen {
		for end := min(m.Chosen, c.run.high); c.state.Chosen < end; {
			c.apply(c.tail[c.state.Chosen])
		}
	}
	c.behind(m)
}

// accept takes a Write's entries into the run, unless that leaves a hole of
// which the leader does not say that it is chosen, or memory is short until older
// holes are filled.
func (c *Core) accept(m Message) bool {
	switch {
	case m.Low <= c.run.high && c.run.high > 0:
		if m.Low < c.run.low {
			return true // late
		}
	case m.Low > m.Chosen:
		return false
	default:
		c.run.low, c.run.high = m.Low, m.Low
	}
	for i, e := range m.Entries {
		switch {
		case e.Position != m.Low+uint64(i) || e.Ballot != m.Ballot:
			return false // nobody of us wrote that
		case e.Position < c.run.high:
			continue
		case c.tailBytes > 2*c.cfg.WindowBytes, e.Position >= c.state.Chosen+maxAhead:
			return false
		}
		if e.Position >= c.state.Chosen {
			c.keep(e)
			c.out.Entries = append(c.out.Entries, e)
		}
		c.run.high = e.Position + 1
	}
	return true
}
