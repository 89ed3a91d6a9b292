package core

import (
	"time"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
)

// Config is what the core is told once.
type Config struct {
	Master    *v1.MasterInfo // who this is; its id begins all other ids
	Heartbeat time.Duration  // as promised in SUBSCRIBED; the shell sends them

	AllocationInterval time.Duration // between two offers to everybody
	OfferTimeout       time.Duration // life of an offer; 0: no end
	PingInterval       time.Duration
	MaxMissedPings     int
	MaxUsageSamples    int // of tasks, from all agents together, in a second; 0: no end

	RootSubmissions bool
	Roles           []string // the only ones allowed; empty: any

	Allocator allocator.Config
	Weights   map[string]Weight // of roles, at the start

	AgentReregisterTimeout time.Duration // that agents have after a failover
	RecoveryRemovalLimit   float64       // part of them that may be missing then
	RemovalGap             time.Duration // between two removals of silent agents; 0: none
	CollectInterval        time.Duration // between two looks for what is too old
	MaxAgentAge            time.Duration // that an unreachable or gone agent is remembered

	MaxCompletedFrameworks int
	MaxCompletedTasks      int // per framework
	MaxUnreachableTasks    int // per framework
	MaxUnreachableAgents   int
}

// usageInterval is how long each agent has to wait between two reports while there are
// so many tasks.
func (c *Config) usageInterval(tasks int) time.Duration {
	if c.MaxUsageSamples == 0 {
		return 0
	}
	return time.Duration(tasks) * time.Second / time.Duration(c.MaxUsageSamples)
}

// silence is how long an agent may be gone before it is unreachable.
func (c *Config) silence() time.Duration {
	return c.PingInterval * time.Duration(c.MaxMissedPings)
}
