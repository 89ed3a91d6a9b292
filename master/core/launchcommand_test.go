package core_test

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

func offerIDs(names []string) (out []*v1.OfferID) {
	for _, n := range slices.DeleteFunc(names, func(n string) bool { return n == "" }) {
		out = append(out, &v1.OfferID{Value: proto.String("M-" + n)})
	}
	return out
}

func filters(a args) *v1.Filters {
	if a.text("refuse", "") == "" {
		return nil
	}
	return &v1.Filters{RefuseSeconds: proto.Float64(a.number("refuse", math.NaN()))}
}

// accept s1 offers=(O0,O1) [refuse=0]
//
//	task t1 a1 cpus:1;mem:32 [limit=cpus:2] [without=command] [with=executor] [grace=-1] [role=r]
//	group t2 a1 cpus:1
//	pod e cpus:0.1 a1 t2 cpus:1 t3 cpus:2
//	op RESERVE [id|-] [cpus(r,p):1 disk(r,p):10=volume disk(r,p):10=volume,shared]
//
// Tasks after an operation are launched after it.
func acceptCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	accept := &scheduler.Call_Accept{OfferIds: offerIDs(a.list("offers")), Filters: filters(a)}
	launch := &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{}}
	accept.Operations = append(accept.Operations, launch)
	for _, l := range lines(d) {
		switch l[0] {
		case "task":
			if launch == nil {
				launch = &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{}}
				accept.Operations = append(accept.Operations, launch)
			}
			launch.Launch.TaskInfos = append(launch.Launch.TaskInfos, w.taskInfo(l[1:]))
		case "group":
			accept.Operations = append(accept.Operations, &v1.Offer_Operation{
				Type: v1.Offer_Operation_LAUNCH_GROUP.Enum(),
				LaunchGroup: &v1.Offer_Operation_LaunchGroup{
					Executor:  &v1.ExecutorInfo{ExecutorId: &v1.ExecutorID{Value: proto.String("e")}},
					TaskGroup: &v1.TaskGroupInfo{Tasks: []*v1.TaskInfo{w.taskInfo(l[1:])}},
				},
			})
		case "pod":
			group := &v1.Offer_Operation_LaunchGroup{
				Executor: &v1.ExecutorInfo{
					Type: v1.ExecutorInfo_DEFAULT.Enum(), ExecutorId: executorID(l[1]), Resources: mustResources(w.t, l[2]),
				},
				TaskGroup: &v1.TaskGroupInfo{},
			}
			for i := 4; i < len(l); i += 2 {
				group.TaskGroup.Tasks = append(group.TaskGroup.Tasks, w.taskInfo([]string{l[i], l[3], l[i+1]}))
			}
			accept.Operations = append(accept.Operations, &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: group})
		case "op":
			op := w.operation(l[1], l[min(len(l), 3):])
			if len(l) > 2 && l[2] != "-" {
				op.Id = &v1.OperationID{Value: proto.String(l[2])}
			}
			accept.Operations = append(accept.Operations, op)
			launch = nil
		}
	}
	w.call(d, &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: w.framework(first(d)), Accept: accept})
}

func (w *world) taskInfo(l []string) *v1.TaskInfo {
	t := &v1.TaskInfo{Name: proto.String(l[0]), TaskId: taskID(l[0]), AgentId: w.agentID(l[1]), Command: &v1.CommandInfo{Value: proto.String("true")}}
	if l[2] != "-" {
		t.Resources = w.withVolumes(strings.Split(l[2], "+"))
	}
	for _, option := range l[3:] {
		name, value, _ := strings.Cut(option, "=")
		taskOptions[name](w.t, t, value)
	}
	return t
}

var taskOptions = map[string]func(tester, *v1.TaskInfo, string){
	"limit": func(t tester, info *v1.TaskInfo, v string) {
		name, amount, _ := strings.Cut(v, ":")
		f, err := strconv.ParseFloat(amount, 64)
		if err != nil {
			t.Fatal(err)
		}
		if info.Limits == nil {
			info.Limits = map[string]*v1.Value_Scalar{}
		}
		info.Limits[name] = &v1.Value_Scalar{Value: proto.Float64(f)}
	},
	"without": func(_ tester, info *v1.TaskInfo, _ string) { info.Command = nil },
	"with": func(_ tester, info *v1.TaskInfo, _ string) {
		info.Executor = &v1.ExecutorInfo{ExecutorId: &v1.ExecutorID{Value: proto.String("e")}}
	},
	"executor": func(t tester, info *v1.TaskInfo, v string) {
		id, res, _ := strings.Cut(v, ":")
		info.Command = nil
		info.Executor = &v1.ExecutorInfo{
			ExecutorId: executorID(id), Command: &v1.CommandInfo{Value: proto.String("x")}, Resources: mustResources(t, res),
		}
	},
	"grace": func(_ tester, info *v1.TaskInfo, _ string) {
		info.KillPolicy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(-1)}}
	},
	"role": func(_ tester, info *v1.TaskInfo, v string) {
		for _, r := range info.Resources {
			r.AllocationInfo = &v1.Resource_AllocationInfo{Role: proto.String(v)}
		}
	},
	"amount": func(t tester, info *v1.TaskInfo, v string) {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			t.Fatal(err)
		}
		info.Resources[0].Scalar.Value = proto.Float64(f)
	},
	"cgroups": func(_ tester, info *v1.TaskInfo, _ string) {
		info.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), LinuxInfo: &v1.LinuxInfo{ShareCgroups: proto.Bool(false)}}
	},
}
