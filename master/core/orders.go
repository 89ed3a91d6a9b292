package core

import (
	"time"

	"mezzo/api/ids"
	"mezzo/api/mesos/v1/maintenance"
)

// orders is what operators said of machines and agents. As policy, it is all
// here because it is to outlive the master: nothing else of the core may
// remember it.
type orders struct {
	schedule    *maintenance.Schedule   // replaced whole, never changed
	machines    map[machineKey]*machine // those of schedule, and no others
	deactivated map[ids.AgentID]bool
	draining    map[ids.AgentID]*drain // each is deactivated too
	gone        history[ids.AgentID, time.Time]
}

func newOrders(maxGone int) orders {
	return orders{
		schedule:    &maintenance.Schedule{},
		machines:    map[machineKey]*machine{},
		deactivated: map[ids.AgentID]bool{},
		draining:    map[ids.AgentID]*drain{},
		gone:        newHistory[ids.AgentID, time.Time](maxGone),
	}
}

// machineOf finds an agent's machine in the schedule: one that is down before
// others, the full name before parts of it.
func (o *orders) machineOf(a *Agent) *machine {
	var found *machine
	for _, k := range a.names() {
		if m := o.machines[k]; m != nil && (found == nil || m.down && !found.down) {
			found = m
		}
	}
	return found
}

// forget drops what was said of an agent that is no more.
func (o *orders) forget(id ids.AgentID) {
	delete(o.deactivated, id)
	delete(o.draining, id)
}
