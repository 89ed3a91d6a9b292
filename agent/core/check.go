package core

import (
	"errors"
	"fmt"
	"slices"

	"mezzo/agent/task"
)

// Check verifies the invariants, for tests and simulations.
func (c *Core) Check() error {
	var problems []error
	hold := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	n := 0
	for _, f := range c.frameworks {
		n += len(f.tasks)
		hold(len(f.tasks)+len(f.executors) > 0, "live framework %s has no live task", f.id())
		for _, x := range f.executors {
			hold(c.executors[x.container] == x, "executor %s is not found by its container", x.id())
			hold(x.held || len(x.tasks) > 0, "nothing is left of executor %s", x.id())
			for _, e := range x.tasks {
				hold(e.executor == x && (e.held || e.life.State() != task.Done), "task %s is not its executor's, or over", e.id())
			}
		}
		hold(len(f.completed) <= c.cfg.MaxCompletedTasksPerFramework, "framework %s has %d completed tasks", f.id(), len(f.completed))
	}
	hold(n == len(c.live), "%d tasks in frameworks, %d live", n, len(c.live))
	hold(len(c.live) == len(c.containers), "%d live tasks, %d containers", len(c.live), len(c.containers))
	for _, e := range c.live {
		hold(c.containers[e.container] == e, "task %s is not found by its container", e.id())
		hold(slices.Contains(e.framework.tasks, e), "task %s is not its framework's", e.id())
		hold(slices.Contains(c.frameworks, e.framework), "task %s is live, its framework is not", e.id())
		hold(e.held || e.executor != nil && e.life.State() != task.Done || !e.stream.Closed() && !e.framework.removed, "task %s is live and nothing is owed", e.id())
		hold((e.life.State() == task.Done) == e.ended(), "task %s is %s, its updates say otherwise", e.id(), e.life.State())
	}
	hold(len(c.past) <= c.cfg.MaxCompletedFrameworks, "%d past frameworks", len(c.past))
	for _, f := range c.past {
		hold(len(f.tasks) == 0, "past framework %s has live tasks", f.id())
	}
	return errors.Join(problems...)
}

// ended says that the last status was terminal.
func (e *entry) ended() bool {
	n := len(e.statuses)
	return n > 0 && task.Terminal(e.statuses[n-1].GetState())
}
