package master

import (
	"encoding/json"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
	"mezzo/resources"
)

type agentModel struct {
	ID                      string                       `json:"id"`
	Hostname                string                       `json:"hostname"`
	Port                    int32                        `json:"port"`
	Attributes              map[string]any               `json:"attributes"`
	Domain                  json.RawMessage              `json:"domain,omitempty"`
	PID                     string                       `json:"pid"`
	RegisteredTime          float64                      `json:"registered_time"`
	ReregisteredTime        *float64                     `json:"reregistered_time,omitempty"`
	Resources               map[string]any               `json:"resources"`
	UsedResources           map[string]any               `json:"used_resources"`
	OfferedResources        map[string]any               `json:"offered_resources"`
	ReservedResources       map[string]map[string]any    `json:"reserved_resources"`
	UnreservedResources     map[string]any               `json:"unreserved_resources"`
	ReservedResourcesFull   map[string][]json.RawMessage `json:"reserved_resources_full"`
	UnreservedResourcesFull []json.RawMessage            `json:"unreserved_resources_full"`
	ReservedAllocated       map[string]map[string]any    `json:"reserved_resources_allocated"`
	UnreservedAllocated     map[string]any               `json:"unreserved_resources_allocated"`
	UsedResourcesFull       []json.RawMessage            `json:"used_resources_full"`
	OfferedResourcesFull    []json.RawMessage            `json:"offered_resources_full"`
	Active                  bool                         `json:"active"`
	Deactivated             bool                         `json:"deactivated"`
	Version                 string                       `json:"version"`
	Capabilities            []string                     `json:"capabilities"`
	DrainInfo               json.RawMessage              `json:"drain_info,omitempty"`
	DrainStart              *float64                     `json:"estimated_drain_start_time_seconds,omitempty"`
	Unavailability          json.RawMessage              `json:"unavailability,omitempty"`
}

func modelAgent(a *core.Agent) agentModel {
	m := agentModel{
		ID:                      string(a.ID),
		Hostname:                a.Info.GetHostname(),
		Port:                    a.Info.GetPort(),
		Attributes:              attributes(a.Info.GetAttributes()),
		Domain:                  raw(a.Info.GetDomain()),
		PID:                     agentPID(a.Address),
		RegisteredTime:          core.Seconds(a.Registered),
		Resources:               amounts(a.Total),
		UsedResources:           amounts(a.Used),
		OfferedResources:        amounts(a.Offered),
		ReservedResources:       reserved(a.Total, amounts),
		UnreservedResources:     amounts(a.Total.Unreserved()),
		ReservedResourcesFull:   reserved(a.Total, full),
		UnreservedResourcesFull: full(a.Total.Unreserved()),
		ReservedAllocated:       reserved(a.Used, amounts),
		UnreservedAllocated:     amounts(a.Used.Unreserved()),
		UsedResourcesFull:       full(a.Used),
		OfferedResourcesFull:    full(a.Offered),
		Active:                  a.Active(),
		Deactivated:             a.Deactivated,
		Version:                 a.Version,
		Capabilities:            []string{},
		Unavailability:          raw(a.Unavailability),
	}
	if !a.Reregistered.IsZero() {
		m.ReregisteredTime = seconds(a.Reregistered)
	}
	if a.Drain != nil {
		m.DrainInfo, m.DrainStart = raw(a.Drain), seconds(a.DrainStarted)
	}
	for _, c := range a.Capabilities {
		m.Capabilities = append(m.Capabilities, c.GetType().String())
	}
	return m
}

// modelRecovered are agents that a master before knew: all that is known is what
// they said of themselves.
func modelRecovered(all []*v1.AgentInfo, id string) []agentModel {
	out := []agentModel{}
	for _, info := range all {
		total, err := resources.FromProto(info.GetResources())
		if err == nil && (id == "" || id == info.GetId().GetValue()) {
			out = append(out, modelAgent(&core.Agent{ID: ids.AgentID(info.GetId().GetValue()), Info: info, Total: total}))
		}
	}
	return out
}
