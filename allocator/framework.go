package allocator

import (
	"fmt"
	"maps"
	"slices"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Framework is what the allocator is told of one.
type Framework struct {
	ID         ids.FrameworkID
	Roles      []string // subscribed in
	Suppressed []string // of Roles: wants no offers now

	Caps           Caps
	MinAllocatable map[string]resources.Alternatives // of a role, in place of Config's
	Constraints    map[string]Constraint             // of a role: which agents it takes
}

// framework is a Framework and its clients.
type framework struct {
	Framework
	connected bool
	clients   map[string]*client // by role
	requests  []Request          // not offered yet
}

func (f *Framework) validate() error {
	if f.ID == "" {
		return fmt.Errorf("id is empty: %w", errs.Invalid)
	}
	for _, r := range f.Roles {
		if err := resources.ValidateRole(r); err != nil {
			return err
		}
	}
	for _, r := range f.Suppressed {
		if !slices.Contains(f.Roles, r) {
			return fmt.Errorf("role %q is suppressed but not subscribed in: %w", r, errs.Invalid)
		}
	}
	return nil
}

// AddFramework adds f, active. What it uses on agents already is known from
// them.
//
// Ownership: f's slices and map are the allocator's from now on.
func (a *Allocator) AddFramework(f Framework) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("add framework %s: %w", f.ID, err)
	}
	if a.frameworks[f.ID] != nil {
		return fmt.Errorf("add framework %s: %w", f.ID, errs.Exists)
	}
	fw := &framework{connected: true, clients: map[string]*client{}}
	a.frameworks[f.ID] = fw
	a.set(fw, f)
	if a.users[f.ID] > 0 {
		for _, g := range a.order {
			a.chargeAll(fw, g.used[f.ID])
		}
	}
	return nil
}

// UpdateFramework replaces all that is known of f. Refusals stay in force.
func (a *Allocator) UpdateFramework(f Framework) error {
	fw, err := a.framework(f.ID)
	if err != nil {
		return fmt.Errorf("update %w", err)
	}
	if err := f.validate(); err != nil {
		return fmt.Errorf("update framework %s: %w", f.ID, err)
	}
	a.set(fw, f)
	return nil
}

// RemoveFramework forgets a framework and its refusals. What it still uses
// stays taken from the agents until it is released.
func (a *Allocator) RemoveFramework(id ids.FrameworkID) error {
	fw, err := a.framework(id)
	if err != nil {
		return fmt.Errorf("remove %w", err)
	}
	for _, c := range fw.sortedClients() {
		a.removeClient(c)
	}
	a.askFor(fw, nil)
	delete(a.frameworks, id)
	return nil
}

// SetConnected makes a framework eligible, or get no offers; then what it
// refused is forgotten. What it uses it keeps.
func (a *Allocator) SetConnected(id ids.FrameworkID, on bool) error {
	fw, err := a.framework(id)
	if err != nil {
		return fmt.Errorf("connect or disconnect %w", err)
	}
	fw.connected = on
	for _, c := range fw.sortedClients() {
		if !on {
			a.forget(c)
		}
		a.refresh(c)
	}
	return nil
}

// Suppress stops offers to a framework in roles, none named: in all its roles;
// or, if off, starts them and forgets what it refused in them.
func (a *Allocator) Suppress(id ids.FrameworkID, roles []string, on bool) error {
	fw, err := a.framework(id)
	if err != nil {
		return fmt.Errorf("suppress or revive %w", err)
	}
	for _, r := range roles {
		if !slices.Contains(fw.Roles, r) {
			return fmt.Errorf("suppress or revive framework %s: role %q: %w", id, r, errs.NotFound)
		}
	}
	for _, c := range fw.sortedClients() {
		if !c.subscribed || len(roles) > 0 && !slices.Contains(roles, c.role.path) {
			continue
		}
		if c.suppressed = on; !on {
			a.forget(c)
		}
		a.refresh(c)
	}
	return nil
}

// set makes fw what f says, and clients for the roles that are new.
func (a *Allocator) set(fw *framework, f Framework) {
	fw.Framework = f
	for _, r := range f.Roles {
		a.client(fw, r)
	}
	for _, c := range fw.sortedClients() {
		c.subscribed = slices.Contains(f.Roles, c.role.path)
		c.suppressed = slices.Contains(f.Suppressed, c.role.path)
		c.minima = f.MinAllocatable[c.role.path]
		a.constrain(c, f.Constraints[c.role.path])
		if !c.subscribed {
			a.forget(c)
		}
		a.refresh(c)
		a.prune(c)
	}
	a.epoch++
}

func (f *framework) sortedClients() []*client {
	out := make([]*client, 0, len(f.clients))
	for _, role := range slices.Sorted(maps.Keys(f.clients)) {
		out = append(out, f.clients[role])
	}
	return out
}
