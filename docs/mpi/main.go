// Command mpi is a framework that runs an MPI program: it waits until the agents have
// room for all ranks, has MPICH's mpiexec say what is to be started on each, and
// launches that. It is what `mezzo mpirun` does, without its comforts.
//
//	go run ./docs/mpi --master=127.0.0.1:5050 -n 3 ./hello
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
	"mezzo/resources"
	"mezzo/scheduler"
	"mezzo/scheduler/mpich"
)

var address string // for mpiexec

// program is what the framework runs; its handlers are called one at a time.
type program struct {
	client *scheduler.Client
	argv   []string
	ranks  int
	each   resources.Resources
	held   []*v1.Offer
	ended  chan int // the exit code
}

func main() {
	master := flag.String("master", "127.0.0.1:5050", "the master, several of them, or zk://…")
	ranks := flag.Int("n", 1, "number of ranks")
	flag.StringVar(&address, "address", "", "host by which agents reach this machine; its name unless given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, *master, *ranks, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "mpi:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, master string, ranks int, argv []string) (code int, err error) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	p := &program{argv: argv, ranks: ranks, each: resources.MustParse("cpus:1;mem:128"), ended: make(chan int, 1)}
	detector, err := election.Parse(master)
	if err != nil {
		return 0, err
	}
	p.client, err = scheduler.New(scheduler.Config{Master: detector, Framework: &v1.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("mpi"), // what is left ends with the framework
	}})
	if err != nil {
		return 0, err
	}
	go func() {
		code = <-p.ended
		done()
	}()
	lost := func(context.Context, error) error { p.held = nil; return nil } // what was offered was that stream's
	if err = p.client.Run(ctx, scheduler.Handler{Disconnected: lost, Offers: p.offers, Update: p.update}); ctx.Err() != nil {
		err = nil // it was us
	}
	return code, err
}

// offers holds what is offered until all ranks fit, and launches them.
func (p *program) offers(ctx context.Context, offers []*v1.Offer) error {
	p.held = append(p.held, offers...)
	var counts []int
	var parts []resources.Resources
	left := p.ranks
	for _, o := range p.held {
		free, err := resources.FromProto(o.GetResources())
		if err != nil {
			return err
		}
		free = free.Unallocated()
		var sum resources.Resources
		n := 0
		for ; n < left; n++ {
			part, ok := free.Find(p.each, resources.DefaultRole)
			if !ok {
				break
			}
			free, _ = free.Sub(part)
			sum = sum.Add(part)
		}
		left -= n
		counts, parts = append(counts, n), append(parts, sum)
	}
	if left > 0 {
		return nil // more will be offered
	}
	held := p.held
	p.held = nil
	return p.launch(ctx, held, counts, parts)
}

func (p *program) launch(ctx context.Context, offers []*v1.Offer, counts []int, parts []resources.Resources) error {
	ranks := slices.DeleteFunc(slices.Clone(counts), func(n int) bool { return n == 0 })
	job, err := mpich.Start(ctx, mpich.Config{Ranks: ranks, Address: address, Program: p.argv, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		return err
	}
	go func() {
		code, err := job.Wait()
		if err != nil {
			fmt.Fprintln(os.Stderr, "mpi:", err)
			code = 1
		}
		p.ended <- code
	}()
	next := 0
	for i, o := range offers {
		if counts[i] == 0 {
			err = p.client.Decline(ctx, nil, o)
		} else {
			id := fmt.Sprint("host-", next)
			err = p.client.Launch(ctx, o, &v1.TaskInfo{
				Name: &id, TaskId: &v1.TaskID{Value: &id}, AgentId: o.GetAgentId(), Resources: parts[i].Proto(),
				Command: &v1.CommandInfo{Value: &job.Commands[next]},
			})
			next++
		}
		if err != nil {
			return err
		}
	}
	return p.client.Suppress(ctx)
}

// update shows how what mpiexec asked for ends.
func (p *program) update(_ context.Context, s *v1.TaskStatus) error {
	fmt.Fprintln(os.Stderr, s.GetTaskId().GetValue(), s.GetState(), s.GetMessage())
	return nil
}
