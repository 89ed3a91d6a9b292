package task

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
)

// verdict is the terminal update of a container that ended by itself.
func (t *Task) verdict(e Exited) Update {
	u := Update{State: v1.TaskState_TASK_FAILED, Message: how(e), Source: byExecutor, ExitCode: e.code()}
	switch {
	case e.Limitation != nil:
		u.Source = byAgent
		u.Reason = v1.TaskStatus_REASON_CONTAINER_LIMITATION.Enum()
		if e.Limitation.Cause == isolator.CauseMemory {
			u.Reason = v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum()
			u.Limitation = []*v1.Resource{mebibytes("mem", t.cfg.MemLimitBytes)}
		}
	case e.Unstarted:
		u.Source = byAgent
		u.Reason = v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED.Enum()
	case e.Unknown:
		u.Source = byAgent
		u.Reason = v1.TaskStatus_REASON_EXECUTOR_TERMINATED.Enum()
	case e.Code == 0:
		u.State = v1.TaskState_TASK_FINISHED
	}
	return u
}

// killed is the terminal update that the kill asked for, without a message.
func (t *Task) killed() Update {
	u := Update{State: t.end.State, Reason: t.end.Reason, Source: byExecutor}
	if u.State == 0 {
		u.State = v1.TaskState_TASK_KILLED
	}
	if u.Reason != nil && *u.Reason == v1.TaskStatus_REASON_CONTAINER_LIMITATION_DISK {
		u.Source = byAgent
		u.Limitation = []*v1.Resource{mebibytes("disk", t.cfg.DiskBytes)}
	}
	return u
}

// killedDuringLaunch is the terminal update of a task that never ran.
func (t *Task) killedDuringLaunch() Update {
	u := t.killed()
	u.Source = byAgent
	u.Message = sentences(t.end.Message, "Killed before its container ran")
	if u.Reason == nil {
		u.Reason = v1.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH.Enum()
	}
	return u
}

// mebibytes is a limit as a resource, in MiB.
func mebibytes(name string, bytes int64) *v1.Resource {
	return &v1.Resource{
		Name:   &name,
		Type:   v1.Value_SCALAR.Enum(),
		Scalar: &v1.Value_Scalar{Value: proto.Float64(float64(bytes) / (1 << 20))},
	}
}

// code is the exit code, if it is known.
func (e Exited) code() *int {
	if e.Unknown || e.Unstarted {
		return nil
	}
	return &e.Code
}

// Verdict is what the end of a container makes of what an executor had in it.
func (e Exited) Verdict() ExecutorEnd {
	end := ExecutorEnd{v1.TaskStatus_REASON_EXECUTOR_TERMINATED.Enum(), "Executor ended; " + how(e)}
	if e.Limitation != nil {
		end.Reason = v1.TaskStatus_REASON_CONTAINER_LIMITATION.Enum()
		if e.Limitation.Cause == isolator.CauseMemory {
			end.Reason = v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum()
		}
	}
	return end
}

// how tells in a sentence how a container ended.
func how(e Exited) string {
	var status string
	switch sig, signalled := signals[e.Code-128]; {
	case e.Unstarted:
		status = "The start of its container was cut short by the end of containerd"
	case e.Unknown:
		status = "Command's exit status was lost"
	case signalled:
		status = fmt.Sprintf("Command exited with status %d (%s)", e.Code, sig)
	default:
		status = fmt.Sprintf("Command exited with status %d", e.Code)
	}
	if e.Limitation == nil {
		return status
	}
	return sentences(e.Limitation.Message, status)
}

// sentences joins what is not empty.
func sentences(s ...string) string {
	var said []string
	for _, x := range s {
		if x != "" {
			said = append(said, x)
		}
	}
	return strings.Join(said, "; ")
}

// signals names those that end a process by default (signal(7), generic
// numbers). A shell adds 128 to report one, and so do containers.
var signals = map[int]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
	8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
	14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}

// Terminal says that no update follows one of state s.
func Terminal(s v1.TaskState) bool {
	switch s {
	case v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING,
		v1.TaskState_TASK_KILLING, v1.TaskState_TASK_UNREACHABLE, v1.TaskState_TASK_UNKNOWN:
		return false
	default:
		return true
	}
}
