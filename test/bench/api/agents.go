package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

const frameworks, tasksOfEach = 5, 2

// fleet is a number of agents: streams that answer pings.
type fleet struct {
	conns   []*grpc.ClientConn
	streams []grpc.BidiStreamingClient[link.FromAgent, link.FromMaster]
	ids     []*v1.AgentID
	readers sync.WaitGroup
	pause   atomic.Int64 // between two reports of usage, in milliseconds, as the master said last
}

// streamsOfEach connection: HTTP/2 servers take 250.
const streamsOfEach = 200

// attach registers agents, as if another master had known them with all their tasks.
func attach(ctx context.Context, addr string, n int) (*fleet, error) {
	f := &fleet{streams: make([]grpc.BidiStreamingClient[link.FromAgent, link.FromMaster], n), ids: make([]*v1.AgentID, n)}
	connections := n/streamsOfEach + 1
	for range connections {
		c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		f.conns = append(f.conns, c)
	}
	var workers sync.WaitGroup
	errs := make(chan error, connections)
	for w, c := range f.conns {
		workers.Go(func() {
			for i := w; i < n; i += connections {
				if err := f.attachOne(ctx, c, i); err != nil {
					errs <- fmt.Errorf("agent %d: %w", i, err)
					return
				}
			}
		})
	}
	workers.Wait()
	close(errs)
	return f, <-errs
}

// attachHello attaches one agent over a connection of its own.
func (f *fleet) attachHello(ctx context.Context, addr string, h *link.Hello) error {
	c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	f.conns = append(f.conns, c)
	_, _, err = f.say(ctx, c, h)
	return err
}

func (f *fleet) attachOne(ctx context.Context, c *grpc.ClientConn, i int) (err error) {
	f.streams[i], f.ids[i], err = f.say(ctx, c, hello(i))
	return err
}

// say opens a stream with h, and answers pings from then on.
func (f *fleet) say(ctx context.Context, c *grpc.ClientConn, h *link.Hello) (grpc.BidiStreamingClient[link.FromAgent, link.FromMaster], *v1.AgentID, error) {
	stream, err := link.NewAgentLinkClient(c).Attach(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := stream.Send(&link.FromAgent{Message: &link.FromAgent_Hello{Hello: h}}); err != nil {
		return nil, nil, err
	}
	m, err := stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	f.readers.Go(func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			if p := m.GetPing(); p != nil {
				f.pause.Store(p.GetUsageIntervalMillis())
				_ = stream.Send(&link.FromAgent{Message: &link.FromAgent_Pong{Pong: &link.Pong{}}})
			}
		}
	})
	return stream, m.GetWelcome().GetAgentId(), nil
}

func (f *fleet) close() {
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.readers.Wait()
}

func frameworkID(n int) *v1.FrameworkID {
	return &v1.FrameworkID{Value: proto.String(fmt.Sprintf("7f3c1c12-8d5c-4c77-9f0a-2b1b3f5a9c11-%04d", n))}
}

var (
	whole = allocated("cpus:10;mem:10240;disk:102400;ports:[31000-32000]")
	part  = allocated("cpus:1;mem:1024")
)

func allocated(text string) []*v1.Resource {
	return resources.MustParse(text).Proto()
}

// hello is what agent i says: all its CPUs are in use.
func hello(i int) *link.Hello {
	host := fmt.Sprintf("agent-%05d.cluster.example", i)
	id := &v1.AgentID{Value: proto.String(fmt.Sprintf("7f3c1c12-8d5c-4c77-9f0a-2b1b3f5a9c11-S%d", i))}
	h := &link.Hello{
		Agent: &v1.AgentInfo{
			Id: id, Hostname: &host, Port: proto.Int32(5051), Resources: whole,
			Attributes: []*v1.Attribute{{Name: proto.String("rack"), Type: v1.Value_TEXT.Enum(), Text: &v1.Value_Text{Value: proto.String(fmt.Sprint("r", i/40))}}},
		},
		Version: "1.0.0", Address: fmt.Sprintf("10.%d.%d.%d:5051", i>>16, i>>8&255, i&255),
	}
	for n := range frameworks {
		info := &v1.FrameworkInfo{Id: frameworkID(n), User: proto.String("nobody"), Name: proto.String(fmt.Sprint("framework-", n)), FailoverTimeout: proto.Float64(3600)}
		h.Frameworks = append(h.Frameworks, info)
		for k := range tasksOfEach {
			res := make([]*v1.Resource, len(part))
			for r := range part {
				res[r] = proto.CloneOf(part[r])
				res[r].AllocationInfo = &v1.Resource_AllocationInfo{Role: proto.String("*")}
			}
			h.Tasks = append(h.Tasks, task(info.Id, id, fmt.Sprintf("task-%05d-%d-%d", i, n, k), res))
		}
	}
	return h
}

func task(f *v1.FrameworkID, a *v1.AgentID, id string, res []*v1.Resource) *v1.Task {
	status := update(a, id)
	return &v1.Task{
		Name: proto.String("web server"), TaskId: &v1.TaskID{Value: &id}, FrameworkId: f, AgentId: a, State: v1.TaskState_TASK_RUNNING.Enum(),
		Resources: res, Statuses: []*v1.TaskStatus{status}, User: proto.String("nobody"),
		Labels: &v1.Labels{Labels: []*v1.Label{{Key: proto.String("tier"), Value: proto.String("front")}}},
	}
}

func update(a *v1.AgentID, id string) *v1.TaskStatus {
	u := uuid.New()
	return &v1.TaskStatus{
		TaskId: &v1.TaskID{Value: &id}, State: v1.TaskState_TASK_RUNNING.Enum(), AgentId: a, Uuid: u[:],
		Source: v1.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: proto.Float64(1.7e9),
		ContainerStatus: &v1.ContainerStatus{NetworkInfos: []*v1.NetworkInfo{{IpAddresses: []*v1.NetworkInfo_IPAddress{{IpAddress: proto.String("10.0.0.1")}}}}},
	}
}
