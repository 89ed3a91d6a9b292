package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
)

func logsCommand(d Deps) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:               "logs [-f] TASK",
		Short:             "Print what a task wrote, stdout to stdout and stderr to stderr",
		Long:              "Print what a task wrote, stdout to stdout and stderr to stderr; with -o json both to stdout, an object with stream and line for each line.\n\nTASK is an id, the beginning of an id, or a name.",
		Args:              arguments(aTask, 1, 1),
		ValidArgsFunction: completeArguments(d, 1, taskIDs(true)),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the task ends")
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) (err error) {
		t, _, err := loadTasks(ctx, op)
		if err != nil {
			return err
		}
		x, err := t.find(args[0], true)
		if err != nil {
			return err
		}
		a, ok := t.agents[x.GetAgentId().GetValue()]
		if !ok {
			return fmt.Errorf("task %s: its agent %s is not registered", x.GetTaskId().GetValue(), x.GetAgentId().GetValue())
		}
		s, err := findSandbox(ctx, d.HTTP, a, x.GetFrameworkId(), x.GetTaskId())
		if err != nil {
			return err
		}
		out := s.output(d.Stdout, d.Stderr)
		if o.json() {
			stdout, stderr := jsonLines("stdout", d.Stdout), jsonLines("stderr", d.Stdout)
			defer func() { err = errors.Join(err, stdout.flush(), stderr.flush()) }()
			out = s.output(stdout, stderr)
		}
		if !follow || terminal(x.GetState()) {
			return out.drain(ctx)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = awaitEnd(ctx, op, x) // its end, or ours
		}()
		return out.follow(ctx, ended)
	})
}

// awaitInterval is the longest time between two questions whether a task has
// ended: the answer is the state of the whole cluster.
const awaitInterval = 2 * time.Second

// awaitEnd asks the master until the task has ended and returns it as it was
// last known.
func awaitEnd(ctx context.Context, op *operator, x *v1.Task) (*v1.Task, error) {
	for wait := followInterval; ; wait = min(2*wait, awaitInterval) {
		t, _, err := loadTasks(ctx, op)
		if err != nil {
			return nil, err
		}
		same := func(y *v1.Task) bool {
			return y.GetTaskId().GetValue() == x.GetTaskId().GetValue() && y.GetFrameworkId().GetValue() == x.GetFrameworkId().GetValue()
		}
		if !slices.ContainsFunc(t.active, same) {
			if i := slices.IndexFunc(t.ended, same); i >= 0 {
				return t.ended[i], nil
			}
			return nil, fmt.Errorf("task %s: the master knows it no more", x.GetTaskId().GetValue())
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}
