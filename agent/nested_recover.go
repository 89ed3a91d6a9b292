package agent

import (
	"mezzo/agent/launch"
	"mezzo/agent/nested"
	"mezzo/api/ids"
	"mezzo/isolator"
)

// recoverNested sorts what was kept: of what is still around, the names that may
// run; the rest is forgotten. Held are the containers that may.
func (l *loop) recoverNested(kept []nested.Container, held map[ids.ContainerID]bool) (known []isolator.ID) {
	rest := make(map[ids.ContainerID]nested.Container, len(kept))
	for _, c := range kept {
		rest[c.Name] = c
	}
	for found := true; found; {
		found = false
		for name, c := range rest {
			if c.Within != "" && !held[c.Within] {
				continue
			}
			found = true
			delete(rest, name)
			c.Limits, _ = launch.NestedLimits(c.Resources, c.Ceilings, c.Within != "") // checked before
			g := newGuest(func() {})
			close(g.launched)
			if c.State == nested.Ended {
				g.end = c.End
				close(g.ended)
				close(g.gone) // recovery destroys it as an orphan
			} else {
				held[name] = true
				known = append(known, isolator.ID(name))
			}
			l.nested.Add(c)
			l.guests[name] = g
		}
	}
	for name := range rest {
		l.journal.note(name, nil, func() {})
	}
	return known
}

// resumeNested goes on with what was found, and writes down the end of what was
// not.
func (l *loop) resumeNested(found map[string]bool) {
	for _, c := range l.nested.All() {
		if c.State == nested.Ended {
			continue
		}
		n, g := l.nested.Get(c.Name), l.guests[c.Name]
		if found[string(c.Name)] {
			n.State = nested.Running
			l.recoveredNested = append(l.recoveredNested, c.Name)
			continue
		}
		n.State, n.End = nested.Ended, nested.End{Message: "It was lost while the agent was away"}
		g.end = n.End
		l.journal.note(c.Name, n.Record(), func() {
			close(g.ended)
			close(g.gone)
		})
	}
}

// adoptNested waits for what an earlier agent launched.
func (l *loop) adoptNested() {
	groups := make(map[ids.ContainerID]bool)
	for _, name := range l.recoveredNested {
		n := l.nested.Get(name)
		if n == nil {
			continue // it went with what it was in
		}
		if l.awaitNested(name); n.InGroup {
			groups[n.Within] = true
		}
	}
	l.recoveredNested = nil
	for group := range groups {
		l.endIdle(group)
	}
}
