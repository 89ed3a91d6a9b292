package core

import (
	"slices"
	"time"

	"mezzo/api/ids"
	pb "mezzo/api/registry"
	"mezzo/master/registry"
	"mezzo/resources"
)

// touched is of whom something changed in this Step that outlives the master.
type touched struct {
	agents      map[ids.AgentID]bool
	frameworks  map[ids.FrameworkID]bool
	roles       map[string]bool
	maintenance bool
}

func newTouched() touched {
	return touched{agents: map[ids.AgentID]bool{}, frameworks: map[ids.FrameworkID]bool{}, roles: map[string]bool{}}
}

func (c *Core) touchAgent(id ids.AgentID)         { c.touched.agents[id] = true }
func (c *Core) touchFramework(id ids.FrameworkID) { c.touched.frameworks[id] = true }

// store emits what changed since it was kept last, before all other effects of
// this Step: nobody is to hear of it earlier.
func (c *Core) store() {
	var changes []registry.Change
	for _, id := range sortedKeys(c.touched.agents) {
		changes = append(changes, registry.Agent(id, c.agentRecord(id)))
	}
	for _, id := range sortedKeys(c.touched.frameworks) {
		changes = append(changes, registry.Framework(id, c.frameworkRecord(id)))
	}
	for _, role := range sortedKeys(c.touched.roles) {
		changes = append(changes, registry.Role(role, c.roleRecord(role)))
	}
	if c.touched.maintenance {
		changes = append(changes, registry.Maintenance(c.maintenanceRecord()))
	}
	clear(c.touched.agents)
	clear(c.touched.frameworks)
	clear(c.touched.roles)
	c.touched.maintenance = false
	changes = slices.DeleteFunc(changes, func(change registry.Change) bool { return !c.keeps(change) })
	if len(changes) > 0 {
		c.effects = append([]Effect{Store{changes}}, c.effects...)
	}
}

// keeps remembers a change as kept, and tells whether it is one.
func (c *Core) keeps(change registry.Change) bool {
	if change.Value == nil {
		_, was := c.kept[change.Name]
		delete(c.kept, change.Name)
		return was
	}
	now := registry.Sum(change.Value)
	sum, was := c.kept[change.Name]
	c.kept[change.Name] = now
	return !was || sum != now
}

// Durable is all that is to outlive the master, as Store effects have told it.
func (c *Core) Durable() []registry.Change {
	all := []registry.Change{}
	known := map[ids.AgentID]bool{}
	for id := range c.agents {
		known[id] = true
	}
	for id := range c.recovered {
		known[id] = true
	}
	for id := range c.unreachable.all() {
		known[id] = true
	}
	for id := range c.orders.gone.all() {
		known[id] = true
	}
	for _, id := range sortedKeys(known) {
		all = append(all, registry.Agent(id, c.agentRecord(id)))
	}
	for _, id := range sortedKeys(c.frameworks) {
		all = append(all, registry.Framework(id, c.frameworkRecord(id)))
	}
	for id := range c.completed.all() {
		all = append(all, registry.Framework(id, c.frameworkRecord(id)))
	}
	roles := map[string]bool{}
	for role := range c.policy.quotas {
		roles[role] = true
	}
	for role := range c.policy.weights {
		roles[role] = true
	}
	for _, role := range sortedKeys(roles) {
		all = append(all, registry.Role(role, c.roleRecord(role)))
	}
	if len(c.orders.schedule.GetWindows()) > 0 {
		all = append(all, registry.Maintenance(c.maintenanceRecord()))
	}
	return all
}

func (c *Core) agentRecord(id ids.AgentID) *pb.Agent {
	r := &pb.Agent{Deactivated: c.orders.deactivated[id]}
	if d := c.orders.draining[id]; d != nil {
		r.Drain, r.DrainSince = d.info, d.since.UnixNano()
	}
	if since, gone := c.orders.gone.get(id); gone {
		r.State, r.Since = pb.Agent_GONE, since.UnixNano()
		return r
	}
	if since, lost := c.unreachable.get(id); lost {
		r.State, r.Since = pb.Agent_UNREACHABLE, since.UnixNano()
		return r
	}
	r.State = pb.Agent_ADMITTED
	if a := c.agents[id]; a != nil {
		r.Since, r.Info = a.Registered.UnixNano(), a.Info
		return r
	}
	if before := c.recovered[id]; before != nil {
		r.Since, r.Info = before.since.UnixNano(), before.info
		return r
	}
	return nil
}

func (c *Core) frameworkRecord(id ids.FrameworkID) *pb.Framework {
	f, state := c.frameworks[id], pb.Framework_CONNECTED
	if f == nil {
		if f, _ = c.completed.get(id); f == nil {
			return nil
		}
		return &pb.Framework{Info: f.Info, State: pb.Framework_REMOVED, Since: f.Unregistered.UnixNano(), Registered: f.Registered.UnixNano()}
	}
	since := f.Reregistered
	if !f.Connected {
		state, since = pb.Framework_DISCONNECTED, f.disconnected
	}
	return &pb.Framework{Info: f.Info, State: state, Since: since.UnixNano(), Registered: f.Registered.UnixNano()}
}

func (c *Core) roleRecord(role string) *pb.Role {
	q, limited := c.policy.quotas[role]
	w, weighted := c.policy.weights[role]
	if !limited && !weighted {
		return nil
	}
	return &pb.Role{Weight: uint32(w), Quota: limited, Guarantee: record(q.Guarantee), Limit: record(q.Limit)}
}

func record(all resources.Quantities) (out []*pb.Quantity) {
	for _, q := range all {
		out = append(out, &pb.Quantity{Name: q.Name, Milli: int64(q.Amount)})
	}
	return out
}

func recall(all []*pb.Quantity) (out resources.Quantities) {
	for _, q := range all {
		out = append(out, resources.Quantity{Name: q.GetName(), Amount: resources.Scalar(q.GetMilli())})
	}
	return out
}

func (c *Core) maintenanceRecord() *pb.Maintenance {
	r := &pb.Maintenance{Schedule: c.orders.schedule}
	for _, key := range c.machineKeys() {
		if m := c.orders.machines[key]; m.down {
			r.Down = append(r.Down, m.id)
		}
	}
	return r
}

// nanos is the inverse of time.Time's UnixNano.
func nanos(n int64) time.Time { return time.Unix(0, n) }
