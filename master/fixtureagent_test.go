package master_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master"
)

// testAgent is an agent. What it is told comes out of heard.
type testAgent struct {
	t      testing.TB
	id     *v1.AgentID
	stream grpc.BidiStreamingClient[link.FromAgent, link.FromMaster]
	heard  chan *link.FromMaster // closed at the end of the stream
	err    error                 // why, once heard is closed
}

// attach opens a stream; it answers pings.
func attach(t testing.TB, m *master.Master, hello *link.Hello) *testAgent {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+m.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &testAgent{t: t, heard: make(chan *link.FromMaster, 1000)}
	if a.stream, err = link.NewAgentLinkClient(conn).Attach(ctx); err != nil {
		t.Fatal(err)
	}
	if hello != nil {
		a.send(&link.FromAgent{Message: &link.FromAgent_Hello{Hello: hello}})
	}
	done := make(chan struct{})
	go func() { defer close(done); a.read() }()
	t.Cleanup(func() { cancel(); <-done; _ = conn.Close() })
	return a
}

func (a *testAgent) read() {
	defer close(a.heard)
	for {
		m, err := a.stream.Recv()
		if err != nil {
			a.err = err
			return
		}
		if m.GetPing() != nil {
			_ = a.stream.Send(&link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}})
			continue
		}
		a.heard <- m
	}
}

// register attaches a new agent and waits for its Welcome.
func register(t testing.TB, m *master.Master, host, res string) *testAgent {
	t.Helper()
	a := attach(t, m, helloOf(t, host, res))
	a.id = a.next().GetWelcome().GetAgentId()
	if a.id == nil {
		t.Fatalf("agent %s is not welcome: %v", host, a.err)
	}
	return a
}

func helloOf(t testing.TB, host, res string) *link.Hello {
	return &link.Hello{
		Agent:   &v1.AgentInfo{Hostname: &host, Resources: parse(t, res)},
		Version: "1.2.3",
		Address: host + ":5051",
	}
}

// next is what the agent hears next; nil at the end of the stream.
func (a *testAgent) next() *link.FromMaster {
	a.t.Helper()
	select {
	case m := <-a.heard:
		return m
	case <-time.After(patience):
		a.t.Fatal("agent hears nothing")
		return nil
	}
}

func (a *testAgent) send(m *link.FromAgent) {
	a.t.Helper()
	if err := a.stream.Send(m); err != nil {
		a.t.Fatalf("agent cannot say %v: %v", m, err)
	}
}

// update reports a state of a task.
func (a *testAgent) update(framework *v1.FrameworkID, task string, state v1.TaskState) {
	a.t.Helper()
	id := uuid.New()
	a.send(&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
		FrameworkId: framework,
		Status: &v1.TaskStatus{
			TaskId: &v1.TaskID{Value: &task}, State: state.Enum(), Uuid: id[:],
			Source: v1.TaskStatus_SOURCE_EXECUTOR.Enum(), ExecutorId: &v1.ExecutorID{Value: &task},
			Timestamp: proto.Float64(float64(time.Now().UnixNano()) / 1e9),
		},
	}}})
}
