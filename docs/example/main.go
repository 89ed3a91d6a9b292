// Command example is a whole framework: it runs a command a number of times, wherever
// there is room, again if it is lost without its own fault, and ends when all are done.
//
//	go run ./docs/example --master=127.0.0.1:5050 --tasks=3 'echo hello; sleep 1'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
	"mezzo/resources"
	"mezzo/scheduler"
)

// batch is what the framework keeps; its handlers are called one at a time.
type batch struct {
	client  *scheduler.Client
	command string
	each    resources.Resources
	waiting []string // names of tasks to be launched
	running int
	failed  int
	done    context.CancelFunc
}

func main() {
	master := flag.String("master", "127.0.0.1:5050", "the master, several of them, or zk://…")
	tasks := flag.Int("tasks", 3, "how many times the command is run")
	each := flag.String("each", "cpus:0.1;mem:32", "what each is given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := run(ctx, *master, *each, *tasks, strings.Join(flag.Args(), " "))
	if err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
	fmt.Printf("%d of %d failed\n", b.failed, *tasks)
	if b.failed > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, master, each string, tasks int, command string) (*batch, error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	b := &batch{command: command, done: done}
	for n := range tasks {
		b.waiting = append(b.waiting, fmt.Sprintf("task-%d", n))
	}
	var err error
	if b.each, err = resources.Parse(each, resources.DefaultRole); err != nil {
		return nil, err
	}
	detector, err := election.Parse(master)
	if err != nil {
		return nil, err
	}
	b.client, err = scheduler.New(scheduler.Config{Master: detector, Framework: &v1.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("example"),
		// Without a failover_timeout, the tasks end with the framework.
	}})
	if err != nil {
		return nil, err
	}
	err = b.client.Run(ctx, scheduler.Handler{Offers: b.offers, Update: b.update})
	if len(b.waiting)+b.running == 0 && errors.Is(err, context.Canceled) {
		err = nil // it was us
	}
	return b, err
}

// offers launches as many of the waiting tasks as fit, and declines the rest.
func (b *batch) offers(ctx context.Context, offers []*v1.Offer) error {
	for _, o := range offers {
		left, err := resources.FromProto(o.GetResources())
		if err != nil {
			return err
		}
		var launch []*v1.TaskInfo
		for len(b.waiting) > 0 {
			part, ok := left.Unallocated().Find(b.each, resources.DefaultRole)
			if !ok {
				break
			}
			left, _ = left.Unallocated().Sub(part)
			launch = append(launch, b.task(b.waiting[0], o, part))
			b.waiting = b.waiting[1:]
		}
		if len(launch) == 0 {
			err = b.client.Decline(ctx, nil, o)
		} else {
			err = b.client.Launch(ctx, o, launch...)
		}
		if err != nil {
			return err
		}
		b.running += len(launch)
	}
	if len(b.waiting) == 0 {
		return b.client.Suppress(ctx)
	}
	return nil
}

func (b *batch) task(name string, on *v1.Offer, with resources.Resources) *v1.TaskInfo {
	return &v1.TaskInfo{
		Name: &name, TaskId: &v1.TaskID{Value: &name}, AgentId: on.GetAgentId(),
		Command: &v1.CommandInfo{Value: &b.command}, Resources: with.Proto(),
	}
}

// update counts ends. The client acknowledges what it returns nil for.
func (b *batch) update(ctx context.Context, s *v1.TaskStatus) error {
	name := s.GetTaskId().GetValue()
	switch s.GetState() {
	case v1.TaskState_TASK_FINISHED:
	case v1.TaskState_TASK_FAILED, v1.TaskState_TASK_KILLED, v1.TaskState_TASK_ERROR:
		b.failed++
	case v1.TaskState_TASK_LOST: // its agent is: an id is not used twice
		b.running--
		b.waiting = append(b.waiting, name+"-again")
		return b.client.Revive(ctx)
	default:
		return nil // it is on its way
	}
	fmt.Println(name, s.GetState(), s.GetMessage())
	if b.running--; b.running == 0 && len(b.waiting) == 0 {
		b.done()
	}
	return nil
}
