package robust

// Goal: clients that come in crowds, vanish, or never listen, cost the master no
// more than while they are there, and nobody else is kept waiting. Method: a
// master and an agent of our own; its descriptors, memory and metrics are
// watched from outside.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/recordio"
	"mezzo/test/native"
)

// crowd is what the tests of this file share: a master, an agent, and a
// framework that has to be served throughout.
type crowd struct {
	master  *daemon
	addr    string
	witness *framework
	files   int // descriptors that the master has at rest
}

func newCrowd(t *testing.T, args ...string) *crowd {
	t.Helper()
	c := &crowd{}
	c.master, c.addr = startMaster(t, append([]string{"--allocation_interval=20ms", "--offer_timeout=50ms", "--offer_sizing=whole"}, args...)...)
	node := attach(t, c.addr)
	h := honest("node")
	h.Agent.Resources = everything.Proto()
	node.greet(h)
	node.welcomed()
	// Of a role of its own, as whoever depends on offers would be.
	c.witness = subscribe(t, c.addr, &v1.FrameworkInfo{User: proto.String("root"), Name: proto.String("witness"), Role: proto.String("witness")})
	c.served(t)
	c.files = c.descriptors(t)
	return c
}

// served has the witness get an offer and a new one after it.
func (c *crowd) served(t *testing.T) {
	t.Helper()
	c.witness.t = t
	for range 2 {
		c.witness.wake()
		c.witness.offer("node")
		c.witness.rest()
	}
}

func (c *crowd) descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir(filepath.Join("/proc", itoa(c.master.cmd.Process.Pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// metric reads one number of the master's.
func (c *crowd) metric(t *testing.T, name string) float64 {
	t.Helper()
	var values map[string]float64
	if err := json.Unmarshal([]byte(read(t, c.addr, "/metrics/snapshot")), &values); err != nil {
		t.Fatal(err)
	}
	v, ok := values[name]
	if !ok {
		t.Fatalf("no metric %s", name)
	}
	return v
}

// rested waits until the master is as it was, and tells if it keeps too much.
func (c *crowd) rested(t *testing.T) {
	t.Helper()
	until(t, "only the witness is connected", func() bool { return c.metric(t, "master/frameworks_connected") == 1 })
	const spare = 5 // of the tests' own connections, kept for the next request
	until(t, "descriptors are closed", func() bool { return c.descriptors(t) <= c.files+spare })
	resident, err := strconv.Atoi(strings.TrimSuffix(procStatus(t, c.master.cmd.Process.Pid, "VmRSS"), " kB"))
	if err != nil || resident > 200<<10 {
		t.Errorf("%d KiB resident, %v", resident, err)
	}
	c.served(t)
}

const subscribeRaw = "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"

// mute subscribes and reads nothing.
func mute(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn := dial(t, addr)
	if _, err := fmt.Fprintf(conn, subscribeRaw, len(subscribeJSON), subscribeJSON); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestCrowd(t *testing.T) {
	c := newCrowd(t)
	t.Run("200 that never read", func(t *testing.T) {
		var conns []net.Conn
		for range 200 {
			conns = append(conns, mute(t, c.addr))
		}
		until(t, "all are subscribed", func() bool { return c.metric(t, "master/frameworks_connected") == 201 })
		c.served(t)
		for _, conn := range conns {
			conn.Close()
		}
		c.rested(t)
	})
	t.Run("500 that come and go", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 25 {
					conn, err := net.Dial("tcp", c.addr)
					if err != nil {
						t.Error(err)
						return
					}
					fmt.Fprintf(conn, subscribeRaw, len(subscribeJSON), subscribeJSON)
					conn.Read(make([]byte, 1))
					conn.Close()
				}
			})
		}
		c.served(t)
		wg.Wait()
		c.rested(t)
		if n := strings.Count(read(t, c.addr, "/frameworks"), `"name":"short"`); n > 50 {
			t.Errorf("%d ended frameworks are remembered", n)
		}
	})
	t.Run("500 that say nothing", func(t *testing.T) {
		var conns []net.Conn
		for i := range 500 {
			conn := dial(t, c.addr)
			if i%2 == 0 {
				io.WriteString(conn, "POST /api/v1/scheduler HTTP/1.1\r\nHo")
			}
			conns = append(conns, conn)
		}
		c.served(t)
		for _, conn := range conns {
			conn.Close()
		}
		c.rested(t)
	})
	t.Run("agents that come and go", func(t *testing.T) {
		for range 100 {
			p := attach(t, c.addr)
			p.greet(honest("guest"))
			p.welcomed()
			p.end()
		}
		c.served(t)
	})
}

// TestGreed: who asks for much and reads nothing is dropped when its measure is
// full, and nobody else.
func TestGreed(t *testing.T) {
	c := newCrowd(t)
	greedy, stream := c.asker(t)
	question := reconcile(100_000)
	until(t, "it is dropped", func() bool {
		status, body := greedy.try(question)
		if status != http.StatusAccepted && status != http.StatusBadRequest {
			t.Fatalf("%d: %s", status, body)
		}
		return status == http.StatusBadRequest
	})
	c.served(t)
	rest, err := io.ReadAll(stream)
	if err != nil || !strings.Contains(string(rest), "not read fast enough") {
		t.Errorf("the stream ends with %q, %v", rest[max(0, len(rest)-300):], err)
	}
}

// TestOutOfDescriptors: a master that can open no more files serves again as soon
// as it can.
func TestOutOfDescriptors(t *testing.T) {
	limited := filepath.Join(t.TempDir(), "mezzo")
	script := "#!/bin/sh\nulimit -n 40\nexec " + native.Binary(t) + ` "$@"` + "\n"
	if err := os.WriteFile(limited, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	d := startCommand(t, exec.Command(limited, "master", "--ip=127.0.0.1", "--port=0", "--work_dir="+t.TempDir()))
	addr := d.address()
	var conns []net.Conn
	for range 100 {
		conns = append(conns, dial(t, addr))
	}
	until(t, "it has no descriptor left", func() bool {
		fds, err := os.ReadDir(filepath.Join("/proc", itoa(d.cmd.Process.Pid), "fd"))
		return err == nil && len(fds) >= 40
	})
	for _, conn := range conns {
		conn.Close()
	}
	if body := read(t, addr, "/state"); !json.Valid([]byte(body)) {
		t.Errorf("/state: %.300q", body)
	}
}

// asker is a framework that makes calls, and its stream that nobody reads.
func (c *crowd) asker(t *testing.T) (*framework, io.Reader) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(mute(t, c.addr)), nil)
	if err != nil {
		t.Fatal(err)
	}
	record, err := recordio.NewReader(resp.Body, 1<<20).Next()
	ev := &scheduler.Event{}
	if err == nil {
		err = codec.JSON.Unmarshal(record, ev)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := &framework{t: t, addr: c.addr, stream: resp.Header.Get("Mesos-Stream-Id"), info: &v1.FrameworkInfo{Id: ev.GetSubscribed().GetFrameworkId()}}
	return f, resp.Body
}

func reconcile(n int) *scheduler.Call {
	r := &scheduler.Call_Reconcile{}
	for i := range n {
		r.Tasks = append(r.Tasks, &scheduler.Call_Reconcile_Task{TaskId: &v1.TaskID{Value: proto.String(itoa(i))}})
	}
	return &scheduler.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: r}
}
