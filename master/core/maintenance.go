package core

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/internal/errs"
)

// setSchedule is UPDATE_MAINTENANCE_SCHEDULE: it replaces all that was planned.
// What is down stays so; what is new is draining from now on.
func (c *Core) setSchedule(s *maintenance.Schedule) error {
	machines, err := c.checkSchedule(s)
	if err != nil {
		return fmt.Errorf("update maintenance schedule: %w", err)
	}
	c.plan(s, machines)
	c.trace(Info, "maintenance scheduled", "windows", fmt.Sprint(len(s.GetWindows())), "machines", fmt.Sprint(len(machines)))
	return nil
}

// checkSchedule finds what is wrong with a schedule, or else the machines in it.
func (c *Core) checkSchedule(s *maintenance.Schedule) (map[machineKey]*machine, error) {
	if err := checkSize(s); err != nil {
		return nil, err
	}
	machines, halves := map[machineKey]*machine{}, map[machineKey]bool{}
	for i, w := range s.GetWindows() {
		away := w.GetUnavailability()
		switch {
		case len(w.GetMachineIds()) == 0:
			return nil, invalid("window %d has no machines", i)
		case away.GetStart() == nil:
			return nil, invalid("window %d has no start", i)
		case away.GetDuration().GetNanoseconds() < 0:
			return nil, invalid("window %d has the negative duration %v", i, duration(away.GetDuration()))
		}
		for _, id := range w.GetMachineIds() {
			key, err := parseMachine(id)
			if err != nil {
				return nil, fmt.Errorf("window %d: %w", i, err)
			}
			twice := machines[key] != nil || halves[key]
			for _, half := range key.halves() {
				twice = twice || machines[half] != nil
				halves[half] = true
			}
			if twice {
				return nil, invalid("window %d: machine %.300v is in the schedule twice", i, key)
			}
			before := c.orders.machines[key]
			machines[key] = &machine{id: id, away: away, down: before != nil && before.down}
		}
	}
	for _, key := range c.machineKeys() {
		if c.orders.machines[key].down && machines[key] == nil {
			return nil, invalid("machine %v is down and cannot be left out before its maintenance is stopped", key)
		}
	}
	return machines, c.checkAgentsOnce(machines)
}

// checkAgentsOnce refuses two names for the machine of one agent.
func (c *Core) checkAgentsOnce(machines map[machineKey]*machine) error {
	for _, id := range sortedKeys(c.agents) {
		var first machineKey
		for _, key := range c.agents[id].names() {
			switch {
			case machines[key] == nil:
			case first == (machineKey{}):
				first = key
			default:
				return invalid("machines %v and %v are the same: agent %s runs there", first, key, id)
			}
		}
	}
	return nil
}

// plan makes a schedule that was found sound what holds from now on.
func (c *Core) plan(s *maintenance.Schedule, machines map[machineKey]*machine) {
	c.orders.schedule, c.orders.machines = s, machines
	c.touched.maintenance = true
	for _, id := range sortedKeys(c.agents) {
		c.schedule(c.agents[id])
	}
}

// schedule tells a and those who have to do with it when it will be away. What
// was offered was offered without knowing.
func (c *Core) schedule(a *agent) {
	var away *v1.Unavailability
	if m := c.orders.machineOf(&a.Agent); m != nil {
		away = m.away
	}
	if proto.Equal(away, a.Unavailability) {
		return
	}
	a.Unavailability = away
	c.rescindAll(a)
	clear(a.answers)
	delete(c.scheduled, a.ID)
	if away != nil {
		c.scheduled[a.ID] = a
		c.wantAllocation(a.ID)
	}
}

// startMaintenance is START_MAINTENANCE: agents on the machines are removed, and
// refused until STOP_MAINTENANCE. All machines or none.
//
// Mesos differs: there the tasks are LOST to everybody, here GONE_BY_OPERATOR to
// who knows it.
func (c *Core) startMaintenance(list []*v1.MachineID) error {
	keys, err := c.scheduledMachines(list, false)
	if err != nil {
		return fmt.Errorf("start maintenance: %w", err)
	}
	for _, key := range keys {
		m := *c.orders.machines[key]
		m.down = true
		c.orders.machines[key] = &m
		c.touched.maintenance = true
		c.trace(Info, "maintenance started", "machine", key.String())
	}
	for _, id := range sortedKeys(c.agents) {
		if a := c.agents[id]; slices.ContainsFunc(a.names(), func(k machineKey) bool { return slices.Contains(keys, k) }) {
			c.dismiss(a, "was shut down: maintenance of its machine started")
		}
	}
	return nil
}

// stopMaintenance is STOP_MAINTENANCE: the machines are up again, and out of the
// schedule. All machines or none.
func (c *Core) stopMaintenance(list []*v1.MachineID) error {
	keys, err := c.scheduledMachines(list, true)
	if err != nil {
		return fmt.Errorf("stop maintenance: %w", err)
	}
	left := &maintenance.Schedule{}
	machines := map[machineKey]*machine{}
	for _, w := range c.orders.schedule.GetWindows() {
		kept := &maintenance.Window{Unavailability: w.GetUnavailability()}
		for _, id := range w.GetMachineIds() {
			if key, err := parseMachine(id); err == nil && !slices.Contains(keys, key) {
				kept.MachineIds = append(kept.MachineIds, id)
				machines[key] = c.orders.machines[key]
			}
		}
		if len(kept.MachineIds) > 0 {
			left.Windows = append(left.Windows, kept)
		}
	}
	c.plan(left, machines)
	for _, key := range keys {
		c.trace(Info, "maintenance stopped", "machine", key.String())
	}
	return nil
}

// scheduledMachines are machines of the schedule, each named once and all down
// or all not.
func (c *Core) scheduledMachines(list []*v1.MachineID, down bool) ([]machineKey, error) {
	if len(list) == 0 {
		return nil, invalid("no machine is named")
	}
	var keys []machineKey
	named := map[machineKey]bool{}
	for _, id := range list {
		key, err := parseMachine(id)
		if err != nil {
			return nil, err
		}
		m := c.orders.machines[key]
		switch {
		case named[key]:
			return nil, invalid("machine %.300v is named twice", key)
		case m == nil:
			return nil, invalid("machine %.300v is not in the schedule", key)
		case m.down && !down:
			return nil, invalid("machine %v is down already", key)
		case !m.down && down:
			return nil, invalid("machine %v is draining, not down", key)
		}
		named[key] = true
		keys = append(keys, key)
	}
	return keys, nil
}

// dismiss shuts an agent down and forgets it.
func (c *Core) dismiss(a *agent, why string) {
	if a.Connected {
		c.sendAgent(a, &link.FromMaster{Message: &link.FromMaster_Shutdown{Shutdown: &link.Shutdown{Message: "agent " + why}}})
		c.emit(CloseAgent{a.conn, fmt.Errorf("agent %s: %w", why, errs.Conflict)})
	}
	c.counts[AgentRemovalsByOperator]++
	c.removeAgent(a, why, v1.TaskState_TASK_GONE_BY_OPERATOR)
}

// turnAway refuses an agent that an operator does not want to see, and tells
// whether it did. With it go its tasks.
func (c *Core) turnAway(conn ConnID, h *hello) bool {
	id := ids.AgentID(h.Agent.GetId().GetValue())
	a := Agent{Info: h.Agent, IP: h.ip}
	if _, gone := c.orders.gone.get(id); gone && id != "" {
		c.shutdownAgent(conn, fmt.Sprintf("agent %s was marked gone", id))
		return true
	}
	m := c.orders.machineOf(&a)
	if m == nil || !m.down {
		return false
	}
	key, _ := parseMachine(m.id)
	c.shutdownAgent(conn, fmt.Sprintf("machine %v is down for maintenance", key))
	if c.recovered[id] != nil {
		delete(c.recovered, id)
		c.forgetAgent(id)
	}
	if _, lost := c.unreachable.get(id); lost {
		c.unreachable.remove(id)
		c.touchAgent(id)
		c.settle(id, v1.TaskState_TASK_GONE_BY_OPERATOR, "the agent came back to a machine that is down for maintenance")
	}
	return true
}

// machineKeys lists the machines of the schedule in the order of their windows.
func (c *Core) machineKeys() []machineKey {
	keys := make([]machineKey, 0, len(c.orders.machines))
	for _, w := range c.orders.schedule.GetWindows() {
		for _, id := range w.GetMachineIds() {
			key, _ := parseMachine(id) // checkSchedule saw to it
			keys = append(keys, key)
		}
	}
	return keys
}

// MachineView is a machine that is scheduled for maintenance.
type MachineView struct {
	ID      *v1.MachineID
	Down    bool      // in maintenance, else draining
	Answers []*Answer // of the frameworks on its agents
}

// machineViews lists the machines in the order of the schedule.
func (c *Core) machineViews() []MachineView {
	answers := map[*machine][]*Answer{}
	for _, id := range sortedKeys(c.scheduled) {
		a := c.scheduled[id]
		m := c.orders.machineOf(&a.Agent)
		for _, f := range sortedKeys(a.answers) {
			answers[m] = append(answers[m], a.answers[f])
		}
	}
	var out []MachineView
	for _, key := range c.machineKeys() {
		m := c.orders.machines[key]
		out = append(out, MachineView{m.id, m.down, answers[m]})
	}
	return out
}
