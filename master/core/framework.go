package core

import (
	"slices"
	"time"

	"github.com/tidwall/btree"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// Framework is one framework as the master knows it.
type Framework struct {
	ID           ids.FrameworkID
	Info         *v1.FrameworkInfo           // replaced whole, never changed
	Constraints  *scheduler.OfferConstraints // as given; valid
	Suppressed   []string                    // roles it wants no offers for, ascending
	Connected    bool
	Recovered    bool // known from agents alone so far
	Registered   time.Time
	Reregistered time.Time // equal to Registered if it never did
	Unregistered time.Time // zero while it is there
	Counts       FrameworkCounts
}

// FrameworkCounts counts what went between one framework and the master.
type FrameworkCounts struct {
	Calls, Events                                               uint64
	OffersSent, OffersAccepted, OffersDeclined, OffersRescinded uint64
	Ended                                                       map[v1.TaskState]uint64
}

// framework adds what only the core needs.
type framework struct {
	Framework
	stream       StreamID  // empty when disconnected
	disconnected time.Time // since then
	failover     *timer    // ends it; nil while connected
	tasks        btree.Map[ids.TaskID, *Task]
	unreachable  history[ids.TaskID, *Task]
	finished     []*Task
	offers       map[ids.OfferID]*offer
	inverse      map[ids.OfferID]*inverseOffer
	agents       map[ids.AgentID]bool // it ever had tasks on
	pending      int                  // requests that no offer answered yet
}

func (c *Core) newFramework(info *v1.FrameworkInfo) *framework {
	return &framework{
		Framework: Framework{
			ID:           ids.FrameworkID(info.GetId().GetValue()),
			Info:         info,
			Registered:   c.now,
			Reregistered: c.now,
			Counts:       FrameworkCounts{Ended: map[v1.TaskState]uint64{}},
		},
		unreachable: newHistory[ids.TaskID, *Task](c.cfg.MaxUnreachableTasks),
		offers:      map[ids.OfferID]*offer{},
		inverse:     map[ids.OfferID]*inverseOffer{},
		agents:      map[ids.AgentID]bool{},
	}
}

func (f *Framework) has(t v1.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(f.Info.GetCapabilities(), func(c *v1.FrameworkInfo_Capability) bool { return c.GetType() == t })
}

// MultiRole tells whether the framework has roles, rather than a role.
func (f *Framework) MultiRole() bool { return isMultiRole(f.Info) }

// Roles are the roles the framework is subscribed to.
func (f *Framework) Roles() []string { return rolesOf(f.Info) }

func rolesOf(info *v1.FrameworkInfo) []string {
	if isMultiRole(info) {
		return info.GetRoles()
	}
	return []string{info.GetRole()}
}

func isMultiRole(info *v1.FrameworkInfo) bool {
	return (&Framework{Info: info}).has(v1.FrameworkInfo_Capability_MULTI_ROLE)
}

// send puts an event on the framework's stream, if it has one.
func (c *Core) send(f *framework, ev *scheduler.Event) {
	if f.stream == "" {
		return
	}
	f.Counts.Events++
	c.emit(SendFramework{f.stream, ev})
}

// fail tells a stream why it ends, and ends it.
func (c *Core) fail(s StreamID, message string) {
	c.emit(SendFramework{s, errorEvent(message)})
	c.emit(CloseFramework{s})
}
