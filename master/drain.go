package master

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

// drainAgent is the DRAIN_AGENT call.
func drainAgent(call *master.Call) (core.Event, error) {
	if call.DrainAgent == nil {
		return nil, fmt.Errorf("drain_agent is missing: %w", errs.Invalid)
	}
	config := &v1.DrainConfig{MarkGone: proto.Bool(call.GetDrainAgent().GetMarkGone())}
	if grace := call.GetDrainAgent().GetMaxGracePeriod(); grace != nil {
		if err := grace.CheckValid(); err != nil {
			return nil, fmt.Errorf("max_grace_period: %w: %w", err, errs.Invalid)
		}
		config.MaxGracePeriod = &v1.DurationInfo{Nanoseconds: proto.Int64(grace.AsDuration().Nanoseconds())}
	}
	return core.DrainAgent{Agent: ids.AgentID(call.GetDrainAgent().GetAgentId().GetValue()), Config: config}, nil
}

// markAgentGone is the MARK_AGENT_GONE call.
func markAgentGone(call *master.Call) (core.Event, error) {
	if call.MarkAgentGone == nil {
		return nil, fmt.Errorf("mark_agent_gone is missing: %w", errs.Invalid)
	}
	return core.MarkAgentGone{Agent: ids.AgentID(call.GetMarkAgentGone().GetAgentId().GetValue())}, nil
}
