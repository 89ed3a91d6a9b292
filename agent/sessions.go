package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/launch"
	"mezzo/agent/nested"
	"mezzo/agent/session"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// launchSession runs a command in a container and answers with its output.
// It ends with the connection.
func (s *server) launchSession(w http.ResponseWriter, r *http.Request, c *agent.Call_LaunchNestedContainerSession) error {
	id := c.GetContainerId()
	if id.GetParent() == nil {
		return fmt.Errorf("container_id.parent is missing: %w", errs.Invalid)
	}
	if err := ids.Validate("container", id.GetValue()); err != nil {
		return err
	}
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	parent, err := snap.findProcess(id.GetParent())
	if err != nil {
		return err
	}
	spec, err := launch.Process(c.GetCommand(), c.GetContainer())
	if err != nil {
		return err
	}
	live, reader, err := s.sessions.Launch(r.Context(), nested.Path(id), isolator.ID(parent.id), spec)
	if err != nil {
		return err
	}
	defer func() {
		if err := live.Close(context.WithoutCancel(r.Context())); err != nil {
			s.log.Warn("end a session", "container_id", live.ID, "err", err)
		}
	}()
	return s.sendOutput(w, r, reader)
}

// attachOutput answers with what a session, a task or an executor writes from now on.
func (s *server) attachOutput(w http.ResponseWriter, r *http.Request, c *agent.Call_AttachContainerOutput) error {
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	if of, err := snap.findProcess(c.GetContainerId()); err == nil {
		return s.follow(w, r, of)
	}
	live, err := s.sessions.Find(nested.Path(c.GetContainerId()))
	if err != nil {
		return err
	}
	reader := live.Read()
	defer reader.Leave()
	return s.sendOutput(w, r, reader)
}

var outputs = map[session.Stream]agent.ProcessIO_Data_Type{
	session.Stdout: agent.ProcessIO_Data_STDOUT, session.Stderr: agent.ProcessIO_Data_STDERR,
}

// sendOutput writes until the output, or the connection, ends. Once it began to
// write there is nobody to tell an error.
func (s *server) sendOutput(w http.ResponseWriter, r *http.Request, reader *session.Reader) error {
	defer reader.Leave()
	// The connection is read on, to see its end.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // none is as good
	out, err := openOutput(w, r)
	if err != nil {
		return err
	}
	beat := time.NewTicker(streamHeartbeat)
	defer beat.Stop()
	for {
		select {
		case chunk, open := <-reader.Next():
			if !open || out.data(outputs[chunk.Stream], chunk.Data) != nil {
				return nil
			}
		case <-beat.C:
			if out.heartbeat() != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
}

// attachInput feeds a session, until the request or the session ends.
func (s *server) attachInput(w http.ResponseWriter, r *http.Request) {
	in, first, status, err := openInput(r)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	c := first.GetAttachContainerInput()
	if c.GetType() != agent.Call_AttachContainerInput_CONTAINER_ID || c.GetContainerId() == nil {
		http.Error(w, "Expecting 'attach_container_input.container_id' in the first record", http.StatusBadRequest)
		return
	}
	live, err := s.sessions.Find(nested.Path(c.GetContainerId()))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // people may think for long
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-live.Done():
			_ = control.SetReadDeadline(time.Unix(1, 0)) // ends the reading
		case <-stop:
		}
	}()
	for {
		call, err := in.next()
		select {
		case <-live.Done():
			return
		default:
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = feed(r.Context(), live, call)
		}
		if err != nil {
			if errors.Is(err, errs.Conflict) {
				return // it ended meanwhile
			}
			s.fail(w, r, fmt.Errorf("attach input: %w", err))
			return
		}
	}
}

// feed does what one record asks for.
func feed(ctx context.Context, live *session.Session, call *agent.Call) error {
	c := call.GetAttachContainerInput()
	if call.GetType() != agent.Call_ATTACH_CONTAINER_INPUT || c.GetType() != agent.Call_AttachContainerInput_PROCESS_IO {
		return fmt.Errorf("expecting records of type PROCESS_IO after the first: %w", errs.Invalid)
	}
	p := c.GetProcessIo()
	switch {
	case p.GetType() == agent.ProcessIO_DATA && p.GetData().GetType() == agent.ProcessIO_Data_STDIN:
		return live.Input(p.GetData().GetData())
	case p.GetType() == agent.ProcessIO_CONTROL && p.GetControl().GetType() == agent.ProcessIO_Control_TTY_INFO:
		size, err := launch.Window(p.GetControl().GetTtyInfo())
		if err != nil {
			return err
		}
		return live.Resize(ctx, size)
	case p.GetType() == agent.ProcessIO_CONTROL && p.GetControl().GetType() == agent.ProcessIO_Control_HEARTBEAT:
		return nil
	}
	return fmt.Errorf("expecting data of STDIN, TTY_INFO or HEARTBEAT: %w", errs.Invalid)
}

// waitSession answers once a session has ended.
func (s *server) waitSession(ctx context.Context, id *v1.ContainerID) (*agent.Response_WaitContainer, error) {
	live, err := s.sessions.Find(nested.Path(id))
	if err != nil {
		return nil, err
	}
	code, unknown, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	answer := &agent.Response_WaitContainer{}
	if !unknown {
		answer.ExitStatus = proto.Int32(waitStatus(code))
	}
	return answer, nil
}

// waitStatus is an exit code as wait(2) gives it.
func waitStatus(code int) int32 {
	if sig := code - 128; sig > 0 && sig < 65 {
		return int32(sig)
	}
	return int32(code&0xff) << 8
}
