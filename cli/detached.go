package cli

import (
	"context"
	"errors"
	"time"

	"mezzo/api/labels"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/scheduler"
)

// A task that `mezzo run --detach` left has a framework to which nobody comes
// back: its updates would never be acknowledged and it would never end. So who
// kills such a task does it as its framework, and ends both.

// left tells that f is such a framework.
func left(f *master.Response_GetFrameworks_Framework) bool {
	return f != nil && !f.GetConnected() && labels.IsDetached(f.GetFrameworkInfo().GetLabels())
}

// killLeft kills the task of a framework that was left, waits for its end and
// ends the framework.
func killLeft(ctx context.Context, d Deps, op *operator, f *master.Response_GetFrameworks_Framework, x *v1.Task, policy *v1.KillPolicy) error {
	return as(ctx, d, op, f, func(c *scheduler.Client) scheduler.Handler {
		return scheduler.Handler{
			Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error {
				return c.Kill(ctx, x.GetTaskId(), x.GetAgentId(), policy)
			},
			Update: func(ctx context.Context, s *v1.TaskStatus) error {
				if s.GetTaskId().GetValue() != x.GetTaskId().GetValue() || !terminal(s.GetState()) {
					return nil
				}
				return errors.Join(c.Acknowledge(ctx, s), c.Teardown(ctx))
			},
		}
	})
}

// sweepTimeout bounds what is done for the next user rather than for this one.
const sweepTimeout = 2 * time.Second

// sweep ends the frameworks that were left and whose tasks have ended. What
// fails is left to the next.
func sweep(ctx context.Context, d Deps, op *operator) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	t, _, err := loadTasks(ctx, op)
	if err != nil {
		return
	}
	busy := make(map[string]bool)
	for _, x := range t.active {
		busy[x.GetFrameworkId().GetValue()] = true
	}
	for id, f := range t.frameworks {
		if !left(f) || busy[id] || t.completed[id] {
			continue
		}
		_ = as(ctx, d, op, f, func(c *scheduler.Client) scheduler.Handler {
			return scheduler.Handler{Subscribed: func(ctx context.Context, _ *wire.Event_Subscribed) error { return c.Teardown(ctx) }}
		})
	}
}

// as runs a scheduler as f, which nobody else is.
func as(ctx context.Context, d Deps, op *operator, f *master.Response_GetFrameworks_Framework, handler func(*scheduler.Client) scheduler.Handler) error {
	c, err := scheduler.New(scheduler.Config{Master: op.masters, HTTP: d.HTTP, Framework: f.GetFrameworkInfo()})
	if err != nil {
		return err
	}
	return c.Run(ctx, handler(c))
}
