package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mezzo/api/mesos/v1/master"
)

// choices asks a master what may be typed.
type choices func(ctx context.Context, op *operator) ([]cobra.Completion, error)

// completeArguments completes up to that many arguments while they are typed,
// none of them twice.
func completeArguments(d Deps, most int, list choices) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found := slices.DeleteFunc(ask(cmd, d, list), func(c cobra.Completion) bool {
			word, _, _ := strings.Cut(c, "\t")
			return slices.Contains(args, word)
		})
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag completes the values of a flag.
func completeFlag(cmd *cobra.Command, d Deps, flag string, list choices) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return ask(cmd, d, list), cobra.ShellCompDirectiveNoFileComp
	})
}

// ask returns what there is now. Without a master there is nothing to offer, and
// that is no error.
func ask(cmd *cobra.Command, d Deps, list choices) []cobra.Completion {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	master, _ := cmd.Flags().GetString("master")
	op, err := newOperator(master, d)
	if err != nil {
		return nil
	}
	found, _ := list(ctx, op)
	return found
}

func taskIDs(ended bool) choices {
	return func(ctx context.Context, op *operator) ([]cobra.Completion, error) {
		t, _, err := loadTasks(ctx, op)
		if err != nil {
			return nil, err
		}
		shown := t.active
		if ended {
			shown = t.all()
		}
		var out []cobra.Completion
		for _, x := range shown {
			out = append(out, cobra.CompletionWithDesc(x.GetTaskId().GetValue(), stateName(x.GetState())))
		}
		return out, nil
	}
}

func agentIDs(ctx context.Context, op *operator) ([]cobra.Completion, error) {
	agents, err := loadAgents(ctx, op)
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, a := range agents {
		out = append(out, cobra.CompletionWithDesc(agentID(a), a.GetAgentInfo().GetHostname()+" "+agentState(a)))
	}
	return out, nil
}

func frameworkIDs(ctx context.Context, op *operator) ([]cobra.Completion, error) {
	resp, err := op.get(ctx, master.Call_GET_FRAMEWORKS)
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, f := range resp.GetGetFrameworks().GetFrameworks() {
		id, name := frameworkNames(f)
		out = append(out, cobra.CompletionWithDesc(id, oneLine(name)))
	}
	return out, nil
}

func roleNames(ctx context.Context, op *operator) ([]cobra.Completion, error) {
	known, _, err := loadRoles(ctx, op)
	if err != nil {
		return nil, err
	}
	var out []cobra.Completion
	for _, r := range known {
		out = append(out, r.Name)
	}
	return out, nil
}
