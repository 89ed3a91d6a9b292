package allocator

import (
	"fmt"
	"slices"
	"time"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Config is what an Allocator is made with.
type Config struct {
	// MinAllocatable: an offer must have at least one of these. Empty: any
	// offer will do.
	MinAllocatable resources.Alternatives
	// MinRefuse is the least time that a refusal holds: the time between
	// cycles, or it would end before it was heard.
	MinRefuse time.Duration
	// WholeAgents offers all that is left of an agent to one client, as Mesos
	// does. Otherwise, when more clients wait than agents have something left,
	// an agent is split among them.
	WholeAgents bool
	// MinShare is what a split leaves each at least.
	MinShare resources.Quantities
	// GPUsForAll offers agents with GPUs also to frameworks that do not know
	// of them.
	GPUsForAll bool
	// Region is the master's. Agents of other regions are offered to frameworks
	// that know of regions.
	Region string
	// UnfairNames names resources that play no part in fairness.
	UnfairNames []string
	// RoleSorter and FrameworkSorter are "drf" or "random"; empty: "drf".
	RoleSorter, FrameworkSorter string
	// Seed makes the order in which agents are asked, and all lots.
	Seed uint64
}

// SetDefaults fills in what Mesos has by default, cpus:0.01|mem:32 and one
// second, and cpus:1;mem:1024 as the least share.
func (c *Config) SetDefaults() {
	if c.MinAllocatable == nil {
		c.MinAllocatable = resources.Alternatives{{{Name: "cpus", Amount: 10}}, {{Name: "mem", Amount: 32_000}}}
	}
	if c.MinRefuse == 0 {
		c.MinRefuse = time.Second
	}
	if c.MinShare == nil {
		c.MinShare = resources.Quantities{{Name: "cpus", Amount: 1000}, {Name: "mem", Amount: 1_024_000}}
	}
}

// Validate names what is wrong with c.
func (c *Config) Validate() error {
	if c.MinRefuse < 0 || c.MinRefuse > MaxRefuse {
		return fmt.Errorf("least refusal %v is not from 0 to %v: %w", c.MinRefuse, MaxRefuse, errs.Invalid)
	}
	if i := slices.Index(c.UnfairNames, ""); i >= 0 {
		return fmt.Errorf("name of an unfair resource is empty: %w", errs.Invalid)
	}
	for _, name := range []string{c.RoleSorter, c.FrameworkSorter} {
		if !slices.Contains([]string{"", "drf", "random"}, name) {
			return fmt.Errorf("sorter %q is neither \"drf\" nor \"random\": %w", name, errs.Invalid)
		}
	}
	return nil
}
