package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/core"
	"mezzo/agent/launch"
	"mezzo/agent/sandbox"
	"mezzo/agent/session"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/containerizer/logger"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// sessionID is a nested container's id with its parents', the outermost first.
func sessionID(id *v1.ContainerID) string {
	if id.GetParent() == nil {
		return id.GetValue()
	}
	return sessionID(id.GetParent()) + "." + id.GetValue()
}

// taskOf finds the task whose container has that id and is held.
func (s *snapshot) taskOf(id ids.ContainerID) (core.Framework, core.Task, error) {
	for f, t := range s.containers() {
		if t.Container == id {
			return f, t, nil
		}
	}
	return core.Framework{}, core.Task{}, fmt.Errorf("container %q: %w", id, errs.NotFound)
}

// launchSession runs a command in a task's container and answers with its output.
// It ends with the connection.
func (s *server) launchSession(w http.ResponseWriter, r *http.Request, c *agent.Call_LaunchNestedContainerSession) error {
	id := c.GetContainerId()
	if id.GetParent() == nil || id.GetParent().GetParent() != nil {
		return fmt.Errorf("container_id.parent is not the container of a task: %w", errs.Invalid)
	}
	if err := ids.Validate("container", id.GetValue()); err != nil {
		return err
	}
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	parent := ids.ContainerID(id.GetParent().GetValue())
	if _, _, err := snap.taskOf(parent); err != nil {
		return err
	}
	spec, err := launch.Process(c.GetCommand(), c.GetContainer())
	if err != nil {
		return err
	}
	live, reader, err := s.sessions.Launch(r.Context(), sessionID(id), isolator.ID(parent), spec)
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

// attachOutput answers with what a session, or a task, writes from now on.
func (s *server) attachOutput(w http.ResponseWriter, r *http.Request, c *agent.Call_AttachContainerOutput) error {
	if c.GetContainerId().GetParent() == nil {
		return s.followTask(w, r, ids.ContainerID(c.GetContainerId().GetValue()))
	}
	live, err := s.sessions.Find(sessionID(c.GetContainerId()))
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

const (
	// followPoll is how often a task's output is looked at.
	followPoll = 100 * time.Millisecond
	// followBytes is the largest piece of it.
	followBytes = 64 << 10
)

// followTask answers with what a task writes to its files from now on, until it
// ends.
func (s *server) followTask(w http.ResponseWriter, r *http.Request, id ids.ContainerID) error {
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	f, t, err := snap.taskOf(id)
	if err != nil {
		return err
	}
	root := runOf(f, t).Path(s.workDir)
	files := []*followed{
		{place: sandbox.Place{Root: root, Rel: logger.Stdout}, of: agent.ProcessIO_Data_STDOUT},
		{place: sandbox.Place{Root: root, Rel: logger.Stderr}, of: agent.ProcessIO_Data_STDERR},
	}
	for _, f := range files {
		if _, f.at, err = sandbox.Read(f.place, 0, 0); err != nil && !errors.Is(err, errs.NotFound) {
			return err
		}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	out, err := openOutput(w, r)
	if err != nil {
		return err
	}
	poll, beat := time.NewTicker(followPoll), time.NewTicker(streamHeartbeat)
	defer poll.Stop()
	defer beat.Stop()
	for ended := false; !ended; {
		select {
		case <-poll.C:
			// First: what was written before the end is there then.
			snap, err := s.snapshot(r.Context())
			if err != nil {
				return nil
			}
			_, _, err = snap.taskOf(id)
			ended = err != nil
			for _, f := range files {
				if f.send(out) != nil {
					return nil
				}
			}
		case <-beat.C:
			if out.heartbeat() != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

// followed is a file that grows.
type followed struct {
	place sandbox.Place
	of    agent.ProcessIO_Data_Type
	at    int64
}

// send writes what is new. A file that became shorter, or is gone, was begun anew.
func (f *followed) send(out *outputStream) error {
	for {
		data, size, err := sandbox.Read(f.place, f.at, followBytes)
		if errors.Is(err, errs.NotFound) {
			f.at = 0
			return nil
		}
		if err != nil {
			return err
		}
		if size < f.at {
			f.at = 0
			continue
		}
		if len(data) == 0 {
			return nil
		}
		if err := out.data(f.of, data); err != nil {
			return err
		}
		f.at += int64(len(data))
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
	live, err := s.sessions.Find(sessionID(c.GetContainerId()))
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
func (s *server) waitSession(ctx context.Context, id *v1.ContainerID) (*agent.Response_WaitNestedContainer, error) {
	live, err := s.sessions.Find(sessionID(id))
	if err != nil {
		return nil, err
	}
	code, unknown, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	answer := &agent.Response_WaitNestedContainer{}
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

// killSession signals a session's process; SIGKILL unless another is named.
func (s *server) killSession(ctx context.Context, id *v1.ContainerID, sig *int32) error {
	live, err := s.sessions.Find(sessionID(id))
	if err != nil {
		return err
	}
	number := syscall.SIGKILL
	if sig != nil {
		number = syscall.Signal(*sig)
	}
	if number <= 0 || number > 64 {
		return fmt.Errorf("there is no signal %d: %w", int(number), errs.Invalid)
	}
	return live.Signal(ctx, number)
}
