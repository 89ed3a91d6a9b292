package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

func agentsCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:   "agents",
		Short: "List agents and what is given out of them",
		Args:  arguments(0, 0),
	}, func(ctx context.Context, op *operator, o *options, _ []string) error {
		resp, err := op.get(ctx, master.Call_GET_AGENTS)
		if err != nil {
			return err
		}
		if o.json() {
			return op.print(resp.GetGetAgents())
		}
		agents := resp.GetGetAgents().GetAgents()
		slices.SortFunc(agents, func(a, b *master.Response_GetAgents_Agent) int {
			return cmp.Or(cmp.Compare(a.GetAgentInfo().GetHostname(), b.GetAgentInfo().GetHostname()), cmp.Compare(agentID(a), agentID(b)))
		})
		w := newTable(d.Stdout, "HOST", "ADDRESS", "STATE", "CPUS", "MEM", "DISK", "AGE", "AGENT")
		for _, a := range agents {
			given := slices.Concat(a.GetAllocatedResources(), a.GetOfferedResources())
			of := func(name string, print func(float64) string) string {
				return print(scalar(given, name)) + "/" + print(scalar(a.GetTotalResources(), name))
			}
			w.row(a.GetAgentInfo().GetHostname(), agentAddress(a), agentState(a), of("cpus", cpus), of("mem", mib),
				of("disk", mib), age(d.Now(), nanos(a.GetRegisteredTime())), agentID(a))
		}
		return w.flush()
	})
}

func agentID(a *master.Response_GetAgents_Agent) string { return a.GetAgentInfo().GetId().GetValue() }

// agentAddress is where the agent's own API listens.
func agentAddress(a *master.Response_GetAgents_Agent) string {
	_, addr, _ := strings.Cut(a.GetPid(), "@")
	return addr
}

func agentState(a *master.Response_GetAgents_Agent) string {
	switch {
	case a.GetDrainInfo().GetState() != v1.DrainState_UNKNOWN:
		return a.GetDrainInfo().GetState().String()
	case a.GetDeactivated():
		return "DEACTIVATED"
	case a.GetActive():
		return "ACTIVE"
	}
	return "DISCONNECTED"
}
