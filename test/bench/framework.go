package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
	"mezzo/scheduler"
)

// framework launches sleeping tasks one by one and notes when they run.
type framework struct {
	client *scheduler.Client
	image  string
	offers chan *v1.Offer
	status chan *v1.TaskStatus
	failed chan error
	n      int
	live   []*v1.TaskStatus
}

func subscribe(ctx context.Context, master, image string) (*framework, error) {
	at, err := election.Parse(master)
	if err != nil {
		return nil, err
	}
	client, err := scheduler.New(scheduler.Config{Master: at, Framework: &v1.FrameworkInfo{User: proto.String("root"), Name: proto.String("bench")}})
	if err != nil {
		return nil, err
	}
	f := &framework{client: client, image: image, offers: make(chan *v1.Offer, 64), status: make(chan *v1.TaskStatus, 16384), failed: make(chan error, 1)}
	go func() {
		f.failed <- client.Run(ctx, scheduler.Handler{
			Offers: func(ctx context.Context, offers []*v1.Offer) error {
				for _, o := range offers {
					select {
					case f.offers <- o:
					default: // nobody waits; it comes again
						if err := client.Decline(ctx, &v1.Filters{RefuseSeconds: proto.Float64(1)}, o); err != nil {
							return err
						}
					}
				}
				return nil
			},
			Update: func(_ context.Context, s *v1.TaskStatus) error { f.status <- s; return nil },
		})
	}()
	return f, nil
}

// launch accepts an offer with one task and returns how long it took to run.
// The rest of the agent comes back in another offer.
func (f *framework) launch(ctx context.Context) (time.Duration, error) {
	o, err := f.offer()
	if err != nil {
		return 0, err
	}
	f.n++
	task := f.task(o)
	start := time.Now()
	accept := &v1.Filters{RefuseSeconds: proto.Float64(0)}
	op := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: []*v1.TaskInfo{task}}}
	if err := f.client.Accept(ctx, []*v1.Offer{o}, []*v1.Offer_Operation{op}, accept); err != nil {
		return 0, err
	}
	s, err := f.until(task.GetTaskId().GetValue(), v1.TaskState_TASK_RUNNING)
	if err != nil {
		return 0, err
	}
	took := time.Since(start)
	f.live = append(f.live, s)
	return took, nil
}

// offer is the next one.
func (f *framework) offer() (*v1.Offer, error) {
	select {
	case o := <-f.offers:
		return o, nil
	case err := <-f.failed:
		return nil, fmt.Errorf("framework: %w", err)
	case <-time.After(time.Minute):
		return nil, errors.New("no offer within a minute")
	}
}

// large is the next offer of nearly all that the agent has.
func (f *framework) large(ctx context.Context) (*v1.Offer, error) {
	for {
		o, err := f.offer()
		if err != nil {
			return nil, err
		}
		if _, ok := scheduler.Take(o, map[string]float64{"cpus": 12, "mem": 6000}); ok {
			return o, nil
		}
		if err := f.client.Decline(ctx, &v1.Filters{RefuseSeconds: proto.Float64(0)}, o); err != nil {
			return nil, err
		}
	}
}

func scalar(name string, v float64) *v1.Resource {
	return &v1.Resource{Name: proto.String(name), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(v)}}
}

func (f *framework) task(o *v1.Offer) *v1.TaskInfo {
	id := fmt.Sprintf("bench-%d", f.n)
	return &v1.TaskInfo{
		Name: proto.String(id), TaskId: &v1.TaskID{Value: proto.String(id)}, AgentId: o.GetAgentId(),
		Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		Command:   &v1.CommandInfo{Shell: proto.Bool(false), Value: proto.String("sleep"), Arguments: []string{"sleep", "1000"}},
		Container: &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Mesos: &v1.ContainerInfo_MesosInfo{
			Image: &v1.Image{Type: v1.Image_DOCKER.Enum(), Docker: &v1.Image_Docker{Name: proto.String(f.image)}},
		}},
		KillPolicy: &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(0)}},
	}
}

// until waits for a task to be in a state.
func (f *framework) until(task string, want v1.TaskState) (*v1.TaskStatus, error) {
	timeout := time.After(time.Minute)
	for {
		select {
		case s := <-f.status:
			switch {
			case s.GetTaskId().GetValue() != task:
			case s.GetState() == want:
				return s, nil
			case s.GetState() == v1.TaskState_TASK_FAILED || s.GetState() == v1.TaskState_TASK_ERROR || s.GetState() == v1.TaskState_TASK_LOST:
				return nil, fmt.Errorf("task %s is %v: %s", task, s.GetState(), s.GetMessage())
			}
		case err := <-f.failed:
			return nil, fmt.Errorf("framework: %w", err)
		case <-timeout:
			return nil, fmt.Errorf("task %s did not become %v within a minute", task, want)
		}
	}
}

// killAll ends what launch started, and waits for it.
func (f *framework) killAll(ctx context.Context) error {
	for _, s := range f.live {
		if err := f.client.Kill(ctx, s.GetTaskId(), s.GetAgentId(), nil); err != nil {
			return err
		}
		if _, err := f.until(s.GetTaskId().GetValue(), v1.TaskState_TASK_KILLED); err != nil {
			return err
		}
	}
	f.live = nil
	return nil
}
