package master

import (
	"encoding/json"

	"mezzo/api/mesos/v1/master"
	"mezzo/master/core"
)

// executorModel is an executor of a framework's own, in /state.
type executorModel struct {
	ExecutorID  string          `json:"executor_id"`
	Name        string          `json:"name"`
	FrameworkID string          `json:"framework_id"`
	Source      string          `json:"source"`
	AgentID     string          `json:"slave_id"`
	Command     json.RawMessage `json:"command"`
	Resources   map[string]any  `json:"resources"`
	Labels      []labelModel    `json:"labels,omitempty"`
}

func modelExecutor(x *core.Executor) executorModel {
	return executorModel{
		ExecutorID: string(x.ID), Name: x.Info.GetName(), FrameworkID: string(x.Framework), Source: x.Info.GetSource(),
		AgentID: string(x.Agent), Command: raw(x.Info.Command), Resources: amounts(x.Resources), Labels: labels(x.Info.GetLabels()),
	}
}

func showExecutor(x *core.Executor) *master.Response_GetExecutors_Executor {
	return &master.Response_GetExecutors_Executor{ExecutorInfo: x.Info, AgentId: x.Agent.Proto()}
}
