package main

import (
	"context"

	v1 "mezzo/api/mesos/v1"
	"mezzo/executor"
)

// tell is the executor of measureUpdates: a task runs and is finished.
func tell(ctx context.Context) error {
	cfg, err := executor.FromEnv()
	if err != nil {
		return err
	}
	c, err := executor.New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx, executor.Handler{
		Launch: func(ctx context.Context, t *v1.TaskInfo) error {
			for _, state := range []v1.TaskState{v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_FINISHED} {
				if err := c.Update(ctx, &v1.TaskStatus{TaskId: t.GetTaskId(), State: state.Enum()}); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
