package agent

import (
	"net/http"
	"slices"

	"mezzo/agent/core"
	"mezzo/agent/task"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
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
		if o["executors"], o["completed_executors"], err = s.executors(f); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// executors shows a framework's executors, those that are there and those that
// were. A command task has one of its own, of the same id.
func (s *server) executors(f core.Framework) (live, completed []any, err error) {
	live, completed = make([]any, 0), make([]any, 0)
	there := make(map[ids.ContainerID]*executorModel)
	var order []*executorModel
	for _, x := range f.Executors {
		m := &executorModel{info: x.Info, container: x.Container, group: x.Group, dir: runOfExecutor(f, x).Path(s.workDir), live: true}
		m.held = resourcesOf(x.Info.GetResources())
		there[x.Container] = m
		order = append(order, m)
	}
	for i, t := range append(slices.Clone(f.Tasks), f.Completed...) {
		current := i < len(f.Tasks)
		m := there[t.Parent]
		if t.Parent == "" || m == nil {
			m = &executorModel{info: executorInfo(f, t), container: t.Container, dir: runOf(f, t).Path(s.workDir)}
			if t.Parent != "" { // it is no more
				m.container, m.group = t.Parent, !t.Custom
				run := runOf(f, t)
				run.Task = ""
				m.dir = run.Path(s.workDir)
				there[t.Parent] = m
			} else {
				m.live = current
			}
			order = append(order, m)
		}
		if err := m.add(t); err != nil {
			return nil, nil, err
		}
	}
	for _, m := range order {
		if m.live {
			live = append(live, m.object())
		} else {
			completed = append(completed, m.object())
		}
	}
	return live, completed, nil
}

// executorModel is an executor of /state while it is put together.
type executorModel struct {
	info      *v1.ExecutorInfo
	container ids.ContainerID
	group     bool
	live      bool
	dir       string
	held      resources.Resources
	role      string

	tasks, queued, completed []any
}

func (m *executorModel) add(t core.Task) error {
	o, err := taskModel(t.Task)
	if err != nil {
		return err
	}
	if m.role == "" {
		m.role = roleOf(t.Info.GetResources())
	}
	switch t.State {
	case task.Done:
		m.completed = append(m.completed, o)
		return nil
	case task.Queued:
		m.queued = append(m.queued, o)
	default:
		m.tasks = append(m.tasks, o)
	}
	m.held = m.held.Add(resourcesOf(t.Info.GetResources()))
	return nil
}

func (m *executorModel) object() object {
	list := func(l []any) []any {
		if l == nil {
			return []any{}
		}
		return l
	}
	role := m.role
	if role == "" {
		role = roleOf(m.info.GetResources())
	}
	o := object{
		"id": m.info.GetExecutorId().GetValue(), "name": m.info.GetName(), "source": m.info.GetSource(), "container": string(m.container),
		"directory": m.dir, "resources": resourcesModel(m.held), "role": role,
		"tasks": list(m.tasks), "queued_tasks": list(m.queued), "completed_tasks": list(m.completed),
	}
	if m.group {
		o["type"] = v1.ExecutorInfo_DEFAULT.String()
	}
	return o
}

// statistics shows the newest samples of running containers.
func (s *server) statistics(snap *snapshot, _ *http.Request) (any, error) {
	out := make([]any, 0)
	for h := range snap.held() {
		u := snap.statistics(h.id, h.limits)
		if u == nil || !h.shown(false, false) {
			continue
		}
		m, err := message(u)
		if err != nil {
			return nil, err
		}
		o := h.model()
		delete(o, "container_id")
		o["statistics"] = m
		out = append(out, o)
	}
	return out, nil
}

// containers shows every container, or those that the query names.
func (s *server) containers(snap *snapshot, r *http.Request) (any, error) {
	out := make([]any, 0)
	q := r.URL.Query()
	for h := range snap.held() {
		if !h.shown(q.Get("show_nested") == "true", q.Get("show_standalone") == "true") {
			continue
		}
		o := h.model()
		if !matches(r, o, "container_id", "framework_id", "executor_id") {
			continue
		}
		status, err := message(h.status)
		if err != nil {
			return nil, err
		}
		o["status"] = status
		if u := snap.statistics(h.id, h.limits); u != nil {
			if o["statistics"], err = message(u); err != nil {
				return nil, err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

func (h held) model() object {
	o := object{"container_id": h.proto().GetValue()}
	if h.framework != "" {
		o["framework_id"], o["executor_id"], o["executor_name"], o["source"] = string(h.framework), string(h.executor), h.name, string(h.executor)
	}
	return o
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
