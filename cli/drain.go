package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

func drainCommand(d Deps) *cobra.Command {
	var grace time.Duration
	var gone, detach bool
	cmd := &cobra.Command{
		Use:   "drain AGENT...",
		Short: "Kill all tasks of agents, offer nothing more of them, and wait until they are empty",
		Long: `Kill all tasks of agents, offer nothing more of them, and wait until they are
empty. It goes on when the command is interrupted, and while an agent is
unreachable; ` + "`mezzo agents`" + ` shows DRAINING, then DRAINED. Tasks have the grace that
they were started with, 3s where they have none. An agent is not offered again
before ` + "`mezzo agents reactivate`" + `.

AGENT is an id, the beginning of an id, or a host name.`,
		Example: `  mezzo drain host1 --grace=30s
  mezzo drain host1 --mark-gone`,
		Args:              arguments(anAgent, 1, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, agentIDs),
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "longest time between SIGTERM and SIGKILL, whatever grace tasks have")
	cmd.Flags().BoolVar(&gone, "mark-gone", false, "shut the agents down when they are empty, and never admit them again")
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "don't wait until they are empty")
	_ = cmd.RegisterFlagCompletionFunc("grace", cobra.NoFileCompletions)
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		if grace < 0 {
			return fmt.Errorf("--grace %v: want no negative time", grace)
		}
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
			if id := a.GetAgentInfo().GetId(); !slices.ContainsFunc(meant, func(other *v1.AgentID) bool { return other.GetValue() == id.GetValue() }) {
				meant = append(meant, id)
			}
		}
		// All at once: each may take the grace of its tasks.
		ends := make([]*master.Response_GetAgents_Agent, len(meant))
		problems := make([]error, len(meant))
		var all sync.WaitGroup
		for i, id := range meant {
			call := &master.Call_DrainAgent{AgentId: id, MarkGone: &gone}
			if cmd.Flags().Changed("grace") {
				call.MaxGracePeriod = durationpb.New(grace)
			}
			all.Go(func() {
				if _, err := op.call(ctx, &master.Call{Type: master.Call_DRAIN_AGENT.Enum(), DrainAgent: call}); err != nil {
					problems[i] = fmt.Errorf("drain agent %s: %w", id.GetValue(), err)
					return
				}
				ends[i], problems[i] = awaitDrained(ctx, op, id, gone, detach)
			})
		}
		all.Wait()
		for i, a := range ends {
			state := "GONE"
			if a != nil {
				state = agentState(a)
			}
			switch {
			case problems[i] != nil:
			case o.json() && a != nil:
				problems[i] = op.print(a)
			case o.json():
				problems[i] = op.print(meant[i])
			default:
				_, problems[i] = fmt.Fprintf(d.Stdout, "%s\t%s\n", meant[i].GetValue(), state)
			}
		}
		return errors.Join(problems...)
	})
}

// awaitDrained waits for the end of a drain, and returns what the agent is then;
// nil if it is gone. With detach it is what it is now.
func awaitDrained(ctx context.Context, op *operator, id *v1.AgentID, gone, detach bool) (*master.Response_GetAgents_Agent, error) {
	for wait := followInterval; ; wait = min(2*wait, awaitInterval) {
		t, _, err := loadTasks(ctx, op)
		if err != nil {
			return nil, err
		}
		a := t.agents[id.GetValue()]
		left := slices.ContainsFunc(t.active, func(x *v1.Task) bool { return x.GetAgentId().GetValue() == id.GetValue() })
		switch {
		case a == nil && gone && !left:
			return nil, nil
		case a == nil:
			return nil, fmt.Errorf("agent %s: became unreachable; its draining goes on when it is back", id.GetValue())
		case a.GetDrainInfo() == nil:
			return nil, fmt.Errorf("agent %s: was reactivated meanwhile", id.GetValue())
		case detach || a.GetDrainInfo().GetState() == v1.DrainState_DRAINED && !gone:
			return a, nil
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}
