// Command mesosgovolume is a scheduler on the mesos-go library (v1 HTTP API) that
// reserves, makes a persistent volume and writes to it in one ACCEPT, reads from it by
// another task, and takes all back. It is built in GOPATH mode against the packaged
// library, so no code of mezzo is in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

var (
	master   = flag.String("master", "127.0.0.1:5050", "host:port of the master")
	codec    = flag.String("codec", "protobuf", "protobuf or json")
	refined  = flag.Bool("refined", false, "subscribe with MULTI_ROLE and RESERVATION_REFINEMENT")
	deadline = flag.Duration("deadline", 2*time.Minute, "give up after")
)

const (
	role, principal = "db", "ops"
	volumeID        = "data"
)

func main() {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *deadline)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mesosgovolume:", err)
		os.Exit(1)
	}
	fmt.Println("all is given back")
}

// framework goes through steps: each begins with an offer, and all but the last end
// with a task that finished.
type framework struct {
	caller  calls.Caller
	step    int
	waiting bool // for a task
	done    bool
}

func run(ctx context.Context) error {
	c := codecs.ByMediaType[codecs.MediaTypeProtobuf]
	if *codec == "json" {
		c = codecs.ByMediaType[codecs.MediaTypeJSON]
	}
	f := &framework{caller: httpsched.NewCaller(httpcli.New(
		httpcli.Endpoint("http://"+*master+"/api/v1/scheduler"), httpcli.Codec(c), httpcli.Do(httpcli.With(httpcli.Timeout(*deadline))),
	))}
	info := &mesos.FrameworkInfo{User: "root", Name: "mesosgovolume-" + *codec, Principal: text(principal), Role: text(role)}
	if *refined {
		info.Role, info.Roles = nil, []string{role}
		info.Capabilities = []mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE}, {Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT},
		}
	}
	resp, err := f.caller.Call(ctx, calls.Subscribe(info))
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer resp.Close()
	for !f.done {
		var e scheduler.Event
		if err := resp.Decode(&e); errors.Is(err, io.EOF) {
			return errors.New("the stream ended")
		} else if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		if err := f.handle(ctx, &e); err != nil {
			return fmt.Errorf("step %d: %w", f.step, err)
		}
	}
	return calls.CallNoData(ctx, f.caller, &scheduler.Call{Type: scheduler.Call_TEARDOWN})
}

func (f *framework) handle(ctx context.Context, e *scheduler.Event) error {
	switch e.GetType() {
	case scheduler.Event_SUBSCRIBED:
		id, inner := e.GetSubscribed().GetFrameworkID().GetValue(), f.caller
		f.caller = calls.CallerFunc(func(ctx context.Context, c *scheduler.Call) (mesos.Response, error) {
			c.FrameworkID = &mesos.FrameworkID{Value: id}
			return inner.Call(ctx, c)
		})
	case scheduler.Event_OFFERS:
		for i := range e.GetOffers().GetOffers() {
			o := &e.GetOffers().Offers[i]
			ops, err := f.operations(o)
			if err != nil {
				return err
			}
			if err := calls.CallNoData(ctx, f.caller, calls.Accept(calls.OfferOperations(ops).WithOffers(o.ID)).With(calls.RefuseSeconds(0))); err != nil {
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

// operations are what this step does with an offer.
func (f *framework) operations(o *mesos.Offer) ([]mesos.Offer_Operation, error) {
	if f.waiting {
		return nil, nil
	}
	volume, reserved := f.find(o)
	switch f.step {
	case 0:
		f.waiting = true
		return []mesos.Offer_Operation{
			calls.OpReserve(f.reserved("cpus", 0.5), f.reserved("mem", 64), f.reserved("disk", 32)), calls.OpCreate(f.volume()),
			f.launch(o, "writer", "echo kept > data/file"),
		}, nil
	case 1:
		if volume == nil {
			return nil, nil // offered once the first task gave it back
		}
		f.waiting = true
		return []mesos.Offer_Operation{f.launch(o, "reader", "grep -q kept data/file")}, nil
	case 2:
		if volume == nil {
			return nil, nil
		}
		f.step = 3
		return []mesos.Offer_Operation{
			calls.OpDestroy(f.volume()), calls.OpUnreserve(f.reserved("cpus", 0.5), f.reserved("mem", 64), f.reserved("disk", 32)),
		}, nil
	default:
		f.done = !reserved
		return nil, nil
	}
}

// find looks for the volume, and for anything reserved to our role.
func (f *framework) find(o *mesos.Offer) (volume *mesos.Resource, reserved bool) {
	for i := range o.Resources {
		r := &o.Resources[i]
		reserved = reserved || r.GetRole() == role || len(r.GetReservations()) > 0
		if r.GetDisk().GetPersistence().GetID() == volumeID {
			volume = r
		}
	}
	return volume, reserved
}

// reserved is an amount, reserved to our role in the form that we subscribed with.
func (f *framework) reserved(name string, amount float64) mesos.Resource {
	r := mesos.Resource{Name: name, Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: amount}}
	if *refined {
		r.Reservations = []mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: text(role), Principal: text(principal)}}
		r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: text(role)}
	} else {
		r.Role, r.Reservation = text(role), &mesos.Resource_ReservationInfo{Principal: text(principal)}
	}
	return r
}

func (f *framework) volume() mesos.Resource {
	r := f.reserved("disk", 32)
	r.Disk = &mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{ID: volumeID, Principal: text(principal)},
		Volume:      &mesos.Volume{ContainerPath: "data", Mode: mesos.RW.Enum()},
	}
	return r
}

func (f *framework) launch(o *mesos.Offer, id, command string) mesos.Offer_Operation {
	fmt.Println("launch", id)
	return calls.OpLaunch(mesos.TaskInfo{
		Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: o.AgentID, Command: &mesos.CommandInfo{Value: text(command)},
		Resources: []mesos.Resource{f.reserved("cpus", 0.5), f.reserved("mem", 64), f.volume()},
	})
}

func (f *framework) update(ctx context.Context, s mesos.TaskStatus) error {
	fmt.Println(s.TaskID.Value, s.GetState(), s.GetMessage())
	if len(s.GetUUID()) > 0 {
		if err := calls.CallNoData(ctx, f.caller, calls.Acknowledge(s.GetAgentID().GetValue(), s.TaskID.Value, s.UUID)); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	switch s.GetState() {
	case mesos.TASK_FINISHED:
		f.step, f.waiting = f.step+1, false
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING:
	default:
		return fmt.Errorf("%s is %s: %s", s.TaskID.Value, s.GetState(), s.GetMessage())
	}
	return nil
}

func text(s string) *string { return &s }
