package master

import (
	"encoding/json"

	"mezzo/master/core"
)

type offerModel struct {
	ID             string          `json:"id"`
	FrameworkID    string          `json:"framework_id"`
	AllocationInfo allocationModel `json:"allocation_info"`
	AgentID        string          `json:"slave_id"`
	Resources      map[string]any  `json:"resources"`
}

type allocationModel struct {
	Role string `json:"role"`
}

type requestModel struct {
	AgentID   string             `json:"slave_id,omitempty"`
	Resources map[string]float64 `json:"resources"`
}

type frameworkModel struct {
	ID               string          `json:"id"`
	Name             string          `json:"name"`
	UsedResources    map[string]any  `json:"used_resources"`
	OfferedResources map[string]any  `json:"offered_resources"`
	Capabilities     []string        `json:"capabilities"`
	Hostname         string          `json:"hostname"`
	WebUIURL         string          `json:"webui_url"`
	Active           bool            `json:"active"`
	Connected        bool            `json:"connected"`
	Recovered        bool            `json:"recovered"`
	User             string          `json:"user"`
	FailoverTimeout  number          `json:"failover_timeout"`
	Checkpoint       bool            `json:"checkpoint"`
	RegisteredTime   float64         `json:"registered_time"`
	UnregisteredTime float64         `json:"unregistered_time"`
	Principal        *string         `json:"principal,omitempty"`
	Resources        map[string]any  `json:"resources"`
	ReregisteredTime *float64        `json:"reregistered_time,omitempty"`
	Role             *string         `json:"role,omitempty"`
	Roles            []string        `json:"roles,omitempty"`
	Tasks            json.RawMessage `json:"tasks"`
	UnreachableTasks json.RawMessage `json:"unreachable_tasks"`
	CompletedTasks   json.RawMessage `json:"completed_tasks"`
	Offers           []offerModel    `json:"offers"`
	Executors        json.RawMessage `json:"executors"`
	Labels           []labelModel    `json:"labels,omitempty"`
	OfferConstraints json.RawMessage `json:"offer_constraints,omitempty"`
	Requests         []requestModel  `json:"requests,omitempty"`          // ours
	OldestOfferTime  *float64        `json:"oldest_offer_time,omitempty"` // ours
}

func (a *assembly) modelFramework(f *core.FrameworkView) frameworkModel {
	used, offered := f.Used(), f.Offered()
	m := frameworkModel{
		ID:               string(f.ID),
		Name:             f.Info.GetName(),
		UsedResources:    amounts(used),
		OfferedResources: amounts(offered),
		Capabilities:     []string{},
		Hostname:         f.Info.GetHostname(),
		WebUIURL:         f.Info.GetWebuiUrl(),
		Active:           f.Connected,
		Connected:        f.Connected,
		Recovered:        f.Recovered,
		User:             f.Info.GetUser(),
		FailoverTimeout:  number(f.Info.GetFailoverTimeout()),
		Checkpoint:       f.Info.GetCheckpoint(),
		RegisteredTime:   core.Seconds(f.Registered),
		UnregisteredTime: core.Seconds(f.Unregistered),
		Principal:        f.Info.Principal,
		Resources:        amounts(used.Add(offered)),
		Tasks:            a.taskList(f.Tasks),
		UnreachableTasks: a.taskList(f.Unreachable),
		CompletedTasks:   a.taskList(f.Finished),
		Offers:           []offerModel{},
		Executors:        a.executorList(f.Executors),
		Labels:           labels(f.Info.GetLabels()),
		OfferConstraints: raw(f.Constraints),
	}
	if !f.Reregistered.Equal(f.Registered) {
		m.ReregisteredTime = seconds(f.Reregistered)
	}
	for _, r := range f.Requests {
		m.Requests = append(m.Requests, requestModel{string(r.Agent), modelQuantities(r.Amount)})
	}
	if t := f.OldestOffer(); !t.IsZero() {
		m.OldestOfferTime = seconds(t)
	}
	for _, c := range f.Info.GetCapabilities() {
		m.Capabilities = append(m.Capabilities, c.GetType().String())
	}
	if f.MultiRole() {
		m.Roles = f.Roles()
	} else {
		role := f.Info.GetRole()
		m.Role = &role
	}
	for _, o := range f.Offers {
		m.Offers = append(m.Offers, offerModel{string(o.ID), string(o.Framework), allocationModel{o.Role}, string(o.Agent), amounts(o.Resources)})
	}
	return m
}

func (a *assembly) modelFrameworks(list []core.FrameworkView, id string) []frameworkModel {
	out := []frameworkModel{}
	for i := range list {
		if id == "" || string(list[i].ID) == id {
			out = append(out, a.modelFramework(&list[i]))
		}
	}
	return out
}
