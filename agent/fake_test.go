package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// fakeContainers plays processes by the first word of their command:
//
//	sleep     runs until a signal
//	stubborn  ignores SIGTERM
//	exit      ends at once with its argument as status
//	pull      never gets its image
//	fail      does not start
//	lose      starts, but its launch is told to have failed
type fakeContainers struct {
	mu      sync.Mutex
	running map[isolator.ID]*fakeProcess
	past    map[isolator.ID]bool // destroyed
	orphans []isolator.ID

	signalled  map[isolator.ID]int
	health     int                                     // exit code of further processes
	resist     int                                     // Destroys that fail
	sample     func(containerizer.Spec) isolator.Usage // nil: always the same
	layerBytes int64                                   // written over each image
	deaf       int                                     // Signals that fail for want of a containerd
}

type fakeProcess struct {
	spec containerizer.Spec
	exit chan struct{} // closed once it ended
	term containerizer.Termination
}

func newFakeContainers() *fakeContainers {
	return &fakeContainers{running: make(map[isolator.ID]*fakeProcess), past: make(map[isolator.ID]bool), signalled: make(map[isolator.ID]int)}
}

func (f *fakeContainers) Launch(ctx context.Context, s containerizer.Spec) (containerizer.Launched, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var word string
	var status int
	fmt.Sscan(s.Value, &word, &status)
	p := &fakeProcess{spec: s, exit: make(chan struct{})}
	switch word {
	case "pull":
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return containerizer.Launched{}, ctx.Err()
	case "fail":
		return containerizer.Launched{}, fmt.Errorf("image %q: %w", s.Image, errs.NotFound)
	case "exit":
		p.end(status)
	}
	if err := os.WriteFile(filepath.Join(s.Sandbox, "stdout"), []byte("hello from "+s.Value+"\n"), 0o644); err != nil {
		return containerizer.Launched{}, err
	}
	f.running[s.ID] = p
	if word == "lose" {
		return containerizer.Launched{}, fmt.Errorf("start: %w", errs.Corrupt)
	}
	return containerizer.Launched{PID: 42}, nil
}

func (p *fakeProcess) end(code int) {
	p.term = containerizer.Termination{Code: code, Usage: isolator.Usage{At: time.Now(), CPU: time.Second}}
	close(p.exit)
}

func (f *fakeContainers) find(id isolator.ID) (*fakeProcess, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.running[id]
	if p == nil {
		return nil, fmt.Errorf("container %s: %w", id, errs.NotFound)
	}
	return p, nil
}

func (f *fakeContainers) Wait(ctx context.Context, id isolator.ID) (containerizer.Termination, error) {
	p, err := f.find(id)
	if err != nil {
		return containerizer.Termination{}, err
	}
	select {
	case <-p.exit:
		return p.term, nil
	case <-ctx.Done():
		return containerizer.Termination{}, ctx.Err()
	}
}

func (f *fakeContainers) Signal(_ context.Context, id isolator.ID, sig syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf > 0 {
		f.deaf--
		return fmt.Errorf("container %s: %w", id, errs.Unavailable)
	}
	p := f.running[id]
	if p == nil || p.ended() {
		return fmt.Errorf("container %s: %w", id, errs.NotFound)
	}
	f.signalled[id]++
	if p.spec.Value == "stubborn" && sig == syscall.SIGTERM {
		return nil
	}
	p.end(128 + int(sig))
	return nil
}

func (p *fakeProcess) ended() bool {
	select {
	case <-p.exit:
		return true
	default:
		return false
	}
}

func (f *fakeContainers) Destroy(_ context.Context, id isolator.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.resist > 0 {
		f.resist--
		return fmt.Errorf("container %s: device or resource busy", id)
	}
	if p := f.running[id]; p != nil && !p.ended() {
		p.end(137)
	}
	delete(f.running, id)
	f.past[id] = true
	return nil
}

func (f *fakeContainers) DiskUsage(_ context.Context, id isolator.ID) (int64, error) {
	_, err := f.find(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.layerBytes, err
}

func (f *fakeContainers) Usage(_ context.Context, id isolator.ID) (isolator.Usage, error) {
	p, err := f.find(id)
	if err != nil || p.ended() {
		return isolator.Usage{}, fmt.Errorf("container %s: %w", id, errs.NotFound)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sample != nil {
		return f.sample(p.spec), nil
	}
	return isolator.Usage{At: time.Now(), CPU: time.Second, MemCurrentBytes: 4096, MemAnonBytes: 1024}, nil
}

// Recover finds what runs in f, as if f had outlived the agent before.
func (f *fakeContainers) Recover(_ context.Context, known []isolator.ID) (taken, orphans []isolator.ID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	orphans = f.orphans
	for id := range f.running {
		if slices.Contains(known, id) {
			taken = append(taken, id)
		} else {
			orphans = append(orphans, id)
		}
	}
	return taken, orphans, nil
}

func (f *fakeContainers) Update(_ context.Context, id isolator.ID, l isolator.Limits) error {
	p, err := f.find(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p.spec.Limits = l
	return nil
}

// Exec knows "true" and what ends with a number, its exit code.
func (f *fakeContainers) Exec(_ context.Context, id isolator.ID, s containerizer.ExecSpec, io containerizer.Streams) (containerizer.Process, error) {
	if _, err := f.find(id); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = io.Stdout.Write([]byte("checked\n")) // a buffer
	return fakeExec(f.health), nil
}

// fakeExec is a process that ended with that code.
type fakeExec int

func (x fakeExec) Wait(context.Context) (int, bool, error)          { return int(x), false, nil }
func (fakeExec) Resize(context.Context, containerizer.Window) error { return nil }
func (fakeExec) Signal(context.Context, syscall.Signal) error       { return nil }
func (fakeExec) Close(context.Context) error                        { return nil }

// gone tells whether a container was destroyed.
func (f *fakeContainers) gone(id isolator.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.past[id]
}

// left is how many containers are not destroyed.
func (f *fakeContainers) left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.running)
}

// fakeMaster serves AgentLink and hands each stream to the test.
type fakeMaster struct {
	link.UnimplementedAgentLinkServer
	t       *testing.T
	addr    string
	streams chan *masterStream
}

// masterStream is a stream as the test holds it.
type masterStream struct {
	t     *testing.T
	call  grpc.BidiStreamingServer[link.FromAgent, link.FromMaster]
	in    chan *link.FromAgent
	close chan struct{}
	once  sync.Once
}

func startMaster(t *testing.T) *fakeMaster {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &fakeMaster{t: t, addr: listener.Addr().String(), streams: make(chan *masterStream, 16)}
	srv := grpc.NewServer()
	link.RegisterAgentLinkServer(srv, m)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(listener)
	}()
	t.Cleanup(func() {
		srv.Stop()
		<-served
	})
	return m
}

func (m *fakeMaster) Attach(call grpc.BidiStreamingServer[link.FromAgent, link.FromMaster]) error {
	s := &masterStream{t: m.t, call: call, in: make(chan *link.FromAgent, 1024), close: make(chan struct{})}
	m.streams <- s
	received := make(chan struct{})
	go func() {
		defer close(received)
		for {
			msg, err := call.Recv()
			if err != nil {
				return
			}
			s.in <- msg
		}
	}()
	select {
	case <-s.close:
	case <-received:
	}
	return nil
}

// next is the next stream that an agent opens.
func (m *fakeMaster) next() *masterStream { return within(m.t, "a stream", m.streams) }

// within waits for something to come.
func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("no more %s", what)
		}
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func (s *masterStream) end() { s.once.Do(func() { close(s.close) }) }

func (s *masterStream) send(m *link.FromMaster) {
	s.t.Helper()
	if err := s.call.Send(m); err != nil {
		s.t.Errorf("send %v: %v", m, err)
	}
}

// hello is what the agent says first.
func (s *masterStream) hello() *link.Hello {
	s.t.Helper()
	h := within(s.t, "Hello", s.in).GetHello()
	if h == nil {
		s.t.Fatal("the first message is no Hello")
	}
	return h
}

// welcome admits the agent under an id.
func (s *masterStream) welcome(id ids.AgentID) *link.Hello {
	s.t.Helper()
	h := s.hello()
	s.send(&link.FromMaster{Message: &link.FromMaster_Welcome{Welcome: &link.Welcome{
		AgentId: id.Proto(), PingIntervalMillis: 15_000, MaxMissedPings: 5,
		Master: &v1.MasterInfo{Id: proto.String("m"), Ip: proto.Uint32(1), Port: proto.Uint32(5050), Hostname: proto.String("master")},
	}}})
	return h
}

// update is the next status update; usage may come before it.
func (s *masterStream) update() *link.StatusUpdate {
	s.t.Helper()
	for {
		if u := within(s.t, "a status update", s.in).GetStatusUpdate(); u != nil {
			return u
		}
	}
}

// usage is the next report of usage with a container in it.
func (s *masterStream) usage() *link.Usage {
	s.t.Helper()
	for {
		if u := within(s.t, "a usage report", s.in).GetUsage(); len(u.GetContainers()) > 0 && u.Node != nil {
			return u
		}
	}
}

// expect takes the next update, which has to be of that state, and acknowledges it.
func (s *masterStream) expect(state v1.TaskState) *v1.TaskStatus {
	s.t.Helper()
	u := s.update()
	if u.GetStatus().GetState() != state {
		s.t.Fatalf("got %v, want %s", u.GetStatus(), state)
	}
	s.ack(u)
	return u.GetStatus()
}

func (s *masterStream) ack(u *link.StatusUpdate) {
	s.t.Helper()
	s.send(&link.FromMaster{Message: &link.FromMaster_Acknowledge{Acknowledge: &link.Acknowledge{
		FrameworkId: u.GetFrameworkId(), TaskId: u.GetStatus().GetTaskId(), Uuid: u.GetStatus().GetUuid(),
	}}})
}

// run launches a task for agent a1.
func (s *masterStream) run(task ids.TaskID, command string) {
	s.t.Helper()
	s.send(runMessage(task, command))
}

func (s *masterStream) kill(task ids.TaskID, grace time.Duration) {
	s.t.Helper()
	s.send(&link.FromMaster{Message: &link.FromMaster_KillTask{KillTask: &link.KillTask{
		FrameworkId: ids.FrameworkID("f1").Proto(), TaskId: task.Proto(),
		KillPolicy: &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(int64(grace))}},
	}}})
}
