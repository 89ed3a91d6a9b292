package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/nested"
	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/internal/errs"
)

// nestedOwner is what the calls about nested and standalone containers ask of the
// loop.
type nestedOwner interface {
	// launchNested returns once it runs; there: it was launched before.
	launchNested(ctx context.Context, c *agent.Call_LaunchContainer) (there bool, err error)
	// waitNested returns how it ended; errs.NotFound if there is none.
	waitNested(ctx context.Context, id *v1.ContainerID) (nested.End, error)
	// signalNested does nothing to one that has ended.
	signalNested(ctx context.Context, id *v1.ContainerID, sig syscall.Signal) error
	// removeNested forgets one that has ended; errs.Conflict if it has not.
	removeNested(ctx context.Context, id *v1.ContainerID) error
}

// nestedCall answers the calls about sessions, nested and standalone containers:
// what a call of the older form asks for is what one of the newer does.
func (s *server) nestedCall(w http.ResponseWriter, r *http.Request, call *agent.Call, out codec.Codec) (done bool, err error) {
	ctx := r.Context()
	switch call.GetType() {
	case agent.Call_LAUNCH_CONTAINER:
		return true, s.launchContainer(w, ctx, call.GetLaunchContainer())
	case agent.Call_LAUNCH_NESTED_CONTAINER:
		c := call.GetLaunchNestedContainer()
		if c.GetContainerId().GetParent() == nil {
			return true, fmt.Errorf("container_id.parent is missing: %w", errs.Invalid)
		}
		return true, s.launchContainer(w, ctx, &agent.Call_LaunchContainer{ContainerId: c.GetContainerId(), Command: c.GetCommand(), Container: c.GetContainer()})
	case agent.Call_WAIT_CONTAINER:
		end, err := s.waitContainer(ctx, call.GetWaitContainer().GetContainerId())
		if err != nil {
			return true, err
		}
		return true, writeResponse(w, out, &agent.Response{Type: agent.Response_WAIT_CONTAINER.Enum(), WaitContainer: end})
	case agent.Call_WAIT_NESTED_CONTAINER:
		end, err := s.waitContainer(ctx, call.GetWaitNestedContainer().GetContainerId())
		if err != nil {
			return true, err
		}
		return true, writeResponse(w, out, &agent.Response{Type: agent.Response_WAIT_NESTED_CONTAINER.Enum(), WaitNestedContainer: &agent.Response_WaitNestedContainer{
			ExitStatus: end.ExitStatus, State: end.State, Reason: end.Reason, Message: end.Message,
		}})
	case agent.Call_KILL_CONTAINER:
		return true, s.killContainer(ctx, call.GetKillContainer().GetContainerId(), call.GetKillContainer().Signal)
	case agent.Call_KILL_NESTED_CONTAINER:
		return true, s.killContainer(ctx, call.GetKillNestedContainer().GetContainerId(), call.GetKillNestedContainer().Signal)
	case agent.Call_REMOVE_CONTAINER:
		return true, s.removeContainer(ctx, call.GetRemoveContainer().GetContainerId())
	case agent.Call_REMOVE_NESTED_CONTAINER:
		return true, s.removeContainer(ctx, call.GetRemoveNestedContainer().GetContainerId())
	}
	return false, nil
}

func (s *server) launchContainer(w http.ResponseWriter, ctx context.Context, c *agent.Call_LaunchContainer) error {
	if _, err := s.sessions.Find(nested.Path(c.GetContainerId())); err == nil {
		return fmt.Errorf("container %q is a session: %w", nested.Path(c.GetContainerId()), errs.Exists)
	}
	there, err := s.nestedOwner.launchNested(ctx, c)
	if err == nil && there {
		w.WriteHeader(http.StatusAccepted)
	}
	return err
}

func (s *server) waitContainer(ctx context.Context, id *v1.ContainerID) (*agent.Response_WaitContainer, error) {
	end, err := s.nestedOwner.waitNested(ctx, id)
	if err == nil {
		answer := &agent.Response_WaitContainer{ExitStatus: end.Status, Reason: end.Reason}
		if end.Message != "" {
			answer.Message = proto.String(end.Message)
		}
		if end.Reason != nil {
			answer.State = v1.TaskState_TASK_FAILED.Enum()
		}
		return answer, nil
	}
	if !errors.Is(err, errs.NotFound) {
		return nil, err
	}
	return s.waitSession(ctx, id)
}

// killContainer signals a container's process; SIGKILL unless another is named.
func (s *server) killContainer(ctx context.Context, id *v1.ContainerID, sig *int32) error {
	number := syscall.SIGKILL
	if sig != nil {
		number = syscall.Signal(*sig)
	}
	if number <= 0 || number > 64 {
		return fmt.Errorf("there is no signal %d: %w", int(number), errs.Invalid)
	}
	if err := s.nestedOwner.signalNested(ctx, id, number); !errors.Is(err, errs.NotFound) {
		return err
	}
	live, err := s.sessions.Find(nested.Path(id))
	if err != nil {
		return err
	}
	return live.Signal(ctx, number)
}

func (s *server) removeContainer(ctx context.Context, id *v1.ContainerID) error {
	if err := s.sessions.Remove(nested.Path(id)); !errors.Is(err, errs.NotFound) {
		return err
	}
	return s.nestedOwner.removeNested(ctx, id)
}

// writeResponse writes the response to a call.
func writeResponse(w http.ResponseWriter, out codec.Codec, response *agent.Response) error {
	body, err := out.Marshal(response)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", out.ContentType())
	_, _ = w.Write(body) // a reader that went away is no error of ours
	return nil
}
