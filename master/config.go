package master

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/resources"
)

// Config is what a master can be told. Names follow the flags of the same
// words: AgentPingTimeout is --agent_ping_timeout.
type Config struct {
	IP            string // address to listen on; all interfaces when empty
	Port          int    // 0 takes a free port; the flag's default is DefaultPort
	AdvertiseIP   string // address told to others, when it is not IP
	AdvertisePort int    // port told to others, when it is not Port
	Hostname      string // name told to others; the machine's own when empty
	Cluster       string // a name for people
	WorkDir       string // for durable state, of which there is none yet

	AllocationInterval   time.Duration // between two rounds of offers to all
	OfferTimeout         time.Duration // an offer is taken back after it; 0: never
	AgentPingTimeout     time.Duration // between two pings, and for each answer
	MaxAgentPingTimeouts int           // unanswered pings that make an agent unreachable

	RootSubmissions bool     // frameworks of user root may register
	Roles           []string // the only roles frameworks may use; empty: any

	Domain    *v1.DomainInfo // where this master is; nil: it does not say
	Whitelist string         // file of the hosts whose agents are offered; empty: all
	Weights   map[string]core.Weight

	WholeAgents                      bool                   // --offer_sizing=whole, as in Mesos; else shared
	MinOfferShare                    resources.Quantities   // least that a shared agent is split into; nil: allocator's default
	MinAllocatableResources          resources.Alternatives // an offer has one of them at least; nil: allocator's default
	FilterGPUResources               bool                   // agents with GPUs only go to frameworks that know of them
	FairSharingExcludedResourceNames []string
	RoleSorter, FrameworkSorter      string // drf or random; empty: drf

	AgentReregisterTimeout    time.Duration // that agents have to come back to a new master
	RecoveryAgentRemovalLimit float64       // part of them that may not, or else the master ends
	AgentRemovalGap           time.Duration // between two removals of silent agents; 0: none

	RegistryStoreTimeout  time.Duration // for a change to be durable, or else another is to lead
	RegistryGCInterval    time.Duration
	RegistryMaxAgentAge   time.Duration // that unreachable and gone agents are remembered
	RegistryMaxAgentCount int           // of each

	MaxCompletedFrameworks          int
	MaxCompletedTasksPerFramework   int
	MaxUnreachableTasksPerFramework int

	MaxOperatorEventStreamSubscribers int // beyond it the oldest has to go
	MaxUsageSamplesPerSecond          int // of tasks; agents report less often rather than send more
}

// DefaultOfferTimeout is how long frameworks may think about an offer. Mesos has
// no end by default, so that one framework can keep all others from running.
const DefaultOfferTimeout = time.Minute

// DefaultPort is where a master listens unless told otherwise.
const DefaultPort = 5050

// Default returns the configuration of a master that was told nothing.
func Default() Config {
	c := Config{Port: DefaultPort, RootSubmissions: true, FilterGPUResources: true, OfferTimeout: DefaultOfferTimeout}
	c.SetDefaults()
	return c
}

// SetDefaults fills every zero field that has a default, except those whose zero
// values mean something: see Default.
func (c *Config) SetDefaults() {
	if c.Hostname == "" {
		c.Hostname, _ = os.Hostname() // without one, Validate complains
	}
	setDuration(&c.AllocationInterval, time.Second)
	setDuration(&c.AgentPingTimeout, 15*time.Second)
	setInt(&c.MaxAgentPingTimeouts, 5)
	setDuration(&c.AgentReregisterTimeout, 10*time.Minute)
	setDuration(&c.RegistryStoreTimeout, 20*time.Second)
	setDuration(&c.RegistryGCInterval, 15*time.Minute)
	setDuration(&c.RegistryMaxAgentAge, 14*24*time.Hour)
	setInt(&c.RegistryMaxAgentCount, 100*1024)
	if c.RecoveryAgentRemovalLimit == 0 {
		c.RecoveryAgentRemovalLimit = 1
	}
	setInt(&c.MaxCompletedFrameworks, 50)
	setInt(&c.MaxCompletedTasksPerFramework, 1000)
	setInt(&c.MaxUnreachableTasksPerFramework, 1000)
	setInt(&c.MaxOperatorEventStreamSubscribers, 1000)
	setInt(&c.MaxUsageSamplesPerSecond, 10_000)
}

func setDuration(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

func setInt(n *int, v int) {
	if *n == 0 {
		*n = v
	}
}

// Validate reports every problem of c, as errs.Invalid.
func (c *Config) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format+": %w", append(args, errs.Invalid)...))
		}
	}
	check(c.IP == "" || net.ParseIP(c.IP) != nil, "ip %q is not an IP address", c.IP)
	check(c.AdvertiseIP == "" || net.ParseIP(c.AdvertiseIP) != nil, "advertise_ip %q is not an IP address", c.AdvertiseIP)
	check(c.Port >= 0 && c.Port <= math.MaxUint16, "port %d is not between 0 and 65535", c.Port)
	check(c.AdvertisePort >= 0 && c.AdvertisePort <= math.MaxUint16, "advertise_port %d is not between 0 and 65535", c.AdvertisePort)
	check(c.Hostname != "", "hostname is empty and the machine has none")
	check(c.AllocationInterval > 0, "allocation_interval %v is not positive", c.AllocationInterval)
	check(c.OfferTimeout >= 0, "offer_timeout %v is negative", c.OfferTimeout)
	check(c.AgentPingTimeout > 0, "agent_ping_timeout %v is not positive", c.AgentPingTimeout)
	check(c.AgentReregisterTimeout > 0, "agent_reregister_timeout %v is not positive", c.AgentReregisterTimeout)
	check(c.RecoveryAgentRemovalLimit > 0 && c.RecoveryAgentRemovalLimit <= 1, "recovery_agent_removal_limit %g%% is not above 0%% and at most 100%%", 100*c.RecoveryAgentRemovalLimit)
	check(c.AgentRemovalGap >= 0, "agent_removal_rate_limit is negative")
	check(c.RegistryStoreTimeout > 0, "registry_store_timeout %v is not positive", c.RegistryStoreTimeout)
	check(c.RegistryGCInterval > 0, "registry_gc_interval %v is not positive", c.RegistryGCInterval)
	check(c.RegistryMaxAgentAge > 0, "registry_max_agent_age %v is not positive", c.RegistryMaxAgentAge)
	check(c.RegistryMaxAgentCount > 0, "registry_max_agent_count %d is not positive", c.RegistryMaxAgentCount)
	check(c.MaxAgentPingTimeouts > 0, "max_agent_ping_timeouts %d is not positive", c.MaxAgentPingTimeouts)
	check(c.MaxCompletedFrameworks >= 0, "max_completed_frameworks %d is negative", c.MaxCompletedFrameworks)
	check(c.MaxCompletedTasksPerFramework >= 0, "max_completed_tasks_per_framework %d is negative", c.MaxCompletedTasksPerFramework)
	check(c.MaxUnreachableTasksPerFramework >= 0, "max_unreachable_tasks_per_framework %d is negative", c.MaxUnreachableTasksPerFramework)
	check(c.MaxOperatorEventStreamSubscribers > 0, "max_operator_event_stream_subscribers %d is not positive", c.MaxOperatorEventStreamSubscribers)
	check(c.MaxUsageSamplesPerSecond > 0, "max_usage_samples_per_second %d is not positive", c.MaxUsageSamplesPerSecond)
	for _, role := range c.Roles {
		if err := resources.ValidateRole(role); err != nil {
			problems = append(problems, fmt.Errorf("roles: %w", err))
		}
	}
	if d := c.Domain; d != nil {
		place := d.GetFaultDomain()
		check(place.GetRegion().GetName() != "" && place.GetZone().GetName() != "", "domain has no region or no zone")
	}
	return errors.Join(problems...)
}
