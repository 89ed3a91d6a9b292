package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/election"
	"mezzo/scheduler"
)

// row is what was measured with so many agents.
type row struct {
	agents, tasks int
	documents     [3]document // /state; GET_STATE as JSON, and as protobuf
	reported      reported
	quiet, polled latencies
	rate          float64 // of documents, while polled
	memory, empty int64   // resident bytes, with all of it and without
}

type document struct {
	took  time.Duration // the median of some
	bytes int64
}

// latencies are of offers, sorted.
type latencies []time.Duration

func (l latencies) at(part float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(len(l)-1, int(part*float64(len(l))))]
}

func measure(ctx context.Context, bin string, agents, pollers int) (row, error) {
	addr, cmd, stop, err := startMaster(ctx, bin)
	if err != nil {
		return row{}, err
	}
	defer stop()
	r := row{agents: agents, tasks: agents * frameworks * tasksOfEach}
	if r.empty, err = resident(cmd.Process.Pid); err != nil {
		return r, err
	}
	start := time.Now()
	f, err := attach(ctx, addr, agents)
	if err != nil {
		return r, err
	}
	defer f.close()
	fmt.Fprintf(os.Stderr, "bench: they are there after %v\n", time.Since(start).Round(time.Millisecond))
	if r.memory, err = resident(cmd.Process.Pid); err != nil {
		return r, err
	}
	asJSON, asProtobuf := "application/json", "application/x-protobuf"
	for i, read := range []func(*int64) error{
		func(n *int64) error { return fetch(ctx, addr, "/state", n) },
		func(n *int64) error { return getState(ctx, addr, asJSON, n) },
		func(n *int64) error { return getState(ctx, addr, asProtobuf, n) },
	} {
		r.documents[i].took, err = median(func() error {
			// Something has to change, and some time to pass, or what was made for the
			// last one would do.
			if err := f.change(); err != nil {
				return err
			}
			<-time.After(3 * time.Second)
			return nil
		}, func() error { return read(&r.documents[i].bytes) })
		if err != nil {
			return r, err
		}
	}
	if r.reported, err = f.measureReports(ctx, addr, cmd.Process.Pid); err != nil {
		return r, err
	}
	const offers = 200
	if r.quiet, err = offerLatencies(ctx, addr, offers); err != nil {
		return r, err
	}
	busy, end := context.WithCancel(ctx)
	defer end()
	var read atomic.Int64
	var group sync.WaitGroup
	for range pollers {
		group.Go(func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for busy.Err() == nil {
				if poll(busy, addr) == nil {
					read.Add(1)
				}
				select {
				case <-tick.C:
				case <-busy.Done():
				}
			}
		})
	}
	start = time.Now()
	r.polled, err = offerLatencies(ctx, addr, offers)
	r.rate = float64(read.Load()) / time.Since(start).Seconds()
	end()
	group.Wait()
	return r, err
}

// median is that of three times that the last step takes, after those before it.
func median(steps ...func() error) (time.Duration, error) {
	var took []time.Duration
	for range 3 {
		for i, step := range steps {
			start := time.Now()
			if err := step(); err != nil {
				return 0, err
			}
			if i == len(steps)-1 {
				took = append(took, time.Since(start))
			}
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// change makes the state another one.
func (f *fleet) change() error {
	return f.streams[0].Send(&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
		FrameworkId: frameworkID(0), Status: update(f.ids[0], "task-00000-0-0"),
	}}})
}

// atMost is how long offers are waited for.
const atMost = 30 * time.Second

// offerLatencies is how long a framework waits for an offer: of an agent that comes
// with something left, for who asks anew when it is refused.
func offerLatencies(ctx context.Context, addr string, n int) (latencies, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	fw, err := newFramework(ctx, addr, "waits")
	if err != nil {
		return nil, err
	}
	defer fw.stop()
	spare := hello(1 << 20)
	spare.Agent.Id, spare.Tasks, spare.Frameworks = nil, nil, nil
	spare.Address = fmt.Sprintf("10.255.0.%d:5051", n%250)
	one := &fleet{}
	defer one.close()
	if err := one.attachHello(ctx, addr, spare); err != nil {
		return nil, err
	}
	var all latencies
	enough := time.Now().Add(atMost)
	offer, err := fw.offer(ctx)
	for range n {
		if time.Now().After(enough) {
			break
		}
		if err != nil {
			return nil, err
		}
		// Refused for long, and then asked for: offered at once, not at the next round.
		if err := fw.client.Decline(ctx, &v1.Filters{RefuseSeconds: proto.Float64(3600)}, offer); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := fw.client.Revive(ctx); err != nil {
			return nil, err
		}
		offer, err = fw.offer(ctx)
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all, nil
}

// framework is a scheduler whose events come out of channels.
type framework struct {
	client  *scheduler.Client
	offers  chan *v1.Offer
	updates chan *v1.TaskStatus
	stop    func()
}

func newFramework(ctx context.Context, addr, name string) (*framework, error) {
	return takeFramework(ctx, addr, &v1.FrameworkInfo{User: proto.String("nobody"), Name: &name})
}

func takeFramework(ctx context.Context, addr string, info *v1.FrameworkInfo) (*framework, error) {
	detector, err := election.Parse(addr)
	if err != nil {
		return nil, err
	}
	f := &framework{offers: make(chan *v1.Offer, 100), updates: make(chan *v1.TaskStatus, 1<<20)}
	if f.client, err = scheduler.New(scheduler.Config{Master: detector, Framework: info}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended, subscribed := make(chan error, 1), make(chan struct{}, 1)
	go func() {
		ended <- f.client.Run(ctx, scheduler.Handler{
			Subscribed: func(context.Context, *wire.Event_Subscribed) error { subscribed <- struct{}{}; return nil },
			Offers: func(_ context.Context, list []*v1.Offer) error {
				for _, o := range list {
					f.offers <- o
				}
				return nil
			},
			Update: func(_ context.Context, s *v1.TaskStatus) error { f.updates <- s; return nil },
		})
	}()
	f.stop = func() { cancel(); <-ended }
	select {
	case <-subscribed:
		return f, nil
	case err := <-ended:
		cancel()
		return nil, err
	}
}

func (f *framework) offer(ctx context.Context) (*v1.Offer, error) {
	select {
	case o := <-f.offers:
		return o, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no offer came: %w", ctx.Err())
	}
}

const callers = 8

// measureRates is how many calls in a second schedulers get answered, and how many
// updates one framework gets and acknowledges.
func measureRates(ctx context.Context, bin string) (calls, updates float64, err error) {
	addr, _, stop, err := startMaster(ctx, bin)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	var list []*framework
	for i := range callers {
		f, err := newFramework(ctx, addr, fmt.Sprint("caller-", i))
		if err != nil {
			return 0, 0, err
		}
		defer f.stop()
		list = append(list, f)
	}
	const each = 4000
	var group sync.WaitGroup
	failed := make(chan error, callers)
	start := time.Now()
	for _, f := range list {
		group.Go(func() {
			for range each {
				if err := f.client.Suppress(ctx); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	calls = callers * each / time.Since(start).Seconds()
	select {
	case err := <-failed:
		return 0, 0, err
	default:
	}
	const agents, told = 20, 1500
	fleet, err := attach(ctx, addr, agents)
	if err != nil {
		return 0, 0, err
	}
	defer fleet.close()
	one, err := takeFramework(ctx, addr, &v1.FrameworkInfo{Id: frameworkID(0), User: proto.String("nobody"), Name: proto.String("framework-0"), FailoverTimeout: proto.Float64(3600)})
	if err != nil {
		return 0, 0, err
	}
	defer one.stop()
	start = time.Now()
	for i, s := range fleet.streams {
		group.Go(func() {
			for range told {
				_ = s.Send(&link.FromAgent{Message: &link.FromAgent_StatusUpdate{StatusUpdate: &link.StatusUpdate{
					FrameworkId: frameworkID(0), Status: update(fleet.ids[i], fmt.Sprintf("task-%05d-0-0", i)),
				}}})
			}
		})
	}
	for range agents * told {
		select {
		case <-one.updates:
		case <-time.After(time.Minute):
			return 0, 0, fmt.Errorf("updates do not come")
		}
	}
	updates = agents * told / time.Since(start).Seconds()
	group.Wait()
	return calls, updates, nil
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200, DisableCompression: true}}

// fetch reads a document to its end, and counts its bytes.
func fetch(ctx context.Context, addr, path string, size *int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	return swallow(req, size)
}

// poll reads /state as most clients do: compressed.
func poll(ctx context.Context, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/state", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	return swallow(req, nil)
}

func getState(ctx context.Context, addr, form string, size *int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/v1", bytes.NewReader([]byte(`{"type":"GET_STATE"}`)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", form)
	return swallow(req, size)
}

func swallow(req *http.Request, size *int64) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	if size != nil {
		*size = n
	}
	return err
}

func until(ctx context.Context, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// resident is the memory of a process.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return n << 10, err
}
