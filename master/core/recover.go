package core

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	pb "mezzo/api/registry"
	"mezzo/internal/errs"
	"mezzo/master/registry"
)

// absent is an agent that was admitted by a master before, and is not back yet.
type absent struct {
	info  *v1.AgentInfo
	since time.Time // it was admitted
}

// place is where an agent listens, as it says of itself.
func place(a *v1.AgentInfo) string { return fmt.Sprint(a.GetHostname(), ":", a.GetPort()) }

// recover takes over what masters before kept. What agents know comes with them.
func (c *Core) recover(s *registry.State) error {
	maps.Copy(c.kept, s.Sums) // what is kept already need not be written again
	c.fresh = len(s.Agents)+len(s.Frameworks) == 0
	away := map[ids.AgentID]*pb.Agent{}
	for id, a := range s.Agents {
		if a.GetState() == pb.Agent_ADMITTED {
			c.recovered[id] = &absent{a.GetInfo(), nanos(a.GetSince())}
			c.recoveredAt[place(a.GetInfo())] = id
		} else {
			away[id] = a
		}
		c.recoverOrders(id, a)
	}
	for id, a := range bySince(away, (*pb.Agent).GetSince) {
		switch a.GetState() {
		case pb.Agent_UNREACHABLE:
			c.unreachable.put(id, nanos(a.GetSince()))
		case pb.Agent_GONE:
			c.orders.gone.put(id, nanos(a.GetSince()))
		}
	}
	for id, f := range bySince(s.Frameworks, (*pb.Framework).GetSince) {
		if err := c.recoverKept(id, f); err != nil {
			return fmt.Errorf("recover framework %s: %w", id, err)
		}
	}
	if err := c.recoverRoles(s.Roles); err != nil {
		return fmt.Errorf("recover roles: %w", err)
	}
	if err := c.recoverMaintenance(s.Maintenance); err != nil {
		return fmt.Errorf("recover maintenance: %w", err)
	}
	if c.absentAtStart = len(c.recovered); c.absentAtStart > 0 {
		c.after(c.cfg.AgentReregisterTimeout, c.giveUpAbsent)
		c.trace(Info, "agents recovered", "count", fmt.Sprint(c.absentAtStart))
	}
	return nil
}

// bySince iterates over records from the oldest to the newest.
func bySince[K cmp.Ordered, V any](all map[K]V, since func(V) int64) func(func(K, V) bool) {
	return func(yield func(K, V) bool) {
		order := slices.SortedFunc(maps.Keys(all), func(a, b K) int {
			return cmp.Or(cmp.Compare(since(all[a]), since(all[b])), cmp.Compare(a, b))
		})
		for _, k := range order {
			if !yield(k, all[k]) {
				return
			}
		}
	}
}

func (c *Core) recoverOrders(id ids.AgentID, a *pb.Agent) {
	if a.GetDeactivated() {
		c.orders.deactivated[id] = true
	}
	if a.GetDrain() != nil {
		c.orders.draining[id] = &drain{a.GetDrain(), nanos(a.GetDrainSince())}
	}
}

// recoverKept makes a framework of its record. The time that it has to come back
// runs on; one that was connected has all of it, from now on, and each has as
// long as a silent agent.
func (c *Core) recoverKept(id ids.FrameworkID, r *pb.Framework) error {
	if err := checkInfo(r.GetInfo()); err != nil {
		return err
	}
	f := c.newFramework(r.GetInfo())
	f.Registered, f.Reregistered = nanos(r.GetRegistered()), nanos(r.GetSince())
	if r.GetState() == pb.Framework_REMOVED {
		f.Unregistered = nanos(r.GetSince())
		c.complete(f)
		return nil
	}
	f.Recovered, f.disconnected = true, c.now
	if r.GetState() == pb.Framework_DISCONNECTED {
		f.disconnected = nanos(r.GetSince())
	}
	if err := c.alloc.AddFramework(toAllocator(f)); err != nil {
		return err
	}
	c.frameworks[id] = f
	must(c.alloc.SetConnected(id, false))
	c.touchFramework(id)
	c.awaitFramework(f, c.cfg.silence())
	return nil
}

func (c *Core) recoverRoles(all map[string]*pb.Role) error {
	quotas, weights := map[string]allocator.Quota{}, map[string]Weight{}
	for role, r := range all {
		if r.GetQuota() {
			quotas[role] = allocator.Quota{Guarantee: recall(r.GetGuarantee()), Limit: recall(r.GetLimit())}
		}
		if r.GetWeight() != 0 {
			weights[role] = Weight(r.GetWeight())
		}
	}
	if len(quotas) > 0 {
		if err := c.alloc.SetQuotas(maps.Clone(quotas), true); err != nil {
			return err
		}
		c.policy.setQuotas(quotas)
	}
	for _, role := range sortedKeys(weights) {
		if err := c.alloc.SetWeight(role, uint32(weights[role])); err != nil {
			return err
		}
	}
	c.policy.setWeights(weights)
	return nil
}

func (c *Core) recoverMaintenance(m *pb.Maintenance) error {
	if len(m.GetSchedule().GetWindows()) == 0 {
		return nil
	}
	machines, err := c.checkSchedule(m.GetSchedule())
	if err != nil {
		return err
	}
	for _, id := range m.GetDown() {
		key, err := parseMachine(id)
		if err != nil || machines[key] == nil {
			return fmt.Errorf("machine %v is down but not scheduled: %w", id, errs.Corrupt)
		}
		machines[key].down = true
	}
	c.plan(m.GetSchedule(), machines)
	return nil
}

// giveUpAbsent makes agents unreachable that did not come back in time. If they
// are too many, that is a fault of the network or of this master, rather.
//
// Source: mesos master.cpp, recoveredSlavesTimeout.
func (c *Core) giveUpAbsent() {
	if len(c.recovered) == 0 {
		return
	}
	if gone, limit := len(c.recovered), c.cfg.RecoveryRemovalLimit; float64(gone) > limit*float64(c.absentAtStart) {
		c.emit(Fatal{fmt.Errorf("%d of %d agents did not come back within %v, more than --recovery_agent_removal_limit=%g%%: see whether they reach this master: %w",
			gone, c.absentAtStart, c.cfg.AgentReregisterTimeout, 100*limit, errs.Exhausted)})
		return
	}
	for _, id := range sortedKeys(c.recovered) {
		c.after(c.permit(), func() { c.loseAbsent(id, "did not come back after the master failed over") })
	}
}

// loseAbsent makes an agent unreachable that was not seen since a master before.
func (c *Core) loseAbsent(id ids.AgentID, why string) {
	a, ok := c.recovered[id]
	if !ok {
		return // it came
	}
	delete(c.recovered, id)
	c.counts[AgentsUnreachable]++
	c.counts[RecoveryAgentRemovals]++
	c.lost(id)
	for _, f := range sortedKeys(c.frameworks) {
		c.send(c.frameworks[f], failureEvent(id))
	}
	c.trace(Warn, "agent removed", "agent_id", string(id), "hostname", a.info.GetHostname(), "reason", why)
}

// lost remembers an agent as unreachable since now.
func (c *Core) lost(id ids.AgentID) {
	if old, full := c.unreachable.put(id, c.now); full {
		c.forgetAgent(old)
	}
	c.touchAgent(id)
}

// forgetAgent drops what was said of an agent that nobody asks for any more.
func (c *Core) forgetAgent(id ids.AgentID) {
	c.orders.forget(id)
	c.touchAgent(id)
}

// complete remembers a framework that is no more.
func (c *Core) complete(f *framework) {
	if old, full := c.completed.put(f.ID, f); full {
		c.touchFramework(old)
	}
	c.touchFramework(f.ID)
}

// permit is how long the next removal of an agent has to wait.
func (c *Core) permit() time.Duration {
	at := c.now
	if c.cfg.RemovalGap > 0 {
		if at.Before(c.nextRemoval) {
			at = c.nextRemoval
		}
		c.nextRemoval = at.Add(c.cfg.RemovalGap)
	}
	return at.Sub(c.now)
}

// collect forgets agents that are unreachable or gone for very long.
func (c *Core) collect() {
	c.after(c.cfg.CollectInterval, c.collect)
	before := c.now.Add(-c.cfg.MaxAgentAge)
	for _, h := range []*history[ids.AgentID, time.Time]{&c.unreachable, &c.orders.gone} {
		for _, id := range h.olderThan(func(t time.Time) bool { return t.Before(before) }) {
			h.remove(id)
			c.forgetAgent(id)
		}
	}
}

// startsSlowly tells whether offers wait for agents: with quota, what few of them
// have would go to whom comes first.
//
// Source: mesos allocator, recover: until 80 % of the agents are back, at most
// for 10 minutes.
func (c *Core) startsSlowly() bool {
	const patience, enough = 10 * time.Minute, 0.8
	return len(c.policy.quotas) > 0 && c.now.Before(c.started.Add(patience)) &&
		float64(c.absentAtStart-len(c.recovered)) < enough*float64(c.absentAtStart)
}
