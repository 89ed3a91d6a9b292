package core

import (
	"mezzo/api/link"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master/registry"
)

// Effect is something for the shell to do, in the order given. Messages in it
// may be shared with the core: read them, never write.
type Effect interface{ isEffect() }

type (
	// SendFramework puts an event on a subscriber's stream.
	SendFramework struct {
		Stream StreamID
		Event  *scheduler.Event
	}

	// CloseFramework ends a subscriber's stream after what was sent on it. No
	// StreamClosed needs to come back.
	CloseFramework struct{ Stream StreamID }

	// SendAgent puts a message on an agent's stream.
	SendAgent struct {
		Conn    ConnID
		Message *link.FromMaster
	}

	// CloseAgent ends an agent's stream after what was sent on it, with Err as
	// the reason. No AgentDisconnected needs to come back.
	CloseAgent struct {
		Conn ConnID
		Err  error
	}

	// Reply answers the event of this Step: nil for done, else one of the
	// classes of errs. Explanation is set for an Explain that was done.
	Reply struct {
		Err         error
		Explanation *Explanation
	}

	// Store keeps what outlives the master, all or nothing. Nothing that comes
	// behind it in the order of effects, of this Step or a later one, may be seen
	// by anybody before it is durable. If it fails, the master's time is over.
	Store struct{ Changes []registry.Change }

	// Fatal ends the master's time.
	Fatal struct{ Err error }

	// Trace is a line for the log.
	Trace struct {
		Level   Level
		Message string
		Attrs   []Attr
	}
)

func (SendFramework) isEffect()  {}
func (CloseFramework) isEffect() {}
func (SendAgent) isEffect()      {}
func (CloseAgent) isEffect()     {}
func (Reply) isEffect()          {}
func (Store) isEffect()          {}
func (Fatal) isEffect()          {}
func (Trace) isEffect()          {}

// Level says how much a Trace matters.
type Level int

// Levels of Trace.
const (
	Debug Level = iota
	Info
	Warn
)

// Attr is one key and value of a Trace.
type Attr struct{ Key, Value string }
