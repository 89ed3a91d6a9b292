package cli_test

// Goal: `mezzo run` is a framework that gets its task run, passes on its
// output, and ends with its exit code, whatever comes between. Method: a fake
// master plays the other side of the stream; a fake agent has the files.

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/labels"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	wire "mezzo/api/mesos/v1/scheduler"
	"mezzo/api/mesosjson"
	"mezzo/cli"
)

const oneAgent = `{"type":"GET_AGENTS","get_agents":{"agents":[{"agent_info":{"hostname":"host1","id":{"value":"a1"}},"active":true,"version":"1","pid":"slave(1)@AGENT",
 "total_resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":2}},{"name":"mem","type":"SCALAR","scalar":{"value":1024}}]}]}}`

// exited labels a status as the agent does.
func exited(code int) func(*v1.TaskStatus) {
	return func(s *v1.TaskStatus) { s.Labels = labels.WithExitCode(code) }
}

func TestRun(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_AGENTS, oneAgent)
	c.play = func(s *stage) {
		s.offer("small", 0.1, 1024)
		if d := s.next(wire.Call_DECLINE).GetDecline(); d.GetOfferIds()[0].GetValue() != "small" {
			t.Errorf("declined %v", d)
		}
		task := s.launch()
		s.update(task.GetTaskId(), v1.TaskState_TASK_STARTING, func(u *v1.TaskStatus) { u.Message = proto.String("pulling app") })
		s.next(wire.Call_ACKNOWLEDGE)
		c.write("/sandbox/stdout", "early ")
		s.update(task.GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
		s.next(wire.Call_ACKNOWLEDGE)
		c.write("/sandbox/stdout", "late\n")
		c.write("/sandbox/stderr", "oops\n")
		s.update(task.GetTaskId(), v1.TaskState_TASK_FAILED, func(u *v1.TaskStatus) {
			exited(3)(u)
			u.Message = proto.String("Command exited with status 3")
		})
		s.next(wire.Call_ACKNOWLEDGE)
		s.next(wire.Call_TEARDOWN)
	}
	r := c.run("run", "--image=registry:5000/team/app:1", "--cpus=0.5", "--mem=64", "--", "sh", "-c", "exit 3")
	if r.code != 3 || r.stdout != "early late\n" || !strings.Contains(r.stderr, "oops\n") {
		t.Errorf("code %d, stdout %q, stderr:\n%s", r.code, r.stdout, r.stderr)
	}
	for _, line := range []string{
		": sent to host1 with cpus:0.5 mem:64MiB\n", ": STARTING: pulling app\n", ": RUNNING\n", ": FAILED: Command exited with status 3\n",
	} {
		if !strings.Contains(r.stderr, line) {
			t.Errorf("stderr lacks %q:\n%s", line, r.stderr)
		}
	}
}

// TestRunTaskInfo: what is typed is what is launched.
func TestRunTaskInfo(t *testing.T) {
	c := newCluster(t)
	launched := make(chan *v1.TaskInfo, 1)
	c.play = func(s *stage) {
		task := s.launch()
		launched <- task
		s.update(task.GetTaskId(), v1.TaskState_TASK_FINISHED, nil)
	}
	r := c.run("run", "-q", "--image=busybox:1.36", "--name=web", "--cpus=0.5", "--mem=64MiB", "--cpu-limit=1", "--mem-limit=none",
		"-e", "A=1=2", "-e", "B=", "-e", "A=3", "--user=1000:1000", "-v", "/srv:/data:ro", "-v", "/tmp:/tmp",
		"--kill-grace=6s", "--timeout=1m", "--health-http=80/live?x=1", "--health-failures=5", "--", "echo", "--cpus", "hi")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("code %d: %v\n%s", r.code, r.err, r.stderr)
	}
	task := <-launched
	if !strings.HasPrefix(task.GetTaskId().GetValue(), "web-") {
		t.Errorf("task id %q", task.GetTaskId().GetValue())
	}
	task.TaskId.Value = proto.String("id")
	want := &v1.TaskInfo{}
	err := mesosjson.Unmarshal([]byte(`{"name":"web","task_id":{"value":"id"},"agent_id":{"value":"a1"},
	 "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"mem","type":"SCALAR","scalar":{"value":64}}],
	 "command":{"value":"echo","shell":false,"user":"1000:1000","arguments":["echo","--cpus","hi"],
	  "environment":{"variables":[{"name":"A","value":"3","type":"VALUE"},{"name":"B","value":"","type":"VALUE"}]}},
	 "container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"busybox:1.36"}}},
	  "volumes":[{"host_path":"/srv","container_path":"/data","mode":"RO"},{"host_path":"/tmp","container_path":"/tmp","mode":"RW"}]},
	 "health_check":{"type":"HTTP","http":{"port":80,"path":"/live?x=1"},"delay_seconds":0,"interval_seconds":10,"timeout_seconds":20,"grace_period_seconds":10,"consecutive_failures":5},
 "limits":{"cpus":{"value":1},"mem":{"value":"Infinity"}},
	 "kill_policy":{"grace_period":{"nanoseconds":6000000000}},"max_completion_time":{"nanoseconds":60000000000}}`), want)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(task, want) {
		t.Errorf("task\n%v\nwant\n%v", task, want)
	}
}

func TestRunExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		state  v1.TaskState
		change func(*v1.TaskStatus)
		want   int
	}{
		{"finished", v1.TaskState_TASK_FINISHED, exited(0), 0},
		{"its own", v1.TaskState_TASK_FAILED, exited(7), 7},
		{"by a signal", v1.TaskState_TASK_FAILED, exited(139), 139},
		{"killed by somebody", v1.TaskState_TASK_KILLED, nil, 137},
		{"killed, ended kindly", v1.TaskState_TASK_KILLED, exited(143), 143},
		{"over its memory", v1.TaskState_TASK_FAILED, func(s *v1.TaskStatus) { s.Reason = v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum() }, 137},
		{"killed, ended well", v1.TaskState_TASK_KILLED, exited(0), 137},
		{"failed, ended well", v1.TaskState_TASK_FAILED, exited(0), 1},
		{"never ran", v1.TaskState_TASK_FAILED, func(s *v1.TaskStatus) { s.Reason = v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED.Enum() }, 125},
		{"no such command", v1.TaskState_TASK_FAILED, func(s *v1.TaskStatus) {
			exited(127)(s)
			s.Reason = v1.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED.Enum()
		}, 127},
		{"refused", v1.TaskState_TASK_ERROR, nil, 125},
		{"lost", v1.TaskState_TASK_GONE, nil, 125},
		{"dropped", v1.TaskState_TASK_DROPPED, nil, 125},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t)
			c.set(master.Call_GET_AGENTS, oneAgent)
			c.play = func(s *stage) { s.update(s.launch().GetTaskId(), tc.state, tc.change) }
			if r := c.run("run", "--", "true"); r.code != tc.want {
				t.Errorf("exit code %d, want %d: %v\n%s", r.code, tc.want, r.err, r.stderr)
			}
		})
	}
}

// TestRunTriesAgain: an offer that was taken back meanwhile is no failure.
func TestRunTriesAgain(t *testing.T) {
	c := newCluster(t)
	c.play = func(s *stage) {
		s.update(s.launch().GetTaskId(), v1.TaskState_TASK_DROPPED, func(u *v1.TaskStatus) {
			u.Reason, u.Uuid = v1.TaskStatus_REASON_INVALID_OFFERS.Enum(), nil
		})
		s.next(wire.Call_REVIVE)
		s.update(s.launch().GetTaskId(), v1.TaskState_TASK_FINISHED, nil)
	}
	if r := c.run("run", "--", "true"); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
}

// TestRunUnread: a task whose output nobody reads any more is killed, and the
// reason is what run ends with.
func TestRunUnread(t *testing.T) {
	c := newCluster(t)
	c.set(master.Call_GET_AGENTS, oneAgent)
	c.play = func(s *stage) {
		task := s.launch()
		c.write("/sandbox/stdout", "first\n")
		s.update(task.GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
		call := s.any()
		for call != nil && call.GetType() != wire.Call_KILL {
			call = s.any() // among which the acknowledgement is
		}
		if call.GetKill().GetTaskId().GetValue() != task.GetTaskId().GetValue() {
			t.Errorf("killed %v", call)
		}
		s.update(task.GetTaskId(), v1.TaskState_TASK_KILLED, exited(143))
	}
	stdout := failingWriter{err: syscall.ENOSPC}
	r := executeWith(t, cli.Deps{Stdout: stdout}, "run", "--", "yes", "--master="+c.addr())
	if r.code != 125 || !errors.Is(r.err, syscall.ENOSPC) || !strings.Contains(r.stderr, ": pass on output: no space left on device\n") {
		t.Errorf("code %d, %v, stderr:\n%s", r.code, r.err, r.stderr)
	}
}

func TestRunDetached(t *testing.T) {
	c := newCluster(t)
	c.play = func(s *stage) {
		s.update(s.launch().GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
	}
	r := c.run("run", "--detach", "--name=web", "--", "sleep", "1000")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "web-") {
		t.Errorf("code %d, stdout %q\n%s", r.code, r.stdout, r.stderr)
	}
	close(c.called)
	for call := range c.called {
		if call.GetType() == wire.Call_TEARDOWN || call.GetType() == wire.Call_KILL {
			t.Errorf("the task is not left alone: %v", call)
		}
	}

	play := c.play
	c = newCluster(t)
	c.play = play
	r = c.run("run", "--detach", "-o", "json", "--", "sleep", "1000")
	if status := (&v1.TaskStatus{}); mesosjson.Unmarshal([]byte(r.stdout), status) != nil || status.GetState() != v1.TaskState_TASK_RUNNING {
		t.Errorf("json: code %d, stdout %q\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestRunInterrupted(t *testing.T) {
	t.Run("while waiting", func(t *testing.T) {
		c := newCluster(t)
		interrupts := make(chan os.Signal, 1)
		c.play = func(s *stage) {
			interrupts <- interrupt
			s.next(wire.Call_TEARDOWN)
		}
		if r := execute(t, interrupts, "run", "--", "true", "--master="+c.addr()); r.code != 130 {
			t.Errorf("exit code %d: %v\n%s", r.code, r.err, r.stderr)
		}
	})
	t.Run("once", func(t *testing.T) {
		c := newCluster(t)
		c.set(master.Call_GET_AGENTS, oneAgent)
		interrupts := make(chan os.Signal, 1)
		c.play = func(s *stage) {
			task := s.launch()
			s.update(task.GetTaskId(), v1.TaskState_TASK_RUNNING, nil)
			s.next(wire.Call_ACKNOWLEDGE)
			interrupts <- interrupt
			if k := s.next(wire.Call_KILL).GetKill(); k.GetTaskId().GetValue() != task.GetTaskId().GetValue() {
				t.Errorf("killed %v", k)
			}
			c.write("/sandbox/stdout", "bye\n")
			s.update(task.GetTaskId(), v1.TaskState_TASK_KILLED, exited(143))
		}
		r := execute(t, interrupts, "run", "--", "true", "--master="+c.addr())
		if r.code != 130 || r.stdout != "bye\n" {
			t.Errorf("exit code %d, stdout %q: %v\n%s", r.code, r.stdout, r.err, r.stderr)
		}
	})
	t.Run("twice", func(t *testing.T) {
		c := newCluster(t)
		interrupts := make(chan os.Signal, 1)
		c.play = func(s *stage) {
			s.launch()
			interrupts <- interrupt
			s.next(wire.Call_KILL)
			interrupts <- interrupt
			s.next(wire.Call_TEARDOWN)
		}
		if r := execute(t, interrupts, "run", "--", "true", "--master="+c.addr()); r.code != 130 {
			t.Errorf("exit code %d: %v\n%s", r.code, r.err, r.stderr)
		}
	})
}

func TestRunRefused(t *testing.T) {
	c := newCluster(t)
	c.play = func(s *stage) {
		s.send(&wire.Event{Type: wire.Event_ERROR.Enum(), Error: &wire.Event_Error{Message: proto.String("role \"x y\" has a blank")}})
	}
	r := c.run("run", "--role=x y", "--", "true")
	if r.code != 125 || !strings.Contains(r.err.Error(), `role "x y" has a blank`) {
		t.Errorf("code %d, %v", r.code, r.err)
	}
}

func TestRunBadFlags(t *testing.T) {
	for _, tc := range []struct{ flag, says string }{
		{"--cpus=0", `--cpus "0": want a number of CPUs, at least 0.001`},
		{"--cpus=0.0004", "at least 0.001"},
		{"--cpus=many", `--cpus "many": want a number of CPUs`},
		{"--cpus=NaN", "want a number"},
		{"--mem=1B", "want a positive amount"},
		{"--image=/tmp/x.tar", `--image "/tmp/x.tar": want a reference like busybox:1.36, or file:///path`},
		{"--timeout=x", "see `mezzo run --help`"},
		{"--mem=lots", `--mem "lots": want a positive amount`},
		{"--mem=-1", "want a positive amount"},
		{"--mem=", "want a positive amount"},
		{"--mem=64XB", "want a positive amount"},
		{"--disk=x", `--disk "x"`},
		{"--cpu-limit=x", `--cpu-limit "x": want a number of CPUs, at least 0.001; or none`},
		{"--cpu-limit=0.01", "--cpu-limit 0.01 is below the request, cpus:0.1"},
		{"--mem-limit=1", "is below the request"},
		{"--env==x", `--env "=x": want KEY=VALUE`},
		{"--volume=/a", `--volume "/a": want /host/path:/container/path`},
		{"--volume=a:/b", "want /host/path"},
		{"--name=a/b", `--name "a/b"`},
		{"--kill-grace=-1s", "no negative times"},
		{"--health-delay=-1s", "no negative times"},
		{"--health-tcp=0", `--health-tcp "0": want a port`},
		{"--health-http=x/y", `--health-http "x": want a port`},
	} {
		r := execute(t, nil, "run", tc.flag, "--", "true")
		if r.code != 125 || !strings.Contains(r.err.Error(), tc.says) {
			t.Errorf("%s: code %d, %v; want one that says %q", tc.flag, r.code, r.err, tc.says)
		}
	}
	r := execute(t, nil, "run", "--cpus=0", "--env==", "--", "true")
	if lines := strings.Split(r.err.Error(), "\n"); len(lines) != 2 || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "--env") }) {
		t.Errorf("not all problems told: %q", lines)
	}
}
