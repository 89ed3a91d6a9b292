package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/kfile"
)

// memberBytes is what the kernel's own records of a member take in its group:
// without room for them, members that are both at their limits would be killed
// for the group's.
const memberBytes = 4 << 20

// group is a cgroup that holds several domains.
type group struct {
	domain
	own     isolator.Limits
	members map[isolator.ID]*domain
}

// limits are the sum of what the members may and what the group itself may.
func (g *group) limits() isolator.Limits {
	s := g.own
	counted := false
	s.Revocable = true
	for _, m := range g.members {
		if m.guest {
			continue
		}
		counted = true
		s.CPURequestMilli = min(plus(s.CPURequestMilli, m.limits.CPURequestMilli), maxCPUMilli)
		s.CPULimitMilli = min(plus(s.CPULimitMilli, m.limits.CPULimitMilli), maxCPUMilli)
		s.MemRequestBytes = plus(s.MemRequestBytes, m.limits.MemRequestBytes)
		s.MemLimitBytes = plus(plus(s.MemLimitBytes, m.limits.MemLimitBytes), memberBytes)
		s.SwapLimitBytes = plus(s.SwapLimitBytes, m.limits.SwapLimitBytes)
		s.PidsLimit = plus(s.PidsLimit, m.limits.PidsLimit)
		s.Revocable = s.Revocable && m.limits.Revocable
	}
	s.Revocable = s.Revocable && counted
	return s
}

// plus adds amounts of which either may be without limit.
func plus(a, b int64) int64 {
	switch {
	case a == isolator.Unlimited || b == isolator.Unlimited:
		return isolator.Unlimited
	case a > math.MaxInt64-b:
		return math.MaxInt64
	}
	return a + b
}

// join takes a container in, makes its group if it is the first one in it, and
// returns where its domain is to be.
func (i *Isolator) join(c isolator.Container) (dir string, err error) {
	i.protecting.Lock()
	defer i.protecting.Unlock()
	d, err := i.adopt(c)
	if err != nil || d.group == nil {
		return d.at(), err
	}
	if err := i.makeOne(d.group.dir, nil); err != nil {
		return "", err
	}
	for _, controller := range required {
		if err := i.tree.enable(d.group.dir, controller); err != nil {
			return "", err
		}
	}
	return d.dir, i.regroup(d.group, false)
}

// at is where d is, if it is anywhere.
func (d *domain) at() string {
	if d == nil {
		return ""
	}
	return d.dir
}

// adopt keeps a container; its open reader, if it has one, stays.
func (i *Isolator) adopt(c isolator.Container) (*domain, error) {
	dir, err := i.path(c)
	if err != nil {
		return nil, err
	}
	limits, err := complete(c.Limits)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	d := i.domains[c.ID]
	if d == nil {
		d = &domain{dir: dir, nested: c.Within != ""}
		i.domains[c.ID] = d
	}
	if d.dir != dir {
		return nil, fmt.Errorf("cgroup of container %q is %s, not %s: %w", c.ID, d.dir, dir, errs.Exists)
	}
	d.limits = limits
	if c.Group == nil {
		return d, nil
	}
	g := i.groups[c.Group.ID]
	if g == nil {
		g = &group{domain: domain{dir: filepath.Dir(dir)}, own: c.Group.Own, members: make(map[isolator.ID]*domain)}
		i.groups[c.Group.ID] = g
	}
	g.members[c.ID], d.group, d.guest = d, g, c.Group.Guest
	return d, nil
}

// leave forgets a container whose cgroups are removed, and removes its group if
// it was the last one in it.
func (i *Isolator) leave(ctx context.Context, id isolator.ID) error {
	i.protecting.Lock()
	defer i.protecting.Unlock()
	i.mu.Lock()
	d := i.domains[id]
	delete(i.domains, id)
	delete(i.strays, id)
	var last bool
	if d != nil && d.group != nil {
		delete(d.group.members, id)
		last = len(d.group.members) == 0
	}
	i.mu.Unlock()
	switch {
	case d == nil:
		return nil
	case last:
		if err := i.tree.remove(ctx, d.group.dir); err != nil {
			return err
		}
		i.mu.Lock()
		delete(i.groups, isolator.ID(filepath.Base(d.group.dir)))
		i.mu.Unlock()
		d.group.close()
	case d.group != nil:
		if err := i.regroup(d.group, true); err != nil {
			return err
		}
	}
	d.close()
	return nil
}

// regroup gives a group, if it is one, the limits that its members make. A lower
// limit of memory waits until that much is free; the members' own hold meanwhile.
// Without shrink it is left alone. The caller holds protecting.
func (i *Isolator) regroup(g *group, shrink bool) error {
	if g == nil {
		return nil
	}
	i.mu.Lock()
	limits := g.limits()
	i.mu.Unlock()
	settings, err := Settings(limits, i.host)
	if err != nil {
		return err
	}
	memory := &settings[len(settings)-1]
	if memory.Value, err = i.groupMemory(g.dir, memory.Value, shrink); err != nil {
		return err
	}
	for n := range settings {
		if settings[n].File == "memory.oom.group" {
			settings[n].Value = "0" // each member dies on its own
		}
	}
	return apply(g.dir, settings, i.host.PageBytes)
}

// groupMemory is what memory.max of a group can be now.
func (i *Isolator) groupMemory(dir, want string, shrink bool) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, memoryMaxFile))
	if err != nil {
		return "", missing(dir, err)
	}
	now, limited, err := kfile.Limit(data)
	if err != nil {
		return "", fmt.Errorf("%s/%s: %w", dir, memoryMaxFile, err)
	}
	target, targeted, err := kfile.Limit([]byte(want))
	if err != nil || !targeted || limited && now <= target {
		return want, err
	}
	// It would be lowered. A group that was just made has no limit yet.
	current, err := readUint(dir, "memory.current")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", missing(dir, err)
	}
	if current <= target && (shrink || !limited) {
		return want, nil
	}
	if !limited {
		return "max", nil
	}
	return fmt.Sprint(now), nil
}

// path is the domain of a container.
func (i *Isolator) path(c isolator.Container) (string, error) {
	if err := checkID(c.ID); err != nil {
		return "", err
	}
	if c.Within != "" {
		return i.pathWithin(c)
	}
	if c.Group == nil {
		return filepath.Join(i.root, string(c.ID)), nil
	}
	if err := checkID(c.Group.ID); err != nil {
		return "", fmt.Errorf("group: %w", err)
	}
	return filepath.Join(i.root, string(c.Group.ID), string(c.ID)), nil
}

// pathWithin is the domain of a nested container.
func (i *Isolator) pathWithin(c isolator.Container) (string, error) {
	if c.ID == leafName || c.Group != nil {
		return "", fmt.Errorf("container %q within %q: nested ones have other names than %q and are in no group: %w", c.ID, c.Within, leafName, errs.Invalid)
	}
	around, err := i.member(c.Within)
	if err != nil {
		return "", fmt.Errorf("nest container %q: %w", c.ID, err)
	}
	return filepath.Join(around.dir, string(c.ID)), nil
}

// locate is where a container's domain is, or would be if it stood alone.
func (i *Isolator) locate(id isolator.ID) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if d := i.domains[id]; d != nil {
		return d.dir, nil
	}
	if dir := i.strays[id]; dir != "" {
		return dir, nil
	}
	return filepath.Join(i.root, string(id)), nil
}

// recoverInner returns the domains in known groups and in known domains that
// belong to none of the known containers, and sets the groups' limits, of which a
// crash may have kept the last.
func (i *Isolator) recoverInner() (orphans []isolator.ID, err error) {
	i.mu.Lock()
	groups := slices.Collect(maps.Values(i.groups))
	known := make(map[string]bool, len(i.domains))
	var dirs []string
	for _, d := range i.domains {
		known[d.dir] = true
		dirs = append(dirs, d.dir)
	}
	i.mu.Unlock()
	for _, g := range groups {
		dirs = append(dirs, g.dir)
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if ignoreMissing(err) != nil {
			return nil, err
		}
		for _, e := range entries {
			id, at := isolator.ID(e.Name()), filepath.Join(dir, e.Name())
			if e.IsDir() && e.Name() != leafName && !known[at] {
				i.mu.Lock()
				i.strays[id] = at
				i.mu.Unlock()
				orphans = append(orphans, id)
			}
		}
	}
	for _, g := range groups {
		if err := i.regroup(g, true); err != nil && !errors.Is(err, errs.NotFound) {
			return nil, err
		}
	}
	return orphans, nil
}
