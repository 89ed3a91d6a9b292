package cli

import (
	"mezzo/api/labels"
	v1 "mezzo/api/mesos/v1"
)

// member is a task that `mezzo run` has launched, alone or in a group. What isn't
// a channel is the handlers', but for final, which they write under the
// framework's lock.
type member struct {
	task     *v1.TaskInfo
	running  bool // or was
	followed bool
	final    *v1.TaskStatus
	ended    chan struct{} // closed with its end
	drained  chan struct{} // closed when all its output is out, if it is followed
}

func newMember(t *v1.TaskInfo) *member {
	return &member{task: t, ended: make(chan struct{}), drained: make(chan struct{})}
}

func (m *member) id() string { return m.task.GetTaskId().GetValue() }

// ran tells that a task which ended unseen may have left output.
func ran(s *v1.TaskStatus) bool {
	_, exited := labels.ExitCodeOf(s.GetLabels())
	return exited && s.GetReason() != v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED
}

// exitCode is what a terminal status means to a shell.
func exitCode(s *v1.TaskStatus) int {
	code, known := labels.ExitCodeOf(s.GetLabels())
	switch {
	case s.GetState() == v1.TaskState_TASK_FINISHED:
		return 0
	case known && code != 0:
		return code
	case s.GetState() == v1.TaskState_TASK_KILLED,
		s.GetReason() == v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY && s.Reason != nil:
		return codeKilled
	case known:
		return 1 // it ended well, yet the task failed
	}
	return codeNotRun
}

// groupExitCode is that of the first to fail, as they stand in the group: one that
// was killed was so for another's sake, if another failed.
func groupExitCode(members []*member) int {
	code := 0
	for _, m := range members {
		switch m.final.GetState() {
		case v1.TaskState_TASK_FINISHED:
		case v1.TaskState_TASK_KILLED:
			if code == 0 {
				code = exitCode(m.final)
			}
		default:
			return exitCode(m.final)
		}
	}
	return code
}
