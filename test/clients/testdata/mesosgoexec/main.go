// Command mesosgoexec is an executor on the mesos-go library (v1 HTTP API): it
// does what a task's data says by the shell, and answers messages with the
// number of tasks that run. -codec=json speaks JSON. It is built in GOPATH mode
// against the packaged library, so no code of mezzo is in it.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/executor/calls"
	"github.com/mesos/mesos-go/api/v1/lib/executor/config"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpexec"
)

var codec = flag.String("codec", "protobuf", "protobuf or json")

func main() {
	flag.Parse()
	cfg, err := config.FromEnv()
	if err != nil {
		fail(err)
	}
	e := &own{cfg: cfg, running: map[string]*exec.Cmd{}, tasks: map[string]mesos.TaskInfo{}, updates: map[string]executor.Call_Update{}}
	if err := e.run(context.Background()); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "mesosgoexec:", err)
	os.Exit(1)
}

type own struct {
	cfg    config.Config
	sender calls.Sender

	mu      sync.Mutex
	running map[string]*exec.Cmd
	tasks   map[string]mesos.TaskInfo       // without an acknowledged update
	updates map[string]executor.Call_Update // not acknowledged, by uuid
}

var errDone = errors.New("shut down")

// run subscribes again and again, as long as the agent may be away.
func (e *own) run(ctx context.Context) error {
	c := codecs.ByMediaType[codecs.MediaTypeProtobuf]
	if *codec == "json" {
		c = codecs.ByMediaType[codecs.MediaTypeJSON]
	}
	api := url.URL{Scheme: "http", Host: e.cfg.AgentEndpoint, Path: "/api/v1/executor"}
	http := httpcli.New(
		httpcli.Endpoint(api.String()), httpcli.Codec(c),
		httpcli.Do(httpcli.With(httpcli.Timeout(0))),
	)
	options := executor.CallOptions{calls.Framework(e.cfg.FrameworkID), calls.Executor(e.cfg.ExecutorID)}
	e.sender = calls.SenderWith(httpexec.NewSender(http.Send), options...)
	subscriber := calls.SenderWith(httpexec.NewSender(http.Send, httpcli.Close(true)), options...)
	for away := time.Now(); ; {
		err := e.subscribe(ctx, subscriber, &away)
		if err == errDone {
			return nil
		}
		fmt.Fprintln(os.Stderr, "disconnected:", err)
		if time.Since(away) > e.cfg.RecoveryTimeout {
			return errors.New("the agent does not come back")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (e *own) subscribe(ctx context.Context, sender calls.Sender, away *time.Time) error {
	e.mu.Lock()
	var tasks []mesos.TaskInfo
	for _, t := range e.tasks {
		tasks = append(tasks, t)
	}
	var updates []executor.Call_Update
	for _, u := range e.updates {
		updates = append(updates, u)
	}
	e.mu.Unlock()
	resp, err := sender.Send(ctx, calls.NonStreaming(calls.Subscribe(tasks, updates)))
	if resp != nil {
		defer resp.Close()
	}
	if err != nil {
		return err
	}
	for {
		var ev executor.Event
		if err := resp.Decode(&ev); err != nil {
			return err
		}
		*away = time.Now()
		if err := e.handle(ctx, &ev); err != nil {
			return err
		}
	}
}

func (e *own) handle(ctx context.Context, ev *executor.Event) error {
	switch ev.GetType() {
	case executor.Event_SUBSCRIBED:
		fmt.Println("subscribed to", ev.GetSubscribed().AgentInfo.GetHostname())
	case executor.Event_LAUNCH:
		e.launch(ctx, ev.GetLaunch().GetTask())
	case executor.Event_KILL:
		e.mu.Lock()
		defer e.mu.Unlock()
		if cmd := e.running[ev.GetKill().TaskID.Value]; cmd != nil {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	case executor.Event_ACKNOWLEDGED:
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.tasks, ev.GetAcknowledged().TaskID.Value)
		delete(e.updates, string(ev.GetAcknowledged().UUID))
	case executor.Event_MESSAGE:
		e.mu.Lock()
		n := len(e.running)
		e.mu.Unlock()
		return calls.SendNoData(ctx, e.sender, calls.NonStreaming(calls.Message([]byte(fmt.Sprintf("%s %d", ev.GetMessage().GetData(), n)))))
	case executor.Event_SHUTDOWN:
		e.shutdown()
		return errDone
	case executor.Event_ERROR:
		return errors.New(ev.GetError().GetMessage())
	}
	return nil
}

// shutdown ends all tasks and waits until their ends are told.
func (e *own) shutdown() {
	e.mu.Lock()
	for _, cmd := range e.running {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	e.mu.Unlock()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		e.mu.Lock()
		n := len(e.running)
		e.mu.Unlock()
		if n == 0 {
			time.Sleep(100 * time.Millisecond)
			return
		}
	}
}

func (e *own) launch(ctx context.Context, t mesos.TaskInfo) {
	cmd := exec.Command("sh", "-c", string(t.GetData()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	e.mu.Lock()
	e.tasks[t.TaskID.Value] = t
	err := cmd.Start()
	if err == nil {
		e.running[t.TaskID.Value] = cmd
	}
	e.mu.Unlock()
	if err != nil {
		e.tell(ctx, t, mesos.TASK_FAILED)
		return
	}
	e.tell(ctx, t, mesos.TASK_RUNNING)
	go func() {
		state := mesos.TASK_FINISHED
		if err := cmd.Wait(); err != nil {
			state = mesos.TASK_FAILED
		}
		if cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			state = mesos.TASK_KILLED
		}
		e.mu.Lock()
		delete(e.running, t.TaskID.Value)
		e.mu.Unlock()
		e.tell(ctx, t, state)
	}()
}

func (e *own) tell(ctx context.Context, t mesos.TaskInfo, state mesos.TaskState) {
	uuid := make([]byte, 16)
	rand.Read(uuid)
	source := mesos.SOURCE_EXECUTOR
	update := calls.Update(mesos.TaskStatus{
		TaskID: t.TaskID, State: &state, Source: &source, ExecutorID: &mesos.ExecutorID{Value: e.cfg.ExecutorID}, UUID: uuid,
	})
	e.mu.Lock()
	e.updates[string(uuid)] = *update.Update
	e.mu.Unlock()
	if err := calls.SendNoData(ctx, e.sender, calls.NonStreaming(update)); err != nil {
		fmt.Fprintln(os.Stderr, "update:", err) // it goes with the next SUBSCRIBE
	}
}
