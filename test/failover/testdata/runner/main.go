// Command runner is an executor on package mezzo/executor. What a task's data
// says is done by the shell; a message from the scheduler is sent back with the
// number of tasks that run.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/executor"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := executor.FromEnv()
	if err != nil {
		return err
	}
	c, err := executor.New(cfg)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	running := map[string]*exec.Cmd{}
	var tasks sync.WaitGroup
	fmt.Println("runner is up")
	return c.Run(context.Background(), executor.Handler{
		Launch: func(ctx context.Context, t *v1.TaskInfo) error {
			id := t.GetTaskId().GetValue()
			cmd := exec.Command("sh", "-c", string(t.GetData()))
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				return c.Update(ctx, &v1.TaskStatus{TaskId: t.GetTaskId(), State: v1.TaskState_TASK_FAILED.Enum()})
			}
			mu.Lock()
			running[id] = cmd
			mu.Unlock()
			if err := c.Update(ctx, &v1.TaskStatus{TaskId: t.GetTaskId(), State: v1.TaskState_TASK_RUNNING.Enum()}); err != nil {
				return err
			}
			tasks.Go(func() {
				err := cmd.Wait()
				mu.Lock()
				delete(running, id)
				mu.Unlock()
				state := v1.TaskState_TASK_FINISHED
				if err != nil {
					state = v1.TaskState_TASK_FAILED
				}
				if cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
					state = v1.TaskState_TASK_KILLED
				}
				_ = c.Update(ctx, &v1.TaskStatus{TaskId: t.GetTaskId(), State: &state}) // it ends, and all with it
			})
			return nil
		},
		Kill: func(_ context.Context, k *wire.Event_Kill) error {
			mu.Lock()
			defer mu.Unlock()
			if cmd := running[k.GetTaskId().GetValue()]; cmd != nil {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
			return nil
		},
		Message: func(ctx context.Context, data []byte) error {
			mu.Lock()
			n := len(running)
			mu.Unlock()
			return c.Message(ctx, fmt.Appendf(nil, "%s %d", data, n))
		},
		Shutdown: func(context.Context) error {
			mu.Lock()
			for _, cmd := range running {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
			mu.Unlock()
			tasks.Wait()
			return nil
		},
	})
}
