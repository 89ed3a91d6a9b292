package robust

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// testAccept launches what cannot be launched: the framework hears why, and the
// offer's resources come back.
func testAccept(t *testing.T, c *cluster) {
	bad := subscribe(t, c.Master, nil)
	defer bad.teardown(t)
	for _, tc := range taskAttacks() {
		t.Run(tc.name, func(t *testing.T) {
			bad.t = t
			bad.wake()
			o := bad.offer(hosts[0])
			task := command(o, "bad", "exit 0", "cpus:1;mem:32")
			tc.spoil(task)
			bad.accept([]*v1.Offer{o}, task)
			s := bad.outcome(task.GetTaskId().GetValue())
			refused(t, s, v1.TaskState_TASK_ERROR, v1.TaskStatus_REASON_TASK_INVALID, tc.says)
			bad.rest()
			c.works(t)
		})
	}
	t.Run("offers", func(t *testing.T) { testOffers(t, c, bad) })
	t.Run("operations", func(t *testing.T) { testOperations(t, c, bad) })
}

func refused(t *testing.T, s *v1.TaskStatus, state v1.TaskState, reason v1.TaskStatus_Reason, says string) {
	t.Helper()
	if s.GetState() != state || s.GetReason() != reason || s.GetSource() != v1.TaskStatus_SOURCE_MASTER ||
		!strings.Contains(s.GetMessage(), says) || len(s.GetMessage()) > 2100 {
		t.Errorf("status %.3000v, want %v, %v and %q", s, state, reason, says)
	}
}

// attack spoils a task that otherwise is right.
type attack struct {
	name  string
	spoil func(*v1.TaskInfo)
	says  string // part of what the framework is told
}

func taskAttacks() []attack {
	id := func(id string) func(*v1.TaskInfo) { return func(t *v1.TaskInfo) { t.TaskId.Value = &id } }
	cpus := func(v float64) func(*v1.TaskInfo) {
		return func(t *v1.TaskInfo) { resource(t, "cpus").Scalar.Value = &v }
	}
	with := func(r *v1.Resource) func(*v1.TaskInfo) {
		return func(t *v1.TaskInfo) { t.Resources = append(t.Resources, r) }
	}
	ports := func(ranges ...uint64) func(*v1.TaskInfo) {
		r := &v1.Resource{Name: proto.String("ports"), Type: v1.Value_RANGES.Enum(), Ranges: &v1.Value_Ranges{}}
		for i := 0; i < len(ranges); i += 2 {
			r.Ranges.Range = append(r.Ranges.Range, &v1.Value_Range{Begin: &ranges[i], End: &ranges[i+1]})
		}
		return with(r)
	}
	many := make([]uint64, 0, 200_000) // ports that are not next to each other
	for i := range uint64(cap(many) / 2) {
		many = append(many, 31000+2*i, 31000+2*i)
	}
	list := []attack{
		{"negative", cpus(-1), "cpus"},
		{"minus zero and a bit", cpus(-0.001), "cpus"},
		{"NaN", cpus(math.NaN()), "cpus"},
		{"Infinity", cpus(math.Inf(1)), "cpus"},
		{"1e308", cpus(1e308), "cpus"},
		{"more than offered", cpus(5), "only"},
		{"a little more than offered", cpus(4.001), "only"},
		{"the sum is more", with(scalar("cpus", 3.5)), "only"},
		{"the sum overflows", with(scalar("cpus", 9e15)), "cpus"},
		{"another resource", with(scalar("unobtainium", 1)), "unobtainium"},
		{"no name", with(scalar("", 1)), "name is empty"},
		{"long name", with(scalar(strings.Repeat("x", 10_000), 1)), "only"},
		{"wrong type", func(t *v1.TaskInfo) { resource(t, "cpus").Type = v1.Value_RANGES.Enum() }, "cpus"},
		{"type of nothing", func(t *v1.TaskInfo) { resource(t, "cpus").Type = v1.Value_TEXT.Enum() }, "cpus"},
		{"cpus as a set", with(&v1.Resource{Name: proto.String("cpus"), Type: v1.Value_SET.Enum(), Set: &v1.Value_Set{Item: []string{"a"}}}), "cpus"},
		{"another role", func(t *v1.TaskInfo) {
			resource(t, "cpus").AllocationInfo = &v1.Resource_AllocationInfo{Role: proto.String("theirs")}
		}, `"theirs"`},
		{"reserved for others", func(t *v1.TaskInfo) { resource(t, "cpus").Role = proto.String("theirs") }, "only"},
		{"revocable", func(t *v1.TaskInfo) { resource(t, "cpus").Revocable = &v1.Resource_RevocableInfo{} }, "only"},
		{"reversed range", ports(31050, 31040), "ports"},
		{"overlapping ranges", ports(31000, 31010, 31005, 31020), "overlap"},
		{"huge range", ports(0, math.MaxUint64), "only"},
		{"many ranges", ports(many...), "only"},
		{"no resources", func(t *v1.TaskInfo) { t.Resources = nil }, "uses no resources"},
		{"zero resources", func(t *v1.TaskInfo) { t.Resources = []*v1.Resource{scalar("cpus", 0)} }, "uses no resources"},
		{"part of a GPU", with(scalar("gpus", 0.5)), "gpus"},
		{"id with a slash", id("a/b"), "slash"},
		{"id that leads up", id("../../etc"), "slash"},
		{"id ..", id(".."), `".."`},
		{"id .", id("."), `"."`},
		{"no id", id(""), "empty"},
		{"id with a newline", id("a\nlevel=ERROR msg=pwned"), "control character"},
		{"id with a NUL", id("a\x00b"), "control character"},
		{"long id", id(strings.Repeat("x", 10_000)), "255"},
		{"another agent", func(t *v1.TaskInfo) { t.AgentId = &v1.AgentID{Value: proto.String("nobody")} }, `"nobody"`},
		{"no command", func(t *v1.TaskInfo) { t.Command = nil }, "neither a command nor an executor"},
		{"an executor", func(t *v1.TaskInfo) {
			t.Command, t.Executor = nil, &v1.ExecutorInfo{ExecutorId: &v1.ExecutorID{Value: proto.String("e")}}
		}, "executor"},
		{"limit below the request", limit("cpus", 0.5), "less than the request"},
		{"limit NaN", limit("mem", math.NaN()), "mem"},
		{"limit of something else", limit("disk", 5000), `"disk"`},
		{"limit -Infinity", limit("mem", math.Inf(-1)), "mem"},
		{"negative grace", func(t *v1.TaskInfo) {
			t.KillPolicy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(math.MinInt64)}}
		}, "negative"},
		{"negative time", func(t *v1.TaskInfo) {
			t.MaxCompletionTime = &v1.DurationInfo{Nanoseconds: proto.Int64(-1)}
		}, "negative"},
		{"variable with a NUL", env("A", "a\x00b"), "zero byte"},
		{"variable with = in its name", env("A=B", "c"), `"A=B"`},
		{"variable without a value", func(t *v1.TaskInfo) {
			env("A", "")(t)
			t.Command.Environment.Variables[0].Value = nil
		}, `"A" has no value`},
		{"volume from nowhere", func(t *v1.TaskInfo) {
			t.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Volumes: []*v1.Volume{{
				Mode: v1.Volume_RW.Enum(), ContainerPath: proto.String("/data"),
			}}}
		}, "host_path"},
		{"a container of no type", func(t *v1.TaskInfo) { t.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_DOCKER.Enum()} }, "docker"},
	}
	return list
}

func resource(t *v1.TaskInfo, name string) *v1.Resource {
	for _, r := range t.Resources {
		if r.GetName() == name {
			return r
		}
	}
	return nil
}

func scalar(name string, v float64) *v1.Resource {
	return &v1.Resource{Name: &name, Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: &v}}
}

func limit(name string, v float64) func(*v1.TaskInfo) {
	return func(t *v1.TaskInfo) { t.Limits = map[string]*v1.Value_Scalar{name: {Value: &v}} }
}

func env(name, value string) func(*v1.TaskInfo) {
	return func(t *v1.TaskInfo) {
		t.Command.Environment = &v1.Environment{Variables: []*v1.Environment_Variable{{Name: &name, Value: &value}}}
	}
}

// testOffers uses offers as they must not be used: no task runs, and all the
// offers that are named are taken back.
func testOffers(t *testing.T, c *cluster, bad *framework) {
	unknown := &v1.Offer{Id: &v1.OfferID{Value: proto.String("no-such-offer")}}
	for _, tc := range []struct {
		name   string
		offers func() []*v1.Offer
		says   string
	}{
		{"none", func() []*v1.Offer { return nil }, "no offers are named"},
		{"unknown", func() []*v1.Offer { return []*v1.Offer{unknown} }, "no-such-offer"},
		{"one unknown", func() []*v1.Offer { return []*v1.Offer{bad.offer(hosts[0]), unknown} }, "no-such-offer"},
		{"of two agents", func() []*v1.Offer { return []*v1.Offer{bad.offer(hosts[0]), bad.offer(hosts[1])} }, "different agents"},
		{"twice the same", func() []*v1.Offer { o := bad.offer(hosts[0]); return []*v1.Offer{o, o} }, "named twice"},
		{"declined", func() []*v1.Offer { o := bad.offer(hosts[0]); bad.decline(o); return []*v1.Offer{o} }, "not valid"},
		{"no value", func() []*v1.Offer { return []*v1.Offer{{Id: &v1.OfferID{Value: proto.String("")}}} }, "not valid"},
		{"somebody else's", func() []*v1.Offer {
			bad.rest()
			c.good.t = t
			c.good.wake()
			o := c.good.offer(hosts[0])
			c.good.offers[o.GetId().GetValue()] = o // to be declined by works
			return []*v1.Offer{o}
		}, "not valid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad.t = t
			bad.wake()
			offers := tc.offers()
			agent := &v1.Offer{AgentId: &v1.AgentID{Value: proto.String("a")}}
			bad.accept(offers, command(agent, "bad", "exit 0", "cpus:1;mem:32"), command(agent, "worse", "exit 0", "cpus:1"))
			for _, task := range []string{"bad", "worse"} {
				refused(t, bad.outcome(task), v1.TaskState_TASK_DROPPED, v1.TaskStatus_REASON_INVALID_OFFERS, tc.says)
			}
			bad.rest()
			c.works(t)
		})
	}
	t.Run("used twice", func(t *testing.T) {
		bad.t = t
		bad.wake()
		o := bad.offer(hosts[0])
		bad.accept([]*v1.Offer{o}, command(o, "first", "sleep 1000", "cpus:1;mem:32"), command(o, "first", "exit 0", "cpus:1;mem:32"))
		bad.accept([]*v1.Offer{o}, command(o, "second", "exit 0", "cpus:1;mem:32"))
		refused(t, bad.outcome("second"), v1.TaskState_TASK_DROPPED, v1.TaskStatus_REASON_INVALID_OFFERS, "not valid")
		// The id that is in use is refused, and the task that uses it is left alone.
		refused(t, bad.outcome("first"), v1.TaskState_TASK_ERROR, v1.TaskStatus_REASON_TASK_INVALID, "in use")
		bad.kill("first")
		if s := bad.outcome("first"); s.GetState() != v1.TaskState_TASK_KILLED {
			t.Errorf("the task that was right: %v", s)
		}
		bad.rest()
		c.works(t)
	})
}

// testOperations asks for what makes no sense: who wants to know is told.
func testOperations(t *testing.T, c *cluster, bad *framework) {
	bad.t = t
	bad.wake()
	o := bad.offer(hosts[0])
	task := command(o, "bad", "exit 0", "cpus:1;mem:32")
	bad.call(&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
		OfferIds: []*v1.OfferID{o.Id},
		Operations: []*v1.Offer_Operation{
			{Type: v1.Offer_Operation_UNKNOWN.Enum()},
			{Type: v1.Offer_Operation_RESERVE.Enum(), Id: &v1.OperationID{Value: proto.String("reserve")}, Reserve: &v1.Offer_Operation_Reserve{}},
			{Type: v1.Offer_Operation_LAUNCH.Enum()},
			{Type: v1.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &v1.Offer_Operation_LaunchGroup{
				Executor: &v1.ExecutorInfo{ExecutorId: &v1.ExecutorID{Value: proto.String("e")}}, TaskGroup: &v1.TaskGroupInfo{Tasks: []*v1.TaskInfo{task}},
			}},
		},
	}})
	for {
		ev := bad.next()
		if s := ev.GetUpdateOperationStatus().GetStatus(); s != nil {
			if s.GetState() != v1.OperationState_OPERATION_ERROR || s.GetOperationId().GetValue() != "reserve" || !strings.Contains(s.GetMessage(), "no resources are named") {
				t.Errorf("status of the operation: %v", s)
			}
			break
		}
		if s := ev.GetUpdate().GetStatus(); s != nil {
			bad.statuses = append(bad.statuses, s)
		}
	}
	refused(t, bad.outcome("bad"), v1.TaskState_TASK_ERROR, v1.TaskStatus_REASON_TASK_GROUP_INVALID, "task group")
	bad.rest()
	c.works(t)
}
