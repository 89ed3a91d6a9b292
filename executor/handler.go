package executor

import (
	"context"

	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/executor"
)

// Handler is what an executor does with the agent's events. Nil functions are
// skipped; without Launch or LaunchGroup, what would come there is answered
// with TASK_ERROR.
//
// The functions return soon and leave waiting for the tasks to goroutines of
// their own: the next event comes only then. The context ends with Run.
//
// An error ends Run, which returns it; only one of class ErrDisconnected is
// logged and forgotten, because Run subscribes again anyway.
type Handler struct {
	// Subscribed opens every stream.
	Subscribed func(context.Context, *wire.Event_Subscribed) error
	// Launch starts a task; Update tells how it fares.
	Launch func(context.Context, *v1.TaskInfo) error
	// LaunchGroup starts tasks that all end when one fails.
	LaunchGroup func(context.Context, *v1.TaskGroupInfo) error
	// Kill ends a task, perhaps one that ended long ago or never was here.
	Kill func(context.Context, *wire.Event_Kill) error
	// Acknowledged tells that the agent has the update in safety.
	Acknowledged func(context.Context, *v1.TaskStatus) error
	// Message is from the scheduler.
	Message func(context.Context, []byte) error
	// Error is the agent's complaint; it ends the stream after it.
	Error func(context.Context, string) error
	// Shutdown ends all tasks and tells of their ends by Update. It is the last
	// function called, and returns when that is done. It is called when the
	// agent says so, refuses the executor for good, or is lost; launches that
	// wait then are dropped. The context has what is left of the grace period;
	// after it Run returns all the same.
	Shutdown func(context.Context) error
}

// invocation is a call of the Handler that waits for its turn.
type invocation struct {
	f      func(context.Context) error // nil: the Handler lacks it
	launch bool                        // of tasks
}

func bind[T any](f func(context.Context, T) error, arg T) invocation {
	if f == nil {
		return invocation{}
	}
	return invocation{f: func(ctx context.Context) error { return f(ctx, arg) }}
}
