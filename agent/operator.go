package agent

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mezzo/agent/core"
	"mezzo/agent/task"
	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/internal/errs"
	"mezzo/internal/files"
)

// maxCall is the largest call taken, in bytes.
const maxCall = 1 << 20

// operator answers POST /api/v1.
func (s *server) operator(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, fmt.Sprintf("Expecting 'POST', received '%s'", r.Method), http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("Content-Type") == "" {
		http.Error(w, "Expecting 'Content-Type' to be present", http.StatusBadRequest)
		return
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(mediaType), recordioType) {
		s.attachInput(w, r)
		return
	}
	if r.Header.Get(messageContentType) != "" {
		http.Error(w, "Expecting no '"+messageContentType+"' without "+recordioType, http.StatusUnsupportedMediaType)
		return
	}
	in, ok := codec.ForContentType(r.Header.Get("Content-Type"))
	if !ok {
		http.Error(w, "Expecting 'Content-Type' of application/json or application/x-protobuf", http.StatusUnsupportedMediaType)
		return
	}
	call, status, err := readCall(w, r, in)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	if stream := s.streams(call); stream != nil {
		if err := stream(w, r); err != nil {
			s.fail(w, r, err)
		}
		return
	}
	out, ok := codec.Negotiate(r.Header.Get("Accept"))
	if !ok {
		http.Error(w, "Expecting 'Accept' to allow application/json or application/x-protobuf", http.StatusNotAcceptable)
		return
	}
	if err := s.answer(w, r, call, out); err != nil {
		s.fail(w, r, err)
	}
}

// streams is how a call is answered whose answer is a stream; nil if it isn't.
func (s *server) streams(call *agent.Call) func(http.ResponseWriter, *http.Request) error {
	switch call.GetType() {
	case agent.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		return func(w http.ResponseWriter, r *http.Request) error {
			return s.launchSession(w, r, call.GetLaunchNestedContainerSession())
		}
	case agent.Call_ATTACH_CONTAINER_OUTPUT:
		return func(w http.ResponseWriter, r *http.Request) error {
			return s.attachOutput(w, r, call.GetAttachContainerOutput())
		}
	}
	return nil
}

// readCall decodes and checks a call; status goes with err.
func readCall(w http.ResponseWriter, r *http.Request, in codec.Codec) (call *agent.Call, status int, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("call of more than %d bytes: %w", maxCall, errs.Exhausted)
	}
	call = &agent.Call{}
	if err == nil {
		err = in.Unmarshal(body, call)
	}
	if err == nil {
		err = checkCall(call)
	}
	return call, http.StatusBadRequest, err
}

// withPart are the calls that need the part of their name.
var withPart = []agent.Call_Type{
	agent.Call_GET_METRICS,
	agent.Call_SET_LOGGING_LEVEL,
	agent.Call_LIST_FILES,
	agent.Call_READ_FILE,
	agent.Call_LAUNCH_NESTED_CONTAINER_SESSION,
	agent.Call_ATTACH_CONTAINER_OUTPUT,
	agent.Call_LAUNCH_CONTAINER,
	agent.Call_WAIT_CONTAINER,
	agent.Call_KILL_CONTAINER,
	agent.Call_REMOVE_CONTAINER,
	agent.Call_LAUNCH_NESTED_CONTAINER,
	agent.Call_WAIT_NESTED_CONTAINER,
	agent.Call_KILL_NESTED_CONTAINER,
	agent.Call_REMOVE_NESTED_CONTAINER,
}

// checkCall refuses a call without the part that its type needs.
func checkCall(c *agent.Call) error {
	missing := ""
	switch {
	case c.GetType() == agent.Call_UNKNOWN && c.Type == nil:
		missing = "type"
	case c.GetType() == agent.Call_ATTACH_CONTAINER_INPUT:
		return fmt.Errorf("ATTACH_CONTAINER_INPUT is a streaming request, of type %s: %w", recordioType, errs.Invalid)
	case slices.Contains(withPart, c.GetType()):
		name := strings.ToLower(c.GetType().String())
		if m := c.ProtoReflect(); !m.Has(m.Descriptor().Fields().ByName(protoreflect.Name(name))) {
			missing = name
		}
	}
	if missing != "" {
		return fmt.Errorf("expecting '%s' to be present: %w", missing, errs.Invalid)
	}
	return nil
}

// answer writes the response to a call.
func (s *server) answer(w http.ResponseWriter, r *http.Request, call *agent.Call, out codec.Codec) error {
	if done, err := s.nestedCall(w, r, call, out); done {
		return err
	}
	if c := call.GetSetLoggingLevel(); call.GetType() == agent.Call_SET_LOGGING_LEVEL {
		return s.logLevel.Call(c.GetLevel(), time.Duration(c.GetDuration().GetNanoseconds()))
	}
	if call.GetType() == agent.Call_PRUNE_IMAGES {
		return s.pruneImages(r.Context(), call.GetPruneImages())
	}
	answer, ok := answers[call.GetType()]
	if !ok {
		return fmt.Errorf("call %s: %w", call.GetType(), errs.Unsupported)
	}
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	response, err := answer(s, snap, call)
	if err != nil {
		return err
	}
	return writeResponse(w, out, response)
}

type answer func(*server, *snapshot, *agent.Call) (*agent.Response, error)

// answers are the calls served; all others are refused as unsupported.
var answers = map[agent.Call_Type]answer{
	agent.Call_GET_HEALTH: func(*server, *snapshot, *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_HEALTH.Enum(),
			GetHealth: &agent.Response_GetHealth{Healthy: proto.Bool(true)}}, nil
	},
	agent.Call_GET_FLAGS: func(s *server, _ *snapshot, _ *agent.Call) (*agent.Response, error) {
		g := &agent.Response_GetFlags{}
		for _, name := range slices.Sorted(maps.Keys(s.flags)) {
			g.Flags = append(g.Flags, &v1.Flag{Name: proto.String(name), Value: proto.String(s.flags[name])})
		}
		return &agent.Response{Type: agent.Response_GET_FLAGS.Enum(), GetFlags: g}, nil
	},
	agent.Call_GET_VERSION: func(s *server, _ *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_VERSION.Enum(),
			GetVersion: &agent.Response_GetVersion{VersionInfo: s.version}}, nil
	},
	agent.Call_GET_LOGGING_LEVEL: func(s *server, _ *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_LOGGING_LEVEL.Enum(),
			GetLoggingLevel: &agent.Response_GetLoggingLevel{Level: proto.Uint32(s.logLevel.Ask())}}, nil
	},
	agent.Call_GET_METRICS: func(s *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		g := &agent.Response_GetMetrics{}
		values := s.metricValues(snap)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			g.Metrics = append(g.Metrics, &v1.Metric{Name: proto.String(name), Value: proto.Float64(values[name])})
		}
		return &agent.Response{Type: agent.Response_GET_METRICS.Enum(), GetMetrics: g}, nil
	},
	agent.Call_LIST_FILES: func(s *server, snap *snapshot, c *agent.Call) (*agent.Response, error) {
		p, err := s.place(snap, c.GetListFiles().GetPath())
		if err != nil {
			return nil, err
		}
		list := &agent.Response_ListFiles{}
		infos, err := files.List(p)
		for _, i := range infos {
			list.FileInfos = append(list.FileInfos, fileInfo(i))
		}
		return &agent.Response{Type: agent.Response_LIST_FILES.Enum(), ListFiles: list}, err
	},
	agent.Call_READ_FILE: func(s *server, snap *snapshot, c *agent.Call) (*agent.Response, error) {
		p, err := s.place(snap, c.GetReadFile().GetPath())
		if err != nil {
			return nil, err
		}
		data, size, err := files.ReadCall(p, c.GetReadFile().GetOffset(), c.GetReadFile().Length)
		return &agent.Response{Type: agent.Response_READ_FILE.Enum(),
			ReadFile: &agent.Response_ReadFile{Size: proto.Uint64(uint64(size)), Data: data}}, err
	},
	agent.Call_GET_STATE: func(_ *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_STATE.Enum(), GetState: &agent.Response_GetState{
			GetTasks: getTasks(snap), GetExecutors: getExecutors(snap), GetFrameworks: getFrameworks(snap),
		}}, nil
	},
	agent.Call_GET_CONTAINERS: func(_ *server, snap *snapshot, c *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_CONTAINERS.Enum(), GetContainers: getContainers(snap, c.GetGetContainers())}, nil
	},
	agent.Call_GET_FRAMEWORKS: func(_ *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_FRAMEWORKS.Enum(), GetFrameworks: getFrameworks(snap)}, nil
	},
	agent.Call_GET_EXECUTORS: func(_ *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_EXECUTORS.Enum(), GetExecutors: getExecutors(snap)}, nil
	},
	agent.Call_GET_TASKS: func(_ *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_TASKS.Enum(), GetTasks: getTasks(snap)}, nil
	},
	agent.Call_GET_AGENT: func(_ *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_AGENT.Enum(),
			GetAgent: &agent.Response_GetAgent{AgentInfo: snap.Agent}}, nil
	},
	agent.Call_GET_OPERATIONS: func(_ *server, snap *snapshot, _ *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_OPERATIONS.Enum(), GetOperations: &agent.Response_GetOperations{Operations: snap.Operations}}, nil
	},
	agent.Call_GET_RESOURCE_PROVIDERS: func(*server, *snapshot, *agent.Call) (*agent.Response, error) {
		return &agent.Response{Type: agent.Response_GET_RESOURCE_PROVIDERS.Enum(),
			GetResourceProviders: &agent.Response_GetResourceProviders{}}, nil
	},
}

func getTasks(snap *snapshot) *agent.Response_GetTasks {
	g := &agent.Response_GetTasks{}
	for _, f := range snap.all() {
		for _, t := range f.Tasks {
			if t.State == task.Done {
				g.TerminatedTasks = append(g.TerminatedTasks, t.Task)
			} else {
				g.LaunchedTasks = append(g.LaunchedTasks, t.Task)
			}
		}
		for _, t := range f.Completed {
			g.CompletedTasks = append(g.CompletedTasks, t.Task)
		}
	}
	return g
}

// executorInfo is the executor that a command task would have in Mesos.
func executorInfo(f core.Framework, t core.Task) *v1.ExecutorInfo {
	return &v1.ExecutorInfo{
		ExecutorId:  t.Executor.Proto(),
		FrameworkId: f.Info.GetId(),
		Name:        proto.String(t.Info.GetName()),
		Source:      proto.String(string(t.Executor)),
		Command:     t.Info.GetCommand(),
		Container:   t.Info.GetContainer(),
		Labels:      t.Info.GetLabels(),
	}
}

func getExecutors(snap *snapshot) *agent.Response_GetExecutors {
	g := &agent.Response_GetExecutors{}
	for _, f := range snap.all() {
		for _, x := range f.Executors {
			g.Executors = append(g.Executors, &agent.Response_GetExecutors_Executor{ExecutorInfo: x.Info})
		}
		for _, t := range f.Tasks {
			if t.Parent == "" {
				g.Executors = append(g.Executors, &agent.Response_GetExecutors_Executor{ExecutorInfo: executorInfo(f, t)})
			}
		}
		for _, t := range f.Completed {
			if t.Parent != "" {
				continue // what it was is not kept
			}
			g.CompletedExecutors = append(g.CompletedExecutors, &agent.Response_GetExecutors_Executor{ExecutorInfo: executorInfo(f, t)})
		}
	}
	return g
}

func getFrameworks(snap *snapshot) *agent.Response_GetFrameworks {
	show := func(list []core.Framework) (out []*agent.Response_GetFrameworks_Framework) {
		for _, f := range list {
			out = append(out, &agent.Response_GetFrameworks_Framework{FrameworkInfo: f.Info})
		}
		return out
	}
	return &agent.Response_GetFrameworks{Frameworks: show(snap.Frameworks), CompletedFrameworks: show(snap.Completed)}
}

func getContainers(snap *snapshot, c *agent.Call_GetContainers) *agent.Response_GetContainers {
	g := &agent.Response_GetContainers{}
	for h := range snap.held() {
		if !h.shown(c.GetShowNested(), c.GetShowStandalone()) {
			continue
		}
		shown := &agent.Response_GetContainers_Container{
			ContainerId: h.proto(), ContainerStatus: h.status, ResourceStatistics: snap.statistics(h.id, h.limits),
		}
		if h.framework != "" {
			shown.FrameworkId, shown.ExecutorId, shown.ExecutorName = h.framework.Proto(), h.executor.Proto(), proto.String(h.name)
		}
		g.Containers = append(g.Containers, shown)
	}
	return g
}

// statusOfContainer is what the task's newest status says of its container.
func statusOfContainer(t core.Task) *v1.ContainerStatus {
	for _, s := range slices.Backward(t.Task.GetStatuses()) {
		if s.ContainerStatus != nil {
			return s.ContainerStatus
		}
	}
	return &v1.ContainerStatus{ContainerId: t.Container.Proto()}
}
