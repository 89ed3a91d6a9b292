package master

import (
	"encoding/json"

	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

type taskModel struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	FrameworkID string            `json:"framework_id"`
	ExecutorID  string            `json:"executor_id"`
	AgentID     string            `json:"slave_id"`
	State       string            `json:"state"`
	Resources   map[string]any    `json:"resources"`
	Limits      map[string]number `json:"limits,omitempty"`
	Role        string            `json:"role"`
	Statuses    []statusModel     `json:"statuses"`
	User        string            `json:"user,omitempty"`
	Labels      []labelModel      `json:"labels,omitempty"`
	Discovery   json.RawMessage   `json:"discovery,omitempty"`
	Container   json.RawMessage   `json:"container,omitempty"`
	HealthCheck json.RawMessage   `json:"health_check,omitempty"`
}

type statusModel struct {
	State           string          `json:"state"`
	Timestamp       number          `json:"timestamp"`
	Labels          []labelModel    `json:"labels,omitempty"`
	ContainerStatus json.RawMessage `json:"container_status,omitempty"`
	Healthy         *bool           `json:"healthy,omitempty"`
}

type labelModel struct {
	Key   string  `json:"key"`
	Value *string `json:"value,omitempty"`
}

func labels(l *v1.Labels) []labelModel {
	var out []labelModel
	for _, label := range l.GetLabels() {
		out = append(out, labelModel{label.GetKey(), label.Value})
	}
	return out
}

func modelTask(t *core.Task) taskModel {
	m := taskModel{
		ID:          string(t.ID),
		Name:        t.Info.GetName(),
		FrameworkID: string(t.Framework),
		ExecutorID:  t.Info.GetExecutorId().GetValue(),
		AgentID:     string(t.Agent),
		State:       t.State.String(),
		Resources:   amounts(t.Resources),
		Role:        t.Role(),
		Statuses:    []statusModel{},
		User:        t.Info.GetUser(),
		Labels:      labels(t.Info.GetLabels()),
		Discovery:   raw(t.Info.GetDiscovery()),
		Container:   raw(t.Info.GetContainer()),
		HealthCheck: raw(t.Info.GetHealthCheck()),
	}
	for name, limit := range t.Info.GetLimits() {
		if m.Limits == nil {
			m.Limits = map[string]number{}
		}
		m.Limits[name] = number(limit.GetValue())
	}
	for _, s := range t.Statuses {
		m.Statuses = append(m.Statuses, statusModel{
			State:           s.GetState().String(),
			Timestamp:       number(s.GetTimestamp()),
			Labels:          labels(s.GetLabels()),
			ContainerStatus: raw(s.GetContainerStatus()),
			Healthy:         s.Healthy,
		})
	}
	return m
}

func modelTasks(list []*core.Task) []taskModel {
	out := make([]taskModel, 0, len(list))
	for _, t := range list {
		out = append(out, modelTask(t))
	}
	return out
}
