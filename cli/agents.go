package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

func agentsCommand(d Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "List agents and what is given out of them, or change what is offered",
		Long:  "List agents, what they are up to, and what is given out of them: allocated or offered.",
		Example: `  mezzo agents
  mezzo agents deactivate host1`,
		Args: none,
	}
	cmd.AddCommand(
		holdCommand(d, "deactivate", "Offer nothing more of agents, and take their offers back; tasks go on", func(id *v1.AgentID) *master.Call {
			return &master.Call{Type: master.Call_DEACTIVATE_AGENT.Enum(), DeactivateAgent: &master.Call_DeactivateAgent{AgentId: id}}
		}),
		holdCommand(d, "reactivate", "Offer agents again", func(id *v1.AgentID) *master.Call {
			return &master.Call{Type: master.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &master.Call_ReactivateAgent{AgentId: id}}
		}),
	)
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, _ []string) error {
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

// holdCommand makes a command that changes what agents are offered, one after
// the other, and prints the states that they are in then.
func holdCommand(d Deps, verb, short string, call func(*v1.AgentID) *master.Call) *cobra.Command {
	return command(d, &cobra.Command{
		Use:               verb + " AGENT...",
		Short:             short,
		Long:              short + ".\n\nAGENT is an id, the beginning of an id, or a host name.",
		Example:           "  mezzo agents " + verb + " host1",
		Args:              arguments(anAgent, 1, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, agentIDs),
	}, func(ctx context.Context, op *operator, o *options, args []string) error {
		agents, err := loadAgents(ctx, op)
		if err != nil {
			return err
		}
		var meant []*v1.AgentID
		for _, ref := range args {
			a, err := pick("agent", ref, "`mezzo agents`", agents, agentNames)
			if err != nil {
				return err
			}
			meant = append(meant, a.GetAgentInfo().GetId())
		}
		for _, id := range meant {
			if _, err := op.call(ctx, call(id)); err != nil {
				return fmt.Errorf("%s agent %s: %w", verb, id.GetValue(), err)
			}
		}
		if agents, err = loadAgents(ctx, op); err != nil {
			return err
		}
		for _, id := range meant {
			a, err := pick("agent", id.GetValue(), "`mezzo agents`", agents, agentNames)
			switch {
			case err != nil:
			case o.json():
				err = op.print(a)
			default:
				_, err = fmt.Fprintf(d.Stdout, "%s\t%s\n", id.GetValue(), agentState(a))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func loadAgents(ctx context.Context, op *operator) ([]*master.Response_GetAgents_Agent, error) {
	resp, err := op.get(ctx, master.Call_GET_AGENTS)
	return resp.GetGetAgents().GetAgents(), err
}

func agentNames(a *master.Response_GetAgents_Agent) (id, name string) {
	return agentID(a), a.GetAgentInfo().GetHostname()
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
