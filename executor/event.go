package executor

import (
	"fmt"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
	"mezzo/internal/errs"
)

// checkEvent says what is wrong with an event whose required fields are there:
// the field that its type promises is missing, or an id in it is no id. Ids
// become names of files in the hands of careless authors.
//
// Errors: errs.Invalid.
func (c *Client) checkEvent(ev *wire.Event) error {
	switch ev.GetType() {
	case wire.Event_SUBSCRIBED:
		return c.checkSubscribed(ev.GetSubscribed())
	case wire.Event_LAUNCH:
		return checkTasks(ev.GetLaunch().GetTask())
	case wire.Event_LAUNCH_GROUP:
		tasks := ev.GetLaunchGroup().GetTaskGroup().GetTasks()
		if len(tasks) == 0 {
			return fmt.Errorf("task group without tasks: %w", errs.Invalid)
		}
		return checkTasks(tasks...)
	case wire.Event_KILL:
		return checkTaskID(ev.GetKill().GetTaskId())
	case wire.Event_ACKNOWLEDGED:
		return checkTaskID(ev.GetAcknowledged().GetTaskId())
	case wire.Event_MESSAGE:
		if ev.GetMessage() == nil {
			return fmt.Errorf("message is missing: %w", errs.Invalid)
		}
	case wire.Event_ERROR:
		if ev.GetError() == nil {
			return fmt.Errorf("error is missing: %w", errs.Invalid)
		}
	default: // SHUTDOWN and HEARTBEAT have no field; others nobody reads
	}
	return nil
}

// checkSubscribed holds the answer against what was asked for.
func (c *Client) checkSubscribed(s *wire.Event_Subscribed) error {
	if s == nil {
		return fmt.Errorf("subscribed is missing: %w", errs.Invalid)
	}
	if id := s.GetExecutorInfo().GetExecutorId().GetValue(); id != string(c.cfg.Executor) {
		return fmt.Errorf("subscribed as executor %.300q, not %q: %w", id, c.cfg.Executor, errs.Invalid)
	}
	// The master fills in the framework's id, agents need not repeat it.
	if id := s.GetFrameworkInfo().GetId(); id != nil && id.GetValue() != string(c.cfg.Framework) {
		return fmt.Errorf("subscribed for framework %.300q, not %q: %w", id.GetValue(), c.cfg.Framework, errs.Invalid)
	}
	return nil
}

func checkTasks(tasks ...*v1.TaskInfo) error {
	for _, t := range tasks {
		if err := checkTaskID(t.GetTaskId()); err != nil {
			return err
		}
	}
	return nil
}

func checkTaskID(id *v1.TaskID) error { return ids.Validate("task", id.GetValue()) }

// checkStatus says what keeps a status from being sent by an executor.
//
// Errors: errs.Invalid.
func checkStatus(s *v1.TaskStatus) error {
	if err := checkTaskID(s.GetTaskId()); err != nil {
		return err
	}
	if s.State == nil {
		return fmt.Errorf("state of task %q is missing: %w", s.GetTaskId().GetValue(), errs.Invalid)
	}
	if _, known := v1.TaskState_name[int32(s.GetState())]; !known || s.GetState() == v1.TaskState_TASK_STAGING {
		return fmt.Errorf("state %s of task %q is not an executor's to tell: %w", s.GetState(), s.GetTaskId().GetValue(), errs.Invalid)
	}
	return nil
}
