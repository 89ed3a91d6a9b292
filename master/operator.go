package master

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/usage"
	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/resources"
)

// operator serves POST /api/v1.
func (m *Master) operator(w http.ResponseWriter, r *http.Request) {
	call := &master.Call{}
	if !decode(w, r, call) {
		return
	}
	if call.Type == nil {
		refuse(w, http.StatusBadRequest, "call has no type")
		return
	}
	out, ok := negotiate(w, r)
	if !ok {
		return
	}
	if c, ok := changes[call.GetType()]; ok {
		ev, err := c.event(call)
		m.change(w, ev, err, c.done)
		return
	}
	if call.GetType() == master.Call_SET_LOGGING_LEVEL {
		if err := m.setLoggingLevel(call.GetSetLoggingLevel()); err != nil {
			fail(w, err)
		}
		return
	}
	if call.GetType() == master.Call_SUBSCRIBE {
		m.watch(w, r, out)
		return
	}
	if making := m.shared(out, call.GetType()); making != nil {
		doc, err := m.document(call.GetType().String()+" "+out.ContentType(), making)
		if err != nil {
			fail(w, err)
			return
		}
		m.sendDocument(w, r, out.ContentType(), doc)
		return
	}
	response, err := m.answer(call)
	if err != nil {
		fail(w, err)
		return
	}
	body, err := out.Marshal(response)
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, r, out.ContentType(), body)
}

// setLoggingLevel is the SET_LOGGING_LEVEL call.
func (m *Master) setLoggingLevel(c *master.Call_SetLoggingLevel) error {
	if c == nil {
		return fmt.Errorf("set_logging_level is missing: %w", errs.Invalid)
	}
	return m.deps.LogLevel.Call(c.GetLevel(), time.Duration(c.GetDuration().GetNanoseconds()))
}

// shared makes the answers that are large and the same for all; it is nil for others.
func (m *Master) shared(out codec.Codec, call master.Call_Type) func(*core.Snapshot) (pieces, error) {
	if _, ok := longAnswers[call]; ok {
		return func(s *core.Snapshot) (pieces, error) { return m.longAnswer(out, call, s) }
	}
	if call == master.Call_GET_FRAMEWORKS || call == master.Call_GET_USAGE {
		return func(s *core.Snapshot) (pieces, error) {
			text, err := out.Marshal(shows[call](m, s))
			return pieces{text}, err
		}
	}
	return nil
}

// answer makes the response to a call that only asks.
func (m *Master) answer(call *master.Call) (*master.Response, error) {
	switch call.GetType() {
	case master.Call_GET_HEALTH:
		return &master.Response{
			Type:      master.Response_GET_HEALTH.Enum(),
			GetHealth: &master.Response_GetHealth{Healthy: proto.Bool(true)},
		}, nil
	case master.Call_GET_FLAGS:
		return &master.Response{Type: master.Response_GET_FLAGS.Enum(), GetFlags: &master.Response_GetFlags{Flags: m.flagList()}}, nil
	case master.Call_GET_VERSION:
		return &master.Response{
			Type:       master.Response_GET_VERSION.Enum(),
			GetVersion: &master.Response_GetVersion{VersionInfo: m.deps.Version},
		}, nil
	case master.Call_GET_MASTER:
		started, elected := core.Seconds(m.started), core.Seconds(m.lead().elected)
		return &master.Response{
			Type:      master.Response_GET_MASTER.Enum(),
			GetMaster: &master.Response_GetMaster{MasterInfo: m.lead().info, StartTime: &started, ElectedTime: &elected},
		}, nil
	case master.Call_GET_LOGGING_LEVEL:
		return &master.Response{
			Type:            master.Response_GET_LOGGING_LEVEL.Enum(),
			GetLoggingLevel: &master.Response_GetLoggingLevel{Level: proto.Uint32(m.deps.LogLevel.Ask())},
		}, nil
	case master.Call_LIST_FILES:
		return m.listFiles(call.GetListFiles())
	case master.Call_READ_FILE:
		return m.readFile(call.GetReadFile())
	case master.Call_EXPLAIN:
		return m.explain(call.GetExplain())
	default:
		return m.show(call.GetType())
	}
}

// show answers the calls that need the state.
func (m *Master) show(call master.Call_Type) (*master.Response, error) {
	show, ok := shows[call]
	if !ok {
		return nil, fmt.Errorf("call %v is not supported: %w", call, errs.Unsupported)
	}
	s, err := m.lead().loop.read()
	if err != nil {
		return nil, err
	}
	return show(m, s), nil
}

// shows are the calls that show the state.
var shows = map[master.Call_Type]func(*Master, *core.Snapshot) *master.Response{
	master.Call_GET_METRICS: func(m *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_METRICS.Enum(), GetMetrics: &master.Response_GetMetrics{Metrics: m.metricList(s)}}
	},
	master.Call_GET_FRAMEWORKS: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_FRAMEWORKS.Enum(), GetFrameworks: showFrameworks(s)}
	},
	master.Call_GET_OPERATIONS: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_OPERATIONS.Enum(), GetOperations: showOperations(s)}
	},
	master.Call_GET_ROLES: func(m *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_ROLES.Enum(), GetRoles: &master.Response_GetRoles{Roles: showRoles(s, m.cfg.Roles)}}
	},
	master.Call_GET_WEIGHTS: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_WEIGHTS.Enum(), GetWeights: &master.Response_GetWeights{WeightInfos: showWeights(s)}}
	},
	master.Call_GET_QUOTA: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_QUOTA.Enum(), GetQuota: &master.Response_GetQuota{Status: showQuota(s)}}
	},
	master.Call_GET_MAINTENANCE_SCHEDULE: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{
			Type:                   master.Response_GET_MAINTENANCE_SCHEDULE.Enum(),
			GetMaintenanceSchedule: &master.Response_GetMaintenanceSchedule{Schedule: s.Schedule},
		}
	},
	master.Call_GET_MAINTENANCE_STATUS: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{
			Type:                 master.Response_GET_MAINTENANCE_STATUS.Enum(),
			GetMaintenanceStatus: &master.Response_GetMaintenanceStatus{Status: showMaintenance(s)},
		}
	},
	master.Call_GET_USAGE: func(_ *Master, s *core.Snapshot) *master.Response {
		return &master.Response{Type: master.Response_GET_USAGE.Enum(), GetUsage: clusterUsage(s)}
	},
}

func (m *Master) flagList() []*v1.Flag {
	var flags []*v1.Flag
	for name, value := range m.deps.Flags {
		flags = append(flags, &v1.Flag{Name: &name, Value: &value})
	}
	slices.SortFunc(flags, func(a, b *v1.Flag) int { return strings.Compare(a.GetName(), b.GetName()) })
	return flags
}

func showAgent(a *core.Agent) *master.Response_GetAgents_Agent {
	return &master.Response_GetAgents_Agent{
		AgentInfo:          a.Info,
		Active:             proto.Bool(a.Active()),
		Version:            &a.Version,
		Pid:                proto.String(agentPID(a.Address)),
		RegisteredTime:     core.TimeInfo(a.Registered),
		ReregisteredTime:   core.TimeInfo(a.Reregistered),
		TotalResources:     operatorProto(a.Total),
		AllocatedResources: operatorProto(a.Used),
		OfferedResources:   operatorProto(a.Offered),
		Capabilities:       a.Capabilities,
		Deactivated:        &a.Deactivated,
		DrainInfo:          a.Drain,

		EstimatedDrainStartTime: core.TimeInfo(a.DrainStarted),
		Unavailability:          a.Unavailability,
	}
}

func showFrameworks(s *core.Snapshot) *master.Response_GetFrameworks {
	out := &master.Response_GetFrameworks{}
	for i := range s.Frameworks {
		out.Frameworks = append(out.Frameworks, showFramework(&s.Frameworks[i]))
	}
	for i := range s.Completed {
		out.CompletedFrameworks = append(out.CompletedFrameworks, showFramework(&s.Completed[i]))
	}
	return out
}

func showFramework(f *core.FrameworkView) *master.Response_GetFrameworks_Framework {
	out := &master.Response_GetFrameworks_Framework{
		FrameworkInfo:      f.Info,
		Active:             &f.Connected,
		Connected:          &f.Connected,
		Recovered:          &f.Recovered,
		RegisteredTime:     core.TimeInfo(f.Registered),
		ReregisteredTime:   core.TimeInfo(f.Reregistered),
		UnregisteredTime:   core.TimeInfo(f.Unregistered),
		AllocatedResources: operatorProto(f.Used()),
		OfferedResources:   operatorProto(f.Offered()),
		OfferConstraints:   f.Constraints,
		Requests:           showRequests(f.Requests),
		OldestOfferTime:    core.TimeInfo(f.OldestOffer()),
	}
	for _, o := range f.Offers {
		out.Offers = append(out.Offers, o.Proto())
	}
	for _, o := range f.Inverse {
		out.InverseOffers = append(out.InverseOffers, o.Proto())
	}
	return out
}

// clusterUsage sets what was given beside what is used.
func clusterUsage(s *core.Snapshot) *usage.Cluster {
	out, used := &usage.Cluster{}, s.Usages()
	for i := range s.Agents {
		a := &s.Agents[i]
		out.Agents = append(out.Agents, &usage.AgentUsage{
			AgentId:   a.Info.Id,
			Hostname:  a.Info.Hostname,
			Total:     operatorProto(a.Total),
			Allocated: operatorProto(a.Used),
			Offered:   operatorProto(a.Offered),
			Used:      a.Usage,
		})
	}
	for _, t := range selectTasks(s, "", "") {
		out.Tasks = append(out.Tasks, &usage.TaskUsage{
			FrameworkId: t.Info.FrameworkId,
			TaskId:      t.Info.TaskId,
			AgentId:     t.Info.AgentId,
			Name:        t.Info.Name,
			State:       t.State.Enum(),
			Allocated:   t.Info.Resources,
			Used:        used.OfTask(t),
		})
	}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		var held map[*core.Executor]resources.Resources
		for _, x := range f.Executors {
			sample := used.OfExecutor(x)
			if sample == nil {
				continue // a group's, which has no process, or one that did not start yet
			}
			if held == nil {
				held = f.HeldByExecutors()
			}
			out.Executors = append(out.Executors, &usage.ExecutorUsage{
				FrameworkId: x.Framework.Proto(), ExecutorId: x.ID.Proto(), AgentId: x.Agent.Proto(), Name: x.Info.Name,
				Allocated: operatorProto(held[x]), Used: sample,
			})
		}
	}
	slices.SortStableFunc(out.Tasks, func(a, b *usage.TaskUsage) int {
		if c := strings.Compare(a.GetFrameworkId().GetValue(), b.GetFrameworkId().GetValue()); c != 0 {
			return c
		}
		return strings.Compare(a.GetTaskId().GetValue(), b.GetTaskId().GetValue())
	})
	return out
}
