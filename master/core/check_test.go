package core

// Goal: everything a call, a task or a Hello can have wrong in itself is found,
// and named. Method: one right thing, each row makes it wrong in one way.

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

func TestCheckCall(t *testing.T) {
	id := ids.FrameworkID("f").Proto()
	for n, name := range scheduler.Call_Type_name {
		call := &scheduler.Call{Type: scheduler.Call_Type(n).Enum(), FrameworkId: id}
		err := CheckCall(call)
		switch call.GetType() {
		case scheduler.Call_UNKNOWN, scheduler.Call_TEARDOWN, scheduler.Call_REVIVE, scheduler.Call_SUPPRESS:
			if err != nil {
				t.Errorf("%s: %v, but it needs nothing", name, err)
			}
		default:
			if want := strings.ToLower(name) + " is missing"; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		call.FrameworkId = nil
		if call.GetType() != scheduler.Call_SUBSCRIBE && CheckCall(call) == nil {
			t.Errorf("%s: right without a framework id", name)
		}
	}
	for want, call := range map[string]*scheduler.Call{
		"call has no type": {},
		"framework_id differs from subscribe": {
			Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: id,
			Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &v1.FrameworkInfo{}},
		},
		"framework_id differs from update_framework": {
			Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(), FrameworkId: id,
			UpdateFramework: &scheduler.Call_UpdateFramework{FrameworkInfo: &v1.FrameworkInfo{}},
		},
		"uuid has 3 bytes": {
			Type: scheduler.Call_ACKNOWLEDGE.Enum(), FrameworkId: id,
			Acknowledge: &scheduler.Call_Acknowledge{Uuid: []byte("abc")},
		},
		"acknowledge_operation_status.agent_id is missing": {
			Type: scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(), FrameworkId: id,
			AcknowledgeOperationStatus: &scheduler.Call_AcknowledgeOperationStatus{},
		},
	} {
		if err := CheckCall(call); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v, want %q", call, err, want)
		}
	}
}

func TestCheckInfos(t *testing.T) {
	env := func(v *v1.Environment_Variable) func(*v1.TaskInfo) {
		v.Name = proto.String("V")
		return func(t *v1.TaskInfo) {
			t.Command = &v1.CommandInfo{Environment: &v1.Environment{Variables: []*v1.Environment_Variable{v}}}
		}
	}
	secret := func(s *v1.Secret) func(*v1.TaskInfo) {
		return env(&v1.Environment_Variable{Type: v1.Environment_Variable_SECRET.Enum(), Secret: s})
	}
	volume := func(v *v1.Volume) func(*v1.TaskInfo) {
		v.ContainerPath = proto.String("/x")
		return func(t *v1.TaskInfo) {
			t.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Volumes: []*v1.Volume{v}}
		}
	}
	health := func(h *v1.HealthCheck) func(*v1.TaskInfo) { return func(t *v1.TaskInfo) { t.HealthCheck = h } }
	command := func(value *string) *v1.CommandInfo { return &v1.CommandInfo{Value: value} }
	for _, row := range []struct {
		name string
		make func(*v1.TaskInfo)
		want string // what the error has in it; empty: none
	}{
		{"nothing", func(*v1.TaskInfo) {}, ""},
		{"value", env(&v1.Environment_Variable{Value: proto.String("x")}), ""},
		{"no value", env(&v1.Environment_Variable{}), "no value"},
		{"zero byte", env(&v1.Environment_Variable{Value: proto.String("a\x00b")}), "zero byte"},
		{"unknown variable", env(&v1.Environment_Variable{Type: v1.Environment_Variable_UNKNOWN.Enum()}), "unknown type"},
		{"no secret", env(&v1.Environment_Variable{Type: v1.Environment_Variable_SECRET.Enum()}), "no secret"},
		{"secret", secret(&v1.Secret{Type: v1.Secret_VALUE.Enum(), Value: &v1.Secret_Value{Data: []byte("x")}}), ""},
		{"secret with zero byte", secret(&v1.Secret{Type: v1.Secret_VALUE.Enum(), Value: &v1.Secret_Value{Data: []byte{0}}}), "zero byte"},
		{"secret without value", secret(&v1.Secret{Type: v1.Secret_VALUE.Enum()}), "no value"},
		{"secret without reference", secret(&v1.Secret{Type: v1.Secret_REFERENCE.Enum()}), "no reference"},
		{"secret of unknown type", secret(&v1.Secret{}), "unknown type"},
		{"volume of two origins", volume(&v1.Volume{HostPath: proto.String("/a"), Source: &v1.Volume_Source{}}), "exactly one"},
		{"volume of none", volume(&v1.Volume{}), "exactly one"},
		{"host path", volume(&v1.Volume{HostPath: proto.String("/a")}), ""},
		{"source not described", volume(&v1.Volume{Source: &v1.Volume_Source{Type: v1.Volume_Source_SANDBOX_PATH.Enum()}}), "not described"},
		{"source described", volume(&v1.Volume{Source: &v1.Volume_Source{
			Type: v1.Volume_Source_SANDBOX_PATH.Enum(), SandboxPath: &v1.Volume_Source_SandboxPath{},
		}}), ""},
		{"docker", func(t *v1.TaskInfo) { t.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_DOCKER.Enum()} }, "has no docker"},
		{"docker name", func(t *v1.TaskInfo) {
			t.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_DOCKER.Enum(), Docker: &v1.ContainerInfo_DockerInfo{
				Parameters: []*v1.Parameter{{Key: proto.String("name")}},
			}}
		}, "not a task's to choose"},
		{"health without type", health(&v1.HealthCheck{}), "health_check: type UNKNOWN is unknown"},
		{"health command missing", health(&v1.HealthCheck{Type: v1.HealthCheck_COMMAND.Enum()}), "missing"},
		{"health command empty", health(&v1.HealthCheck{Type: v1.HealthCheck_COMMAND.Enum(), Command: command(nil)}), "no value"},
		{"health command", health(&v1.HealthCheck{Type: v1.HealthCheck_COMMAND.Enum(), Command: command(proto.String("x"))}), ""},
		{"health scheme", health(&v1.HealthCheck{Http: &v1.HealthCheck_HTTPCheckInfo{Scheme: proto.String("ftp")}}), "ftp"},
		{"health path", health(&v1.HealthCheck{Type: v1.HealthCheck_HTTP.Enum(), Http: &v1.HealthCheck_HTTPCheckInfo{Path: proto.String("x")}}), "slash"},
		{"health time", health(&v1.HealthCheck{
			Type: v1.HealthCheck_TCP.Enum(), Tcp: &v1.HealthCheck_TCPCheckInfo{}, DelaySeconds: proto.Float64(math.NaN()),
		}), "negative"},
		{"check time", func(t *v1.TaskInfo) {
			t.Check = &v1.CheckInfo{Type: v1.CheckInfo_TCP.Enum(), Tcp: &v1.CheckInfo_Tcp{}, TimeoutSeconds: proto.Float64(-1)}
		}, "check: a time of -1 s"},
		{"completion time", func(t *v1.TaskInfo) { t.MaxCompletionTime = &v1.DurationInfo{Nanoseconds: proto.Int64(-1)} }, "negative"},
	} {
		info := &v1.TaskInfo{}
		row.make(info)
		var err error
		for _, check := range []func(*v1.TaskInfo) error{
			checkDurations, checkProbes,
			func(t *v1.TaskInfo) error { return checkEnvironment(t.GetCommand()) },
			func(t *v1.TaskInfo) error { return checkContainer(t.GetContainer()) },
		} {
			if err == nil {
				err = check(info)
			}
		}
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func TestCheckHello(t *testing.T) {
	right := func() *link.Hello {
		return &link.Hello{
			Agent:      &v1.AgentInfo{Hostname: proto.String("h")},
			Frameworks: []*v1.FrameworkInfo{{Id: ids.FrameworkID("f").Proto()}},
			Tasks: []*v1.Task{{
				TaskId: ids.TaskID("t").Proto(), FrameworkId: ids.FrameworkID("f").Proto(), State: v1.TaskState_TASK_RUNNING.Enum(),
			}},
		}
	}
	for want, make := range map[string]func(*link.Hello){
		"":                      func(*link.Hello) {},
		"no hostname":           func(h *link.Hello) { h.Agent = nil },
		"agent id":              func(h *link.Hello) { h.Agent.Id = ids.AgentID("a/b").Proto() },
		"agent resources":       func(h *link.Hello) { h.Agent.Resources = []*v1.Resource{{}} },
		"framework \"f\": role": func(h *link.Hello) { h.Frameworks[0].Role = proto.String("") },
		"failover_timeout":      func(h *link.Hello) { h.Frameworks[0].FailoverTimeout = proto.Float64(math.NaN()) },
		"quantity of x": func(h *link.Hello) {
			h.Frameworks[0].OfferFilters = map[string]*v1.OfferFilters{"*": {MinAllocatableResources: &v1.OfferFilters_MinAllocatableResources{
				Quantities: []*v1.OfferFilters_ResourceQuantities{{Quantities: map[string]*v1.Value_Scalar{"x": {Value: proto.Float64(-1)}}}},
			}}}
		},
		"agent's description: 1048": func(h *link.Hello) {
			h.Agent.Attributes = []*v1.Attribute{{Name: proto.String(strings.Repeat("x", maxKeptBytes)), Type: v1.Value_TEXT.Enum()}}
		},
		"more than the 1048576 that": func(h *link.Hello) { h.Frameworks[0].Name = proto.String(strings.Repeat("x", maxKeptBytes)) },

		"not described":  func(h *link.Hello) { h.Frameworks = nil },
		"reported twice": func(h *link.Hello) { h.Tasks = append(h.Tasks, h.Tasks[0]) },
		"no agent sees":  func(h *link.Hello) { h.Tasks[0].State = v1.TaskState_TASK_UNREACHABLE.Enum() },
		"id is empty":    func(h *link.Hello) { h.Tasks[0].TaskId = nil },
		"more than 255":  func(h *link.Hello) { h.Tasks[0].TaskId = ids.TaskID(strings.Repeat("x", 256)).Proto() },
		"name is empty":  func(h *link.Hello) { h.Tasks[0].Resources = []*v1.Resource{{}} },
	} {
		h := right()
		make(h)
		_, err := (&Core{}).checkHello(AgentHello{Hello: h, IP: "10.0.0.1"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{"10.0.0.1:5051": "10.0.0.1", "[::1]:5051": "[::1]", "host": "host"} {
		if got := host(address); got != want {
			t.Errorf("host of %q is %q, want %q", address, got, want)
		}
	}
	for address, fine := range map[string]bool{
		"10.0.0.1:5051": true, "[::1]:5051": true, "[fe80::1%eth0]:0": true, "node-1.example:65535": true,
		"": false, ":5051": false, "host": false, "host:": false, "host:-1": false, "host:65536": false, "::1:5051": false,
		"a\nb:1": false, "a/b:1": false, "user@host:1": false, "[::1:1": false, strings.Repeat("a", 256) + ":1": false,
	} {
		if err := checkAddress(address); (err == nil) != fine {
			t.Errorf("address %q: %v", address, err)
		}
	}
	url := agentURL(&Agent{Address: "[::1]:5051", Info: &v1.AgentInfo{}})
	if url.GetAddress().GetIp() != "::1" || url.GetAddress().GetPort() != 5051 {
		t.Errorf("url of [::1]:5051 is %v", url)
	}
}
