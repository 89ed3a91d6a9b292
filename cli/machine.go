package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/allocator"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/spell"
)

// machine is one that is scheduled for maintenance.
type machine struct {
	id      *v1.MachineID
	away    *v1.Unavailability
	down    bool
	answers []*allocator.InverseOfferStatus
}

// machines is what a master knows of maintenance.
type machines struct {
	windows   []*maintenance.Window
	scheduled []machine // in the order of the windows
	agents    []*master.Response_GetAgents_Agent
}

func loadMachines(ctx context.Context, op *operator) (*machines, error) {
	schedule, err := op.get(ctx, master.Call_GET_MAINTENANCE_SCHEDULE)
	if err != nil {
		return nil, err
	}
	status, err := op.get(ctx, master.Call_GET_MAINTENANCE_STATUS)
	if err != nil {
		return nil, err
	}
	agents, err := loadAgents(ctx, op)
	if err != nil {
		return nil, err
	}
	m := &machines{windows: schedule.GetGetMaintenanceSchedule().GetSchedule().GetWindows(), agents: agents}
	known := status.GetGetMaintenanceStatus().GetStatus()
	for _, w := range m.windows {
		for _, id := range w.GetMachineIds() {
			x := machine{id: id, away: w.GetUnavailability()}
			x.down = slices.ContainsFunc(known.GetDownMachines(), func(down *v1.MachineID) bool { return machineName(down) == machineName(id) })
			for _, draining := range known.GetDrainingMachines() {
				if machineName(draining.GetId()) == machineName(id) {
					x.answers = draining.GetStatuses()
				}
			}
			m.scheduled = append(m.scheduled, x)
		}
	}
	return m, nil
}

// machineName is "host/ip", or what there is of it: as it is printed it can be
// typed.
func machineName(id *v1.MachineID) string {
	if id.GetHostname() == "" || id.GetIp() == "" {
		return id.GetHostname() + id.GetIp()
	}
	return id.GetHostname() + "/" + id.GetIp()
}

// machineOf is where an agent runs, as far as the master tells.
func machineOf(a *master.Response_GetAgents_Agent) *v1.MachineID {
	id := &v1.MachineID{Hostname: a.GetAgentInfo().Hostname}
	if host, _, err := net.SplitHostPort(agentAddress(a)); err == nil {
		if _, err := netip.ParseAddr(host); err == nil {
			id.Ip = &host
		}
	}
	return id
}

// sameMachine tells whether two may name one machine: what both say is the same,
// and there is something.
func sameMachine(a, b *v1.MachineID) bool {
	hosts := a.GetHostname() != "" && b.GetHostname() != ""
	ips := a.GetIp() != "" && b.GetIp() != ""
	return (hosts || ips) && (!hosts || strings.EqualFold(a.GetHostname(), b.GetHostname())) && (!ips || sameIP(a.GetIp(), b.GetIp()))
}

func sameIP(a, b string) bool {
	x, err1 := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return a == b || err1 == nil && err2 == nil && x.Unmap() == y.Unmap()
}

// named tells whether ref is the whole name of a machine, its host or its address.
func named(ref string, id *v1.MachineID) bool {
	return ref != "" && (strings.EqualFold(ref, machineName(id)) || strings.EqualFold(ref, id.GetHostname()) || sameIP(ref, id.GetIp()))
}

// find returns the machine that ref means: one of the schedule, or else that of
// an agent.
func (m *machines) find(ref string) (*v1.MachineID, error) {
	var found []*v1.MachineID
	add := func(id *v1.MachineID) {
		for _, x := range m.scheduled {
			if sameMachine(x.id, id) {
				id = x.id // as it was scheduled
				break
			}
		}
		if !slices.ContainsFunc(found, func(other *v1.MachineID) bool { return machineName(other) == machineName(id) }) {
			found = append(found, id)
		}
	}
	for _, x := range m.scheduled {
		if named(ref, x.id) {
			add(x.id)
		}
	}
	if len(found) == 0 {
		agents := meant(ref, m.agents, agentNames)
		for _, a := range m.agents {
			if named(ref, machineOf(a)) {
				agents = append(agents, a)
			}
		}
		for _, a := range agents {
			add(machineOf(a))
		}
	}
	id, err := one("machine", ref, found, func(id *v1.MachineID) (string, string) { return machineName(id), "" })
	if err == nil && id == nil {
		return nil, m.unknown(ref, "`mezzo agents` and `mezzo maintenance status` list what there is")
	}
	return id, err
}

// errNoMachine is the class of errors for names that mean no machine.
var errNoMachine = errors.New("no agent runs there and it is not scheduled")

// unknown is the error for a ref that means none; next is what to do.
func (m *machines) unknown(ref, next string) error {
	var known []string
	for _, x := range m.scheduled {
		known = append(known, x.id.GetHostname(), x.id.GetIp())
	}
	for _, a := range m.agents {
		id, host := agentNames(a)
		known = append(known, id, host)
	}
	if guess := spell.Closest(ref, known); guess != "" {
		return fmt.Errorf("machine %q: %w; did you mean %s? %s", ref, errNoMachine, guess, next)
	}
	return fmt.Errorf("machine %q: %w; %s", ref, errNoMachine, next)
}

// planned returns the machines of the schedule that refs mean, each once.
func (m *machines) planned(refs []string) ([]*machine, error) {
	var out []*machine
	for _, ref := range refs {
		id, err := m.find(ref)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(m.scheduled, func(x machine) bool { return x.id == id })
		if i < 0 {
			return nil, fmt.Errorf("machine %s: is not scheduled; `mezzo maintenance schedule %s` does it", machineName(id), ref)
		}
		if x := &m.scheduled[i]; !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out, nil
}

// parseMachine reads the name of a machine that nothing is known of: a host, an
// address, or both as HOST/IP.
func parseMachine(text string) (*v1.MachineID, error) {
	host, ip, both := strings.Cut(text, "/")
	if _, err := netip.ParseAddr(host); err == nil && !both {
		return &v1.MachineID{Ip: &host}, nil
	}
	if both {
		if _, err := netip.ParseAddr(ip); err != nil {
			return nil, fmt.Errorf("machine %q: %q is not an address; want HOST, IP or HOST/IP", text, ip)
		}
	}
	id := &v1.MachineID{}
	if host != "" {
		id.Hostname = &host
	}
	if both {
		id.Ip = &ip
	}
	if machineName(id) == "" {
		return nil, fmt.Errorf("machine %q: want HOST, IP or HOST/IP", text)
	}
	return id, nil
}

// machineHosts completes machines: those on which agents run, and the scheduled
// ones.
func machineHosts(ctx context.Context, op *operator) ([]cobra.Completion, error) {
	m, err := loadMachines(ctx, op)
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	seen := map[string]bool{}
	for _, a := range m.agents {
		id := machineOf(a)
		scheduled := slices.ContainsFunc(m.scheduled, func(x machine) bool { return sameMachine(x.id, id) })
		if !scheduled && !seen[machineName(id)] {
			seen[machineName(id)] = true
			out = append(out, cobra.CompletionWithDesc(machineName(id), "agent "+agentID(a)))
		}
	}
	for _, x := range m.scheduled {
		out = append(out, cobra.CompletionWithDesc(machineName(x.id), machineState(x)))
	}
	return out, nil
}

// plannedMachines completes those of the schedule that are down, or are not.
func plannedMachines(down bool) choices {
	return func(ctx context.Context, op *operator) ([]cobra.Completion, error) {
		m, err := loadMachines(ctx, op)
		if err != nil {
			return nil, err
		}
		var out []cobra.Completion
		for _, x := range m.scheduled {
			if x.down == down {
				out = append(out, cobra.CompletionWithDesc(machineName(x.id), machineState(x)))
			}
		}
		return out, nil
	}
}

func machineState(x machine) string {
	if x.down {
		return "DOWN"
	}
	return "DRAINING"
}
