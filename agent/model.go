package agent

import (
	"encoding/json"
	"math"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesosjson"
	"mezzo/resources"
)

// The shapes of the older endpoints, which are not those of the v1 messages.
//
// Source: mesos common/http.cpp.

type object = map[string]any

// message is a v1 message as it is; nil if it is not set.
func message[M proto.Message](m M) (any, error) {
	if !m.ProtoReflect().IsValid() {
		return nil, nil
	}
	b, err := mesosjson.Marshal(m)
	return json.RawMessage(b), err
}

// messages is a list of v1 messages as they are; never null.
func messages[M proto.Message](list []M) ([]any, error) {
	out := make([]any, 0, len(list))
	for _, m := range list {
		b, err := mesosjson.Marshal(m)
		if err != nil {
			return nil, err
		}
		out = append(out, json.RawMessage(b))
	}
	return out, nil
}

// resourcesModel sums up by name; revocable ones are apart.
func resourcesModel(r resources.Resources) object {
	o := object{"cpus": 0, "gpus": 0, "mem": 0, "disk": 0}
	sumUp(o, r.NonRevocable(), "")
	sumUp(o, r.Revocable(), "_revocable")
	return o
}

func sumUp(o object, r resources.Resources, suffix string) {
	ranges, sets := make(map[string]resources.Ranges), make(map[string]resources.Set)
	for item := range r.All() {
		name := item.Name()
		switch item.Kind() {
		case resources.KindScalar:
			o[name+suffix] = r.Total(name).Float()
		case resources.KindRanges:
			ranges[name] = ranges[name].Union(item.Ranges())
			o[name+suffix] = ranges[name].String()
		case resources.KindSet:
			sets[name] = sets[name].Union(item.Set())
			o[name+suffix] = sets[name].String()
		}
	}
}

// resourcesOf reads what a task was given. Of a task that was refused for its
// resources there are none.
func resourcesOf(list []*v1.Resource) resources.Resources {
	r, err := resources.FromProto(list)
	if err != nil {
		return resources.Resources{}
	}
	return r
}

// roleOf is the role a task's resources are allocated to: one, by validation.
func roleOf(list []*v1.Resource) string {
	for _, r := range list {
		if role := r.GetAllocationInfo().GetRole(); role != "" {
			return role
		}
	}
	return "*"
}

func attributesModel(list []*v1.Attribute) object {
	o := make(object)
	for _, a := range list {
		switch a.GetType() {
		case v1.Value_SCALAR:
			o[a.GetName()] = a.GetScalar().GetValue()
		case v1.Value_RANGES:
			var rs resources.Ranges
			for _, r := range a.GetRanges().GetRange() {
				rs = append(rs, resources.Range{Begin: r.GetBegin(), End: r.GetEnd()})
			}
			o[a.GetName()] = resources.NewRanges(rs...).String()
		case v1.Value_SET:
			o[a.GetName()] = resources.NewSet(a.GetSet().GetItem()...).String()
		case v1.Value_TEXT:
			o[a.GetName()] = a.GetText().GetValue()
		}
	}
	return o
}

// taskModel is a task of /state.
func taskModel(t *v1.Task) (object, error) {
	o := object{
		"id": t.GetTaskId().GetValue(), "name": t.GetName(),
		"framework_id": t.GetFrameworkId().GetValue(), "executor_id": t.GetExecutorId().GetValue(),
		"slave_id": t.GetAgentId().GetValue(), "state": t.GetState().String(),
		"resources": resourcesModel(resourcesOf(t.GetResources())), "role": roleOf(t.GetResources()),
	}
	if len(t.GetLimits()) > 0 {
		limits := make(object)
		for name, v := range t.GetLimits() {
			limits[name] = number(v.GetValue())
		}
		o["limits"] = limits
	}
	if t.User != nil {
		o["user"] = t.GetUser()
	}
	statuses := make([]any, 0, len(t.GetStatuses()))
	for _, s := range t.GetStatuses() {
		m, err := statusModel(s)
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, m)
	}
	o["statuses"] = statuses
	if t.Labels != nil {
		labels, err := messages(t.GetLabels().GetLabels())
		if err != nil {
			return nil, err
		}
		o["labels"] = labels
	}
	return o, addMessages(o, map[string]proto.Message{
		"discovery": t.GetDiscovery(), "container": t.GetContainer(), "health_check": t.GetHealthCheck(),
	})
}

// addMessages puts those that are set into o.
func addMessages(o object, ms map[string]proto.Message) error {
	for name, m := range ms {
		v, err := message(m)
		if err != nil {
			return err
		}
		if v != nil {
			o[name] = v
		}
	}
	return nil
}

// number is a double that JSON may not be able to hold.
func number(v float64) any {
	switch {
	case math.IsInf(v, 0):
		return "Infinity"
	case math.IsNaN(v):
		return "NaN"
	default:
		return v
	}
}

func statusModel(s *v1.TaskStatus) (object, error) {
	o := object{"state": s.GetState().String(), "timestamp": s.GetTimestamp()}
	if s.Healthy != nil {
		o["healthy"] = s.GetHealthy()
	}
	if s.Labels != nil {
		labels, err := messages(s.GetLabels().GetLabels())
		if err != nil {
			return nil, err
		}
		o["labels"] = labels
	}
	return o, addMessages(o, map[string]proto.Message{"container_status": s.GetContainerStatus()})
}
