package task

import (
	"fmt"
	"time"

	v1 "mezzo/api/mesos/v1"
)

// The actions of the table, in its order. Each returns the effects of its
// arrow; the caller sets the state.

const (
	byAgent    = v1.TaskStatus_SOURCE_AGENT
	byExecutor = v1.TaskStatus_SOURCE_EXECUTOR
)

func (t *Task) start(time.Time, Event) []Effect {
	return []Effect{Update{State: v1.TaskState_TASK_STARTING, Source: byExecutor}, Launch{}}
}

func (t *Task) refuse(_ time.Time, ev Event) []Effect {
	why := ev.(Refuse)
	if why.Reason == 0 {
		why.Reason = v1.TaskStatus_REASON_TASK_INVALID
	}
	return []Effect{Update{
		State:   v1.TaskState_TASK_ERROR,
		Reason:  why.Reason.Enum(),
		Message: why.Why,
		Source:  byAgent,
	}}
}

func (t *Task) drop(_ time.Time, ev Event) []Effect {
	t.end = ev.(Kill).End
	return []Effect{t.killedDuringLaunch()}
}

func (t *Task) tell(_ time.Time, ev Event) []Effect {
	return []Effect{Update{State: v1.TaskState_TASK_STARTING, Message: ev.(Progress).What, Source: byExecutor}}
}

func (t *Task) run(now time.Time, _ Event) []Effect {
	if t.cfg.MaxCompletion > 0 {
		t.deadline = now.Add(t.cfg.MaxCompletion)
	}
	return []Effect{Update{State: v1.TaskState_TASK_RUNNING, Source: byExecutor}}
}

func (t *Task) tellNews(_ time.Time, ev Event) []Effect {
	news := ev.(News)
	return []Effect{Update{State: v1.TaskState_TASK_RUNNING, Source: byExecutor, Reason: news.Reason.Enum(), Message: news.Message}}
}

func (t *Task) failLaunch(_ time.Time, ev Event) []Effect {
	failed := ev.(LaunchFailed)
	return []Effect{Update{
		State:    v1.TaskState_TASK_FAILED,
		Reason:   v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED.Enum(),
		Message:  fmt.Sprintf("Launch of %s failed: %s", t.cfg.What, failed.Why),
		Source:   byAgent,
		ExitCode: failed.ExitCode,
	}}
}

func (t *Task) abort(_ time.Time, ev Event) []Effect {
	t.accept(ev.(Kill))
	return []Effect{Abort{}}
}

// killLaunched kills a container whose launch could not be aborted any more.
func (t *Task) killLaunched(now time.Time, _ Event) []Effect { return t.terminate(now) }

func (t *Task) aborted(time.Time, Event) []Effect { return []Effect{t.killedDuringLaunch()} }

func (t *Task) kill(now time.Time, ev Event) []Effect {
	t.accept(ev.(Kill))
	return t.terminate(now)
}

// expire kills without grace, as Mesos does.
func (t *Task) expire(now time.Time, _ Event) []Effect {
	t.accept(Kill{Grace: new(time.Duration), End: End{
		State:   v1.TaskState_TASK_FAILED,
		Reason:  v1.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum(),
		Message: fmt.Sprintf("Ran longer than max_completion_time (%v)", t.cfg.MaxCompletion),
	}})
	return t.terminate(now)
}

// shorten brings the end of the grace forward, never back.
func (t *Task) shorten(now time.Time, ev Event) []Effect {
	grace := ev.(Kill).Grace
	if grace == nil {
		return nil
	}
	t.grace = min(t.grace, *grace)
	if t.state == Killing {
		if d := now.Add(*grace); d.Before(t.deadline) {
			t.deadline = d
		}
	}
	return nil
}

func (t *Task) slay(now time.Time, _ Event) []Effect {
	t.deadline = now.Add(slayRetry)
	return []Effect{Slay{}}
}

func (t *Task) exit(_ time.Time, ev Event) []Effect {
	t.deadline = time.Time{}
	return []Effect{t.verdict(ev.(Exited)), Destroy{}}
}

func (t *Task) exitKilled(_ time.Time, ev Event) []Effect {
	t.deadline = time.Time{}
	e := ev.(Exited)
	u := t.killed()
	u.Message, u.ExitCode = sentences(t.end.Message, how(e)), e.code()
	return []Effect{u, Destroy{}}
}

func (t *Task) lose(_ time.Time, ev Event) []Effect {
	t.deadline = time.Time{}
	end := ev.(Lost).End
	return []Effect{Update{State: end.State, Reason: end.Reason, Message: end.Message, Source: byAgent}, Destroy{}}
}

// loseKilled: the kill got what it wanted.
func (t *Task) loseKilled(_ time.Time, ev Event) []Effect {
	t.deadline = time.Time{}
	u := t.killed()
	u.Source, u.Message = byAgent, sentences(t.end.Message, ev.(Lost).End.Message)
	return []Effect{u, Destroy{}}
}

// loseGiven has no container of its own to destroy.
func (t *Task) loseGiven(_ time.Time, ev Event) []Effect {
	end := ev.(Lost).End
	return []Effect{Update{State: end.State, Reason: end.Reason, Message: end.Message, Source: byAgent}}
}

func (t *Task) passKill(_ time.Time, ev Event) []Effect {
	return []Effect{PassKill{ev.(Kill).Grace}}
}

func (t *Task) nothing(time.Time, Event) []Effect { return nil }

// accept takes over what a kill asks for.
func (t *Task) accept(k Kill) {
	t.end = k.End
	t.grace = t.cfg.Grace
	if k.Grace != nil {
		t.grace = *k.Grace
	}
}

// terminate begins the grace.
func (t *Task) terminate(now time.Time) []Effect {
	t.deadline = now.Add(t.grace)
	if !t.cfg.TellKilling {
		return []Effect{Terminate{}}
	}
	return []Effect{Update{State: v1.TaskState_TASK_KILLING, Source: byExecutor, Message: t.end.Message}, Terminate{}}
}
