package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
	"mezzo/scheduler"
)

// A whole framework: it runs one command on the first offer with half a CPU and
// ends with it.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	masters, err := election.Parse("127.0.0.1:5050")
	if err != nil {
		panic(err)
	}
	c, err := scheduler.New(scheduler.Config{
		Master: masters,
		Framework: &v1.FrameworkInfo{
			User:            proto.String(""),
			Name:            proto.String("example"),
			Roles:           []string{"*"},
			FailoverTimeout: proto.Float64(60), // tasks live on while we reconnect
			Capabilities:    []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
		},
	})
	if err != nil {
		panic(err)
	}

	launched := false
	err = c.Run(ctx, scheduler.Handler{
		Offers: func(ctx context.Context, offers []*v1.Offer) error {
			for _, o := range offers {
				res, ok := scheduler.Take(o, map[string]float64{"cpus": 0.5, "mem": 64})
				if launched || !ok {
					if err := c.Decline(ctx, nil, o); err != nil {
						return err
					}
					continue
				}
				launched = true
				if err := c.Launch(ctx, o, hello(o, res)); err != nil {
					return err
				}
			}
			return nil
		},
		Update: func(ctx context.Context, s *v1.TaskStatus) error {
			fmt.Println(s.GetTaskId().GetValue(), s.GetState(), s.GetMessage())
			if s.GetState() == v1.TaskState_TASK_FINISHED {
				return c.Teardown(ctx)
			}
			return nil
		},
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		panic(err)
	}
}

func hello(o *v1.Offer, res []*v1.Resource) *v1.TaskInfo {
	return &v1.TaskInfo{
		Name:      proto.String("hello"),
		TaskId:    &v1.TaskID{Value: proto.String("hello-1")},
		AgentId:   o.GetAgentId(),
		Resources: res,
		Command:   &v1.CommandInfo{Value: proto.String("echo hello")},
	}
}
