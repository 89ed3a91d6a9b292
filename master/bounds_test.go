package master_test

// Goal: who reads too slowly, sends rubbish or comes in crowds harms nobody
// else, and a stopping master lets go of everybody.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/internal/errs"
	"mezzo/master"
)

// TestSlowReader asks for far more than it reads, while another is served.
func TestSlowReader(t *testing.T) {
	m := start(t, nil)
	slow := rawSubscribe(t, m)
	busy := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{})
	var list []*scheduler.Call_Reconcile_Task
	for n := range 20_000 {
		list = append(list, &scheduler.Call_Reconcile_Task{TaskId: &v1.TaskID{Value: proto.String(fmt.Sprintf("%0200d", n))}})
	}
	body, err := codec.Protobuf.Marshal(&scheduler.Call{
		Type: scheduler.Call_RECONCILE.Enum(), FrameworkId: slow.id, Reconcile: &scheduler.Call_Reconcile{Tasks: list},
	})
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Content-Type": protobufType, "Mesos-Stream-Id": slow.stream}
	code := http.StatusAccepted
	for range 100 {
		if code != http.StatusAccepted {
			break
		}
		resp, _ := post(t, "http://"+m.Addr()+"/api/v1/scheduler", header, body)
		code = resp.StatusCode
		busy.mustCall(&scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{
			Tasks: []*scheduler.Call_Reconcile_Task{{TaskId: &v1.TaskID{Value: proto.String("x")}}},
		}})
		busy.await(scheduler.Event_UPDATE)
	}
	if code == http.StatusAccepted {
		t.Fatal("who reads nothing is still subscribed")
	}
	rest, _ := io.ReadAll(slow.body)
	if !bytes.Contains(rest, []byte("not read fast enough")) {
		t.Errorf("the slow reader is not told why; its stream ends with %q", rest[max(0, len(rest)-200):])
	}
}

// rawSubscriber subscribes and then reads nothing but its own id.
type rawSubscriber struct {
	body   io.Reader
	id     *v1.FrameworkID
	stream string
}

func rawSubscribe(t *testing.T, m *master.Master) *rawSubscriber {
	t.Helper()
	conn, err := net.Dial("tcp", m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	body := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`
	_, err = fmt.Fprintf(conn, "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := recordio.NewReader(resp.Body, 1<<20).Next()
	ev := &scheduler.Event{}
	if err = errors.Join(err, codec.JSON.Unmarshal(rec, ev)); err != nil {
		t.Fatal(err)
	}
	return &rawSubscriber{body: resp.Body, id: ev.GetSubscribed().GetFrameworkId(), stream: resp.Header.Get("Mesos-Stream-Id")}
}

// TestCrowd has many talk nonsense at once while one task runs its course.
func TestCrowd(t *testing.T) {
	m := start(t, nil)
	a := register(t, m, "a1", "cpus:4;mem:4096")
	var crowd sync.WaitGroup
	stop := make(chan struct{})
	for n, body := range []string{"{", `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","roles":["x"]}}}`, "\x00\xff", `{"type":"GET_STATE"}`} {
		for _, path := range []string{"/api/v1/scheduler", "/api/v1"} {
			crowd.Go(func() {
				kind := []string{jsonType, protobufType}[n%2]
				for {
					select {
					case <-stop:
						return
					default:
						resp, err := http.Post("http://"+m.Addr()+path, kind, strings.NewReader(body))
						if err == nil {
							_ = resp.Body.Close()
						}
					}
				}
			})
		}
	}
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	s.launch(s.offer(), "t1", "cpus:1")
	a.next()
	a.update(s.id, "t1", v1.TaskState_TASK_FINISHED)
	s.acknowledge(s.awaitState("t1", v1.TaskState_TASK_FINISHED))
	close(stop)
	crowd.Wait()
}

// TestStop: streams end without an ERROR, so that everybody looks for the next
// master. The rest is the fixture's: Run returns, no goroutine is left.
func TestStop(t *testing.T) {
	var s *testScheduler
	var a *testAgent
	t.Run("master", func(t *testing.T) {
		m := start(t, nil)
		a = register(t, m, "a1", "cpus:1;mem:32")
		s = subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	})
	for ev := range s.events {
		if ev.GetType() == scheduler.Event_ERROR {
			t.Errorf("stopping says %v", ev)
		}
	}
	for m := range a.heard {
		if m.GetShutdown() != nil {
			t.Errorf("stopping says %v", m)
		}
	}
}

func TestBusyPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := master.Config{IP: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	cfg.SetDefaults()
	_, err = master.New(cfg, master.Deps{Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("busy port: %v", err)
	}
}

func TestConfig(t *testing.T) {
	right := master.Default()
	if err := right.Validate(); err != nil || right.Port != master.DefaultPort {
		t.Errorf("defaults: %v", err)
	}
	wrong := master.Config{IP: "x", AdvertiseIP: "y", Port: 70000, AdvertisePort: -1, OfferTimeout: -1, Roles: []string{""}}
	err := wrong.Validate()
	for _, word := range []string{"ip", "advertise_ip", "port", "advertise_port", "hostname", "allocation_interval", "offer_timeout", "agent_ping_timeout", "max_agent_ping_timeouts", "roles"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not complained about: %v", word, err)
		}
	}
	if !errors.Is(err, errs.Invalid) {
		t.Errorf("%v is not errs.Invalid", err)
	}
}
