package core

import (
	"mezzo/allocator"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/api/mesos/v1/scheduler"
)

// StreamID names one SUBSCRIBE stream: the UUID of its Mesos-Stream-Id header.
type StreamID string

// ConnID numbers the agents' streams; a number is never used again.
type ConnID uint64

// Event is something that happened. The messages in it belong to the core from
// then on.
type Event interface{ isEvent() }

type (
	// SchedulerCall is a call that passed CheckCall. Stream is the new stream's
	// id for a SUBSCRIBE, the header's value (or nothing) for all others.
	// Answered by Reply.
	SchedulerCall struct {
		Stream StreamID
		Call   *scheduler.Call
	}

	// StreamClosed says that a subscriber is gone.
	StreamClosed struct{ Stream StreamID }

	// AgentHello opens an agent's stream. IP is where it came from.
	AgentHello struct {
		Conn  ConnID
		IP    string
		Hello *link.Hello
	}

	// AgentMessage is anything an agent sends after its Hello.
	AgentMessage struct {
		Conn    ConnID
		Message *link.FromAgent
	}

	// AgentDisconnected says that an agent's stream ended.
	AgentDisconnected struct{ Conn ConnID }

	// KillTask is an operator's wish to end one task. Answered by Reply.
	KillTask struct {
		Framework ids.FrameworkID
		Task      ids.TaskID
		Policy    *v1.KillPolicy
	}

	// SetQuotas changes the quota of roles, all or none; the zero Quota takes it
	// away. Answered by Reply; errs.Conflict if Force would do it.
	SetQuotas struct {
		Quotas map[string]allocator.Quota
		Force  bool
		Only   Only
	}

	// SetWeights changes the weights of roles, all or none. Answered by Reply.
	SetWeights struct{ Weights map[string]Weight }

	// SetDeactivated says that nothing more of an agent is to be offered, or that
	// it is again, which ends its draining too. Answered by Reply.
	SetDeactivated struct {
		Agent ids.AgentID
		On    bool
	}

	// DrainAgent ends all tasks of an agent and offers nothing more of it.
	// Answered by Reply.
	DrainAgent struct {
		Agent  ids.AgentID
		Config *v1.DrainConfig
	}

	// MarkAgentGone says that an agent will never be back. Answered by Reply.
	MarkAgentGone struct{ Agent ids.AgentID }

	// SetSchedule replaces what maintenance is planned. Answered by Reply.
	SetSchedule struct{ Schedule *maintenance.Schedule }

	// StartMaintenance takes scheduled machines down, StopMaintenance brings them
	// up again; all or none. Answered by Reply.
	StartMaintenance struct{ Machines []*v1.MachineID }
	StopMaintenance  struct{ Machines []*v1.MachineID }

	// Teardown removes a framework with its tasks. Answered by Reply.
	Teardown struct{ Framework ids.FrameworkID }

	// Operate performs an operation, RESERVE to SHRINK_VOLUME, on what nobody uses
	// of an agent. Answered by Reply; errs.Conflict if there is not enough.
	Operate struct {
		Agent     ids.AgentID
		Operation *v1.Offer_Operation
	}

	// SetWhitelist says which hosts' agents are offered.
	SetWhitelist struct {
		Hosts []string
		All   bool // whatever Hosts says
	}

	// Explain asks why a framework is not offered anything: in one role if it
	// is named, of one agent if it is. Answered by Reply.
	Explain struct {
		Framework ids.FrameworkID
		Role      string
		Agent     ids.AgentID
	}

	// Tick says that the time of NextWake has come.
	Tick struct{}
)

func (SchedulerCall) isEvent()     {}
func (StreamClosed) isEvent()      {}
func (AgentHello) isEvent()        {}
func (AgentMessage) isEvent()      {}
func (AgentDisconnected) isEvent() {}
func (KillTask) isEvent()          {}
func (SetQuotas) isEvent()         {}
func (SetWeights) isEvent()        {}
func (SetDeactivated) isEvent()    {}
func (DrainAgent) isEvent()        {}
func (MarkAgentGone) isEvent()     {}
func (SetSchedule) isEvent()       {}
func (StartMaintenance) isEvent()  {}
func (StopMaintenance) isEvent()   {}
func (Teardown) isEvent()          {}
func (Operate) isEvent()           {}
func (SetWhitelist) isEvent()      {}
func (Explain) isEvent()           {}
func (Tick) isEvent()              {}

// Only narrows SetQuotas to roles that stand in a certain way.
type Only int

// Values of Only.
const (
	OnlyAny     Only = iota
	OnlyWithout      // roles without quota
	OnlyWith         // roles with quota
)
