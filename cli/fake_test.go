package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/api/mesosjson"
	"mezzo/api/recordio"
	"mezzo/cli"
)

// now is when the tests' commands run, in seconds since the epoch.
const now = 1_800_000_000

// cluster answers the calls of the commands as master and as agent.
type cluster struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	answers map[master.Call_Type]string // operator calls: the response in JSON
	refuse  map[master.Call_Type]string // or the sentence of a 404, of a 409 if it begins so
	other   master.Response_Type        // or what is answered instead
	got     []*master.Call
	roles   string            // the master's /roles
	state   string            // the agent's /state
	files   map[string]string // by path, of the agent

	// play is the master's side of a scheduler's stream.
	play   func(*stage)
	called chan *wire.Call // the scheduler's calls
}

// stage is one scheduler's stream.
type stage struct {
	c   *cluster
	w   *recordio.Writer
	f   http.Flusher
	ctx context.Context
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{
		t: t, answers: make(map[master.Call_Type]string), refuse: make(map[master.Call_Type]string),
		files: make(map[string]string), called: make(chan *wire.Call, 100),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1", c.operator)
	mux.HandleFunc("POST /api/v1/scheduler", c.scheduler)
	mux.HandleFunc("GET /roles", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.roles) })
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.state) })
	mux.HandleFunc("GET /files/download", c.download)
	c.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c
}

func (c *cluster) addr() string { return c.server.Listener.Addr().String() }

// set makes text the answer to calls of that type; AGENT becomes the address of
// the fake agent.
func (c *cluster) set(t master.Call_Type, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[t] = strings.ReplaceAll(text, "AGENT", c.addr())
}

func (c *cluster) operator(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	call := &master.Call{}
	if err := codec.Protobuf.Unmarshal(body, call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, call)
	if text, ok := c.refuse[call.GetType()]; ok {
		status := http.StatusNotFound
		if rest, ok := strings.CutPrefix(text, "409 "); ok {
			text, status = rest, http.StatusConflict
		}
		http.Error(w, text, status)
		return
	}
	text, ok := c.answers[call.GetType()]
	if !ok {
		text = "{}"
	}
	resp := &master.Response{}
	if err := mesosjson.Unmarshal([]byte(text), resp); err != nil {
		c.t.Errorf("canned answer: %v", err)
	}
	resp.Type = master.Response_Type(master.Response_Type_value[call.GetType().String()]).Enum()
	if c.other != master.Response_UNKNOWN {
		resp.Type = c.other.Enum()
	}
	b, _ := codec.Protobuf.Marshal(resp)
	_, _ = w.Write(b)
}

func (c *cluster) download(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	text, ok := c.files[r.URL.Query().Get("path")]
	c.mu.Unlock()
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

func (c *cluster) write(path, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[path] += text
}

func (c *cluster) scheduler(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	call := &wire.Call{}
	if err := codec.Protobuf.Unmarshal(body, call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if call.GetType() != wire.Call_SUBSCRIBE {
		c.called <- call // before the answer, so that calls stay in order
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Mesos-Stream-Id", "s")
	s := &stage{c: c, w: recordio.NewWriter(w), f: w.(http.Flusher), ctx: r.Context()}
	s.send(&wire.Event{Type: wire.Event_SUBSCRIBED.Enum(), Subscribed: &wire.Event_Subscribed{FrameworkId: &v1.FrameworkID{Value: proto.String("fw")}}})
	c.play(s)
	<-s.ctx.Done()
}

func (s *stage) send(ev *wire.Event) {
	b, err := codec.Protobuf.Marshal(ev)
	if err != nil {
		s.c.t.Error(err)
	}
	_ = s.w.Write(b) // the client may be gone
	s.f.Flush()
}

// offer offers resources of the agent a1 on host1.
func (s *stage) offer(id string, cpus, mem float64) {
	scalar := func(name string, v float64) *v1.Resource {
		return &v1.Resource{Name: &name, Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: &v}}
	}
	s.send(&wire.Event{Type: wire.Event_OFFERS.Enum(), Offers: &wire.Event_Offers{Offers: []*v1.Offer{{
		Id: &v1.OfferID{Value: &id}, FrameworkId: &v1.FrameworkID{Value: proto.String("fw")},
		AgentId: &v1.AgentID{Value: proto.String("a1")}, Hostname: proto.String("host1"),
		Resources: []*v1.Resource{scalar("cpus", cpus), scalar("mem", mem)},
	}}}})
}

// next waits for a call of that type, and lets SUPPRESS pass.
func (s *stage) next(want wire.Call_Type) *wire.Call {
	for call := s.any(); ; call = s.any() {
		if call.GetType() == want || call == nil {
			return call
		}
		if call.GetType() != wire.Call_SUPPRESS {
			s.c.t.Errorf("call %v, want %v", call, want)
		}
	}
}

// any waits for a call; nil once the client has left and none is left of it.
func (s *stage) any() *wire.Call {
	select {
	case call := <-s.c.called:
		return call
	case <-s.ctx.Done():
	}
	select {
	case call := <-s.c.called:
		return call
	default:
		return nil
	}
}

// update reports a state of a task; change may add to it.
func (s *stage) update(task *v1.TaskID, state v1.TaskState, change func(*v1.TaskStatus)) {
	status := &v1.TaskStatus{TaskId: task, State: state.Enum(), AgentId: &v1.AgentID{Value: proto.String("a1")}, Uuid: []byte(state.String())}
	if change != nil {
		change(status)
	}
	s.send(&wire.Event{Type: wire.Event_UPDATE.Enum(), Update: &wire.Event_Update{Status: status}})
}

// launch offers enough, takes the ACCEPT, and makes the task's sandbox known.
func (s *stage) launch() *v1.TaskInfo {
	s.offer("o1", 4, 1024)
	ops := s.next(wire.Call_ACCEPT).GetAccept().GetOperations()
	if len(ops) == 0 {
		return &v1.TaskInfo{}
	}
	task := ops[0].GetLaunch().GetTaskInfos()[0]
	state, _ := json.Marshal(map[string]any{"frameworks": []any{map[string]any{"id": "fw", "executors": []any{
		map[string]any{"id": task.GetTaskId().GetValue(), "directory": "/sandbox"},
	}}}})
	s.c.state = string(state)
	s.c.write("/sandbox/stdout", "")
	s.c.write("/sandbox/stderr", "")
	return task
}

// result is what a command did.
type result struct {
	stdout, stderr string
	code           int
	err            error
}

// run executes a command line without the leading "mezzo".
func (c *cluster) run(args ...string) result {
	return execute(c.t, nil, append(args, "--master="+c.addr())...)
}

// execute runs a command line; "--" and what follows it stay at the end.
func execute(t *testing.T, interrupts <-chan os.Signal, args ...string) result {
	t.Helper()
	return executeWith(t, cli.Deps{Interrupts: interrupts}, args...)
}

// executeWith is execute with what d has in place of the usual.
func executeWith(t *testing.T, d cli.Deps, args ...string) result {
	t.Helper()
	for i, a := range args {
		if last := len(args) - 1; a == "--" && strings.HasPrefix(args[last], "--master=") {
			args = append(append(append([]string{}, args[:i]...), args[last]), args[i:last]...)
			break
		}
	}
	var stdout, stderr lockedBuffer
	root := &cobra.Command{Use: "mezzo", SilenceUsage: true, SilenceErrors: true}
	if d.Stdout == nil {
		d.Stdout = &stdout
	}
	d.Stderr = &stderr
	d.Env = func(string) string { return "" }
	d.Now = func() time.Time { return time.Unix(now, 0) }
	d.HTTP = &http.Client{Transport: &http.Transport{}}
	root.AddCommand(append(cli.TaskCommands(d), cli.ClusterCommands(d)...)...)
	root.SetArgs(args)
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := result{err: root.ExecuteContext(ctx)}
	r.stdout, r.stderr = stdout.String(), stderr.String()
	var exit *cli.ExitError
	switch {
	case errors.As(r.err, &exit):
		r.code = exit.Code
	case r.err != nil:
		r.code = 1
	}
	if ctx.Err() != nil {
		t.Fatalf("mezzo %s does not end; stderr:\n%s", strings.Join(args, " "), r.stderr)
	}
	return r
}

var interrupt os.Signal = syscall.SIGINT

// failingWriter takes nothing.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
