package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

const noAgent = "no agent is registered: start one with `mezzo agent --master=… --work_dir=…`"

// shortage tells in a sentence why no offer fits want: there are no agents,
// none is large enough, or what is large enough is taken.
func shortage(want map[string]float64, role string, revocable bool, agents []*master.Response_GetAgents_Agent) string {
	if len(agents) == 0 {
		return noAgent
	}
	agents = slices.DeleteFunc(slices.Clone(agents), func(a *master.Response_GetAgents_Agent) bool {
		return !a.GetActive() || a.GetDeactivated()
	})
	if len(agents) == 0 {
		return "no agent is offered: `mezzo agents` shows their states"
	}
	total := func(a *master.Response_GetAgents_Agent) map[string]float64 {
		return amounts(want, usable(a.GetTotalResources(), role, revocable))
	}
	free := func(a *master.Response_GetAgents_Agent) map[string]float64 {
		left := total(a)
		for name, used := range amounts(want, usable(a.GetAllocatedResources(), role, revocable)) {
			left[name] -= used
		}
		return left
	}
	if lacking, most, host := scarcest(want, agents, total); lacking != "" {
		return fmt.Sprintf("no agent fits %s: the largest is %s with %s", quantity(lacking, want), host, most)
	}
	if lacking, most, host := scarcest(want, agents, free); lacking != "" {
		return fmt.Sprintf("no offer yet fits %s: the most that is free is %s on %s", quantity(lacking, want), most, host)
	}
	return fmt.Sprintf("no offer yet fits %s: enough is free on some agents, but not all of it on one, or it is offered elsewhere; `mezzo explain` tells more", quantities(want))
}

// scarcest names the first resource of which no agent has enough, and where
// there is most of it.
func scarcest(want map[string]float64, agents []*master.Response_GetAgents_Agent, has func(*master.Response_GetAgents_Agent) map[string]float64) (name, most, host string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		best := slices.MaxFunc(agents, func(a, b *master.Response_GetAgents_Agent) int {
			switch d := has(a)[name] - has(b)[name]; {
			case d < 0:
				return -1
			case d > 0:
				return 1
			}
			return 0
		})
		if have := has(best); have[name] < want[name] {
			return name, quantity(name, have), best.GetAgentInfo().GetHostname()
		}
	}
	return "", "", ""
}

// usable drops what is reserved for other roles, and CPUs that are revocable, or
// those that are not.
func usable(rs []*v1.Resource, role string, revocable bool) []*v1.Resource {
	return slices.DeleteFunc(slices.Clone(rs), func(r *v1.Resource) bool {
		reserved := r.GetRole()
		if n := len(r.GetReservations()); n > 0 {
			reserved = r.GetReservations()[n-1].GetRole()
		}
		return (r.Revocable != nil) != (revocable && r.GetName() == "cpus") || r.Disk != nil || reserved != "*" && reserved != "" && reserved != role
	})
}

// amounts of the resources named in want.
func amounts(want map[string]float64, rs []*v1.Resource) map[string]float64 {
	m := make(map[string]float64, len(want))
	for name := range want {
		m[name] = scalar(rs, name)
	}
	return m
}

// quantity prints one of q: "cpus:0.5", "mem:64MiB".
func quantity(name string, q map[string]float64) string {
	if name == "cpus" {
		return "cpus:" + cpus(q[name])
	}
	return name + ":" + mib(q[name])
}

func quantities(q map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		parts = append(parts, quantity(name, q))
	}
	return strings.Join(parts, " ")
}
