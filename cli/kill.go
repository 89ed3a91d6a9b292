package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

func killCommand(d Deps) *cobra.Command {
	var grace time.Duration
	var detach bool
	cmd := &cobra.Command{
		Use:               "kill TASK...",
		Short:             "Kill tasks and wait for their end",
		Long:              "Kill tasks, of whatever framework, and wait for their end: SIGTERM first, SIGKILL after the grace.\n\nTASK is an id, the beginning of an id, or a name.",
		Args:              arguments(aTask, 1, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, taskIDs(false)),
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "time between SIGTERM and SIGKILL; the task's own unless given, 3s where it has none")
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "don't wait for the end")
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		t, _, err := loadTasks(ctx, op)
		if err != nil {
			return err
		}
		var policy *v1.KillPolicy
		if cmd.Flags().Changed("grace") {
			if grace < 0 {
				return fmt.Errorf("--grace %v: want no negative time", grace)
			}
			policy = killPolicy(grace)
		}
		// All at once: each may take its grace.
		ends := make([]*v1.Task, len(args))
		problems := make([]error, len(args))
		var all sync.WaitGroup
		for i, ref := range args {
			all.Go(func() {
				x, err := t.find(ref, false)
				if err == nil {
					err = killTask(ctx, d, op, t, x, policy, detach)
				}
				if err == nil && !detach {
					x, err = awaitEnd(ctx, op, x)
				}
				ends[i], problems[i] = x, err
			})
		}
		all.Wait()
		for i, x := range ends {
			switch {
			case problems[i] != nil:
			case o.json():
				problems[i] = op.print(x)
			default:
				fmt.Fprintf(d.Stdout, "%s\t%s\n", x.GetTaskId().GetValue(), stateName(x.GetState()))
			}
		}
		return errors.Join(problems...)
	})
}

// killTask asks for the end of a task, and waits for it where it must.
func killTask(ctx context.Context, d Deps, op *operator, t *tasks, x *v1.Task, policy *v1.KillPolicy, detach bool) error {
	var err error
	if f := t.frameworks[x.GetFrameworkId().GetValue()]; left(f) && !detach {
		err = killLeft(ctx, d, op, f, x, policy)
	} else {
		_, err = op.call(ctx, &master.Call{
			Type: master.Call_KILL_TASK.Enum(),
			KillTask: &master.Call_KillTask{
				FrameworkId: x.GetFrameworkId(),
				TaskId:      x.GetTaskId(),
				KillPolicy:  policy,
			},
		})
	}
	if err != nil {
		return fmt.Errorf("kill task %s: %w", x.GetTaskId().GetValue(), err)
	}
	return nil
}

func killPolicy(grace time.Duration) *v1.KillPolicy {
	return &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(grace.Nanoseconds())}}
}
