// Command mesosgo is a scheduler on the mesos-go library (v1 HTTP API): it runs
// -tasks command tasks to TASK_FINISHED, tears itself down and exits 0. It is
// built in GOPATH mode against the packaged library, so no code of mezzo is in
// it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

var (
	master   = flag.String("master", "127.0.0.1:5050", "host:port of the master")
	codec    = flag.String("codec", "protobuf", "protobuf or json")
	count    = flag.Int("tasks", 3, "tasks to run")
	image    = flag.String("image", "", "image of the tasks")
	multi    = flag.Bool("multi-role", false, "subscribe with MULTI_ROLE and RESERVATION_REFINEMENT")
	role     = flag.String("role", "*", "role to subscribe with")
	deadline = flag.Duration("deadline", 2*time.Minute, "give up after")
)

func main() {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *deadline)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mesosgo:", err)
		os.Exit(1)
	}
}

type framework struct {
	caller   calls.Caller
	launched int
	finished map[string]bool
}

// What a task asks for.
const taskCPUs, taskMem = 0.1, 32

func run(ctx context.Context) error {
	c := codecs.ByMediaType[codecs.MediaTypeProtobuf]
	if *codec == "json" {
		c = codecs.ByMediaType[codecs.MediaTypeJSON]
	}
	f := &framework{
		caller: httpsched.NewCaller(httpcli.New(
			httpcli.Endpoint("http://"+*master+"/api/v1/scheduler"),
			httpcli.Codec(c),
			httpcli.Do(httpcli.With(httpcli.Timeout(*deadline))),
		)),
		finished: map[string]bool{},
	}
	info := &mesos.FrameworkInfo{User: "root", Name: "mesosgo-" + *codec}
	if *multi {
		info.Roles = []string{*role}
		info.Capabilities = []mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE},
			{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT},
		}
	} else {
		info.Role = role
	}
	resp, err := f.caller.Call(ctx, calls.Subscribe(info))
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer resp.Close()
	for len(f.finished) < *count {
		var e scheduler.Event
		if err := resp.Decode(&e); errors.Is(err, io.EOF) {
			return errors.New("the stream ended")
		} else if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		if err := f.handle(ctx, &e); err != nil {
			return err
		}
	}
	return calls.CallNoData(ctx, f.caller, &scheduler.Call{Type: scheduler.Call_TEARDOWN})
}

func (f *framework) handle(ctx context.Context, e *scheduler.Event) error {
	switch e.GetType() {
	case scheduler.Event_SUBSCRIBED:
		id := e.GetSubscribed().GetFrameworkID().GetValue()
		fmt.Println("subscribed", id)
		if id == "" || e.GetSubscribed().GetHeartbeatIntervalSeconds() <= 0 || e.GetSubscribed().GetMasterInfo().GetID() == "" {
			return errors.New("SUBSCRIBED lacks framework id, heartbeat interval or master info")
		}
		inner := f.caller
		f.caller = calls.CallerFunc(func(ctx context.Context, c *scheduler.Call) (mesos.Response, error) {
			c.FrameworkID = &mesos.FrameworkID{Value: id}
			return inner.Call(ctx, c)
		})
	case scheduler.Event_OFFERS:
		for i := range e.GetOffers().GetOffers() {
			if err := f.accept(ctx, &e.GetOffers().Offers[i]); err != nil {
				return err
			}
		}
	case scheduler.Event_UPDATE:
		return f.update(ctx, e.GetUpdate().GetStatus())
	case scheduler.Event_ERROR:
		return errors.New(e.GetError().GetMessage())
	}
	return nil
}

func (f *framework) accept(ctx context.Context, o *mesos.Offer) error {
	if has := o.GetAllocationInfo() != nil; has != *multi {
		return fmt.Errorf("offer has allocation_info: %v, want %v", has, *multi)
	}
	var cpus, mem float64
	for _, r := range o.Resources {
		switch r.Name {
		case "cpus":
			cpus += r.GetScalar().GetValue()
		case "mem":
			mem += r.GetScalar().GetValue()
		}
	}
	var tasks []mesos.TaskInfo
	for ; f.launched < *count && cpus >= taskCPUs && mem >= taskMem; cpus, mem = cpus-taskCPUs, mem-taskMem {
		f.launched++
		id := "t" + strconv.Itoa(f.launched)
		t := mesos.TaskInfo{
			Name: "mesosgo " + id, TaskID: mesos.TaskID{Value: id}, AgentID: o.AgentID, Resources: f.resources(),
			Command: &mesos.CommandInfo{Value: proto("echo hello from $0"), Shell: boolean(true)},
		}
		if *image != "" {
			t.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Mesos: &mesos.ContainerInfo_MesosInfo{
				Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: *image}},
			}}
		}
		tasks = append(tasks, t)
	}
	return calls.CallNoData(ctx, f.caller, calls.Accept(calls.OfferOperations{calls.OpLaunch(tasks...)}.WithOffers(o.ID)).With(calls.RefuseSeconds(0)))
}

// resources of one task, allocated to our role where offers say theirs.
func (f *framework) resources() []mesos.Resource {
	out := []mesos.Resource{resources.NewCPUs(taskCPUs).Resource, resources.NewMemory(taskMem).Resource}
	if *multi {
		for i := range out {
			out[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: role}
		}
	}
	return out
}

func (f *framework) update(ctx context.Context, s mesos.TaskStatus) error {
	fmt.Println(s.TaskID.Value, s.GetState(), s.GetMessage())
	if len(s.GetUUID()) > 0 {
		ack := calls.Acknowledge(s.GetAgentID().GetValue(), s.TaskID.Value, s.UUID)
		if err := calls.CallNoData(ctx, f.caller, ack); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	switch s.GetState() {
	case mesos.TASK_FINISHED:
		f.finished[s.TaskID.Value] = true
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING:
	default:
		return fmt.Errorf("%s is %s: %s", s.TaskID.Value, s.GetState(), s.GetMessage())
	}
	return nil
}

func proto(s string) *string { return &s }
func boolean(b bool) *bool   { return &b }
