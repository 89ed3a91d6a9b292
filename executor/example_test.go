package executor_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/executor"
)

// A whole executor: it runs the command of each task by the shell.
func Example() {
	cfg, err := executor.FromEnv()
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // not started by an agent
		return
	}
	c, err := executor.New(cfg)
	if err != nil {
		panic(err)
	}
	var running sync.Map // task id → function that kills it
	var tasks sync.WaitGroup
	err = c.Run(context.Background(), executor.Handler{
		Launch: func(ctx context.Context, t *v1.TaskInfo) error {
			life, kill := context.WithCancel(ctx)
			running.Store(t.GetTaskId().GetValue(), kill)
			tasks.Go(func() {
				tell := func(s v1.TaskState) { _ = c.Update(ctx, &v1.TaskStatus{TaskId: t.GetTaskId(), State: &s}) }
				tell(v1.TaskState_TASK_RUNNING)
				err := exec.CommandContext(life, "sh", "-c", t.GetCommand().GetValue()).Run()
				switch {
				case life.Err() != nil:
					tell(v1.TaskState_TASK_KILLED)
				case err != nil:
					tell(v1.TaskState_TASK_FAILED)
				default:
					tell(v1.TaskState_TASK_FINISHED)
				}
			})
			return nil
		},
		Kill: func(_ context.Context, k *wire.Event_Kill) error {
			if kill, ok := running.Load(k.GetTaskId().GetValue()); ok {
				kill.(context.CancelFunc)()
			}
			return nil
		},
		Shutdown: func(context.Context) error {
			running.Range(func(_, kill any) bool { kill.(context.CancelFunc)(); return true })
			tasks.Wait()
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
}
