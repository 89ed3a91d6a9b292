package agent

import (
	"net/http"

	"mezzo/agent/core"
	"mezzo/agent/meter"
	"mezzo/agent/task"
	"mezzo/resources"
)

func (s *server) flagsView(*snapshot, *http.Request) (any, error) {
	return object{"flags": s.flags}, nil
}

func (s *server) versionView(*snapshot, *http.Request) (any, error) { return message(s.version) }

// state is the whole agent, as tools read it.
//
// Source: mesos slave/http.cpp.
func (s *server) state(snap *snapshot, _ *http.Request) (any, error) {
	total, allocated := resourcesOf(snap.Agent.GetResources()), snap.allocated()
	o := object{
		"version": s.version.GetVersion(), "build_date": s.version.GetBuildDate(),
		"build_time": s.version.GetBuildTime(), "build_user": s.version.GetBuildUser(),
		"start_time": float64(s.start.UnixMicro()) / 1e6,
		"id":         snap.Agent.GetId().GetValue(), "pid": "slave(1)@" + s.endpoint,
		"hostname": snap.Agent.GetHostname(), "capabilities": core.CapabilityNames(),
		"resources": resourcesModel(total), "attributes": attributesModel(snap.Agent.GetAttributes()),
		"unreserved_resources":           resourcesModel(total.Unreserved()),
		"unreserved_resources_allocated": resourcesModel(allocated.Unreserved()),
		"reserved_resources":             byRole(total, resourcesModel),
		"reserved_resources_allocated":   byRole(allocated, resourcesModel),
		"resource_providers":             []any{},
		"flags":                          s.flags,
	}
	if snap.Master != nil {
		o["master_hostname"] = snap.Master.GetHostname()
	}
	var err error
	if o["unreserved_resources_full"], err = fullResources(total.Unreserved()); err != nil {
		return nil, err
	}
	full := make(object)
	for role, r := range byRole(total, func(r resources.Resources) resources.Resources { return r }) {
		if full[role], err = fullResources(r); err != nil {
			return nil, err
		}
	}
	o["reserved_resources_full"] = full
	if o["frameworks"], err = s.frameworks(snap.Frameworks); err != nil {
		return nil, err
	}
	o["completed_frameworks"], err = s.frameworks(snap.Completed)
	return o, err
}

// allocated is what is given to tasks that have not ended.
func (s *snapshot) allocated() resources.Resources {
	var sum resources.Resources
	for _, t := range s.tasks() {
		if t.State != task.Done {
			sum = sum.Add(resourcesOf(t.Info.GetResources()))
		}
	}
	return sum
}

// byRole shows the reserved resources of each role.
func byRole[T any](r resources.Resources, show func(resources.Resources) T) map[string]T {
	o := make(map[string]T)
	for item := range r.All() {
		if role := item.ReservedTo(); role != "" {
			if _, ok := o[role]; !ok {
				o[role] = show(r.Reserved(role))
			}
		}
	}
	return o
}

func fullResources(r resources.Resources) ([]any, error) {
	list, err := r.ProtoAs(resources.Endpoint)
	if err != nil {
		return nil, err
	}
	return messages(list)
}

func (s *server) frameworks(list []core.Framework) ([]any, error) {
	out := make([]any, 0, len(list))
	for _, f := range list {
		o := object{
			"id": f.Info.GetId().GetValue(), "name": f.Info.GetName(), "user": f.Info.GetUser(),
			"failover_timeout": f.Info.GetFailoverTimeout(), "checkpoint": f.Info.GetCheckpoint(),
			"hostname": f.Info.GetHostname(),
		}
		if f.Info.Principal != nil {
			o["principal"] = f.Info.GetPrincipal()
		}
		if roles := f.Info.GetRoles(); len(roles) > 0 {
			o["roles"] = roles
		} else {
			o["role"] = f.Info.GetRole() // what frameworks without MULTI_ROLE have
		}
		var err error
		if o["executors"], err = s.executors(f, f.Tasks); err != nil {
			return nil, err
		}
		if o["completed_executors"], err = s.executors(f, f.Completed); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// executors shows each task in an executor of its own, of the same id.
func (s *server) executors(f core.Framework, tasks []core.Task) ([]any, error) {
	out := make([]any, 0, len(tasks))
	for _, t := range tasks {
		m, err := taskModel(t.Task)
		if err != nil {
			return nil, err
		}
		id := t.Info.GetTaskId().GetValue()
		held := resources.Resources{}
		live, ended := []any{m}, []any{}
		if t.State == task.Done {
			live, ended = ended, live
		} else {
			held = resourcesOf(t.Info.GetResources())
		}
		out = append(out, object{
			"id": id, "name": t.Info.GetName(), "source": id, "container": string(t.Container),
			"directory": runOf(f, t).Path(s.workDir), "resources": resourcesModel(held),
			"role": roleOf(t.Info.GetResources()), "tasks": live, "queued_tasks": []any{}, "completed_tasks": ended,
		})
	}
	return out, nil
}

// statistics shows the newest samples of running containers.
func (s *server) statistics(snap *snapshot, _ *http.Request) (any, error) {
	out := make([]any, 0)
	for f, t := range snap.containers() {
		u := snap.usage[t.Container]
		if u == nil {
			continue
		}
		m, err := message(meter.Statistics(*u, t.Limits))
		if err != nil {
			return nil, err
		}
		o := s.containerModel(f, t)
		delete(o, "container_id")
		o["statistics"] = m
		out = append(out, o)
	}
	return out, nil
}

// containers shows every container, or those that the query names.
func (s *server) containers(snap *snapshot, r *http.Request) (any, error) {
	out := make([]any, 0)
	for f, t := range snap.containers() {
		o := s.containerModel(f, t)
		if !matches(r, o, "container_id", "framework_id", "executor_id") {
			continue
		}
		status, err := message(statusOfContainer(t))
		if err != nil {
			return nil, err
		}
		o["status"] = status
		if u := snap.usage[t.Container]; u != nil {
			if o["statistics"], err = message(meter.Statistics(*u, t.Limits)); err != nil {
				return nil, err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

func (s *server) containerModel(f core.Framework, t core.Task) object {
	id := t.Info.GetTaskId().GetValue()
	return object{
		"framework_id": f.Info.GetId().GetValue(), "executor_id": id, "executor_name": t.Info.GetName(),
		"source": id, "container_id": string(t.Container),
	}
}

// matches tells whether o has what the query names, of the given names.
func matches(r *http.Request, o object, names ...string) bool {
	for _, n := range names {
		if want := r.URL.Query().Get(n); want != "" && o[n] != want {
			return false
		}
	}
	return true
}
