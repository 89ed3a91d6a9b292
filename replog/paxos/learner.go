package paxos

import "encoding/binary"

// apply takes note that an entry is chosen at the first position that was not.
func (c *Core) apply(e Entry) {
	c.drop(e.Position)
	c.state.Chosen = e.Position + 1
	switch e.Kind {
	case Truncate:
		if to, ok := ParseTruncate(e.Data); ok && to > c.state.Begin && to <= e.Position {
			c.state.Begin, c.dirty = to, true
		}
	case Members:
		if m, err := ParseMembership(e.Data); err == nil {
			m.Since = e.Position
			c.adopt(m)
		}
	}
}

// TruncateTo is what a Truncate entry holds.
func TruncateTo(position uint64) []byte { return binary.BigEndian.AppendUint64(nil, position) }

// ParseTruncate is the inverse of TruncateTo.
func ParseTruncate(b []byte) (uint64, bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// adopt makes a membership hold, if it is newer.
func (c *Core) adopt(m Membership) {
	if m.Since <= c.state.Members.Since && len(c.state.Members.Members) > 0 {
		return
	}
	c.state.Members, c.dirty = m, true
	if c.role == leading {
		c.reshape()
	} else if c.role != follower {
		c.follow()
	}
}

// behind asks a replica for what it knows to be chosen.
func (c *Core) behind(m Message) {
	if m.Chosen <= c.state.Chosen || c.now < c.fetchUntil {
		return
	}
	c.fetchUntil = c.now + resendTicks
	c.sendAfter(m.Addr, Message{Type: Fetch, Low: c.state.Chosen})
}

// learn takes entries that are chosen. Their ballots may be lower than those
// accepted here, so what is promised must be kept beside them.
func (c *Core) learn(m Message) {
	if m.Begin > c.state.Chosen { // what lies between is truncated everywhere
		for p := range c.tail {
			if p < m.Begin {
				c.drop(p)
			}
		}
		c.state.Begin, c.state.Chosen, c.dirty = m.Begin, m.Begin, true
		if m.Members.check() == nil && len(m.Members.Members) > 0 {
			c.adopt(m.Members)
		}
	}
	for i, e := range m.Entries {
		if e.Position != m.Low+uint64(i) {
			return // nobody of us sent that
		}
		if e.Position == c.state.Chosen {
			c.out.Entries = append(c.out.Entries, e)
			c.dirty = true
			c.apply(e)
		}
	}
	c.fetchUntil = c.now
	c.behind(m)
	switch {
	case c.role == preparing:
		c.electAt = max(c.electAt, c.now+resendTicks)
		c.promised()
	case c.role == leading && c.state.Chosen > c.end:
		c.follow() // others went on
	}
}
