package allocator

import (
	"fmt"
	"math/rand/v2"

	"mezzo/allocator/sorter"
	"mezzo/api/ids"
	"mezzo/internal/bitset"
	"mezzo/internal/errs"
	"mezzo/internal/minheap"
	"mezzo/resources"
	"mezzo/resources/quota"
)

// Allocator decides who is offered what. See the package comment.
type Allocator struct {
	cfg  Config
	rand *rand.Rand

	agents map[ids.AgentID]*agent
	order  []*agent                // all agents, shuffled by each cycle
	users  map[ids.FrameworkID]int // agents used by each, known or not

	frameworks  map[ids.FrameworkID]*framework
	asking      int // frameworks with requests
	roles       map[string]*role
	roleOrder   sorter.Sorter[*role]
	clients     []*client // by index; nil where free
	freeIndex   []int32
	active      bitset.Set             // clients that want offers
	constraints map[string]*constraint // by key
	refusals    minheap.Heap[expiry]
	sweepAt     int // number of refusals at which forgotten ones are thrown out

	totals *sorter.Totals       // of all agents
	load   resources.Quantities // sum of agent.load
	firm   resources.Quantities // of all agents' totals, not revocable
	free   resources.Amounts    // of all agents, unreserved, not revocable
	roomy  int                  // agents that have enough for a share

	ledger *quota.Ledger

	age   uint64 // of the youngest client or forgetting
	epoch uint64 // changes when an agent that nobody could have may find someone

	cycle
	tryRole   func(*role) bool
	tryClient func(*client) bool
}

// New makes an allocator of nothing.
func New(cfg Config) (*Allocator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("allocator: %w", err)
	}
	random := rand.New(rand.NewPCG(cfg.Seed, 0))
	totals := sorter.NewTotals(cfg.UnfairNames...)
	a := &Allocator{
		cfg:         cfg,
		rand:        random,
		agents:      map[ids.AgentID]*agent{},
		users:       map[ids.FrameworkID]int{},
		frameworks:  map[ids.FrameworkID]*framework{},
		roles:       map[string]*role{},
		totals:      totals,
		roleOrder:   newSorter[*role](cfg.RoleSorter, totals, random),
		constraints: map[string]*constraint{},
		ledger:      quota.NewLedger(),
		refusals:    minheap.New(earlier),
		epoch:       1,
	}
	// Made once: what is made in each search costs a tenth of a cycle.
	a.tryClient = a.try
	a.tryRole = func(r *role) bool {
		r.order.Order()(a.tryClient)
		return a.seek.client == nil
	}
	return a, nil
}

// newSorter makes the sorter called name.
func newSorter[T any](name string, t *sorter.Totals, r *rand.Rand) sorter.Sorter[T] {
	if name == "random" {
		return sorter.NewRandom[T](t, r)
	}
	return sorter.NewDRF[T](t)
}

// SetWeight sets the weight of a role, in 1/1000, for now and later: one of
// twice the weight is due twice the share.
func (a *Allocator) SetWeight(roleName string, weight uint32) error {
	if err := resources.ValidateRole(roleName); err != nil {
		return fmt.Errorf("set weight: %w", err)
	}
	if weight == 0 {
		return fmt.Errorf("set weight of role %q: it is 0: %w", roleName, errs.Invalid)
	}
	a.roleOrder.SetWeight(roleName, weight)
	return nil
}

func (a *Allocator) agent(id ids.AgentID) (*agent, error) { return find(a.agents, "agent", id) }

func (a *Allocator) framework(id ids.FrameworkID) (*framework, error) {
	return find(a.frameworks, "framework", id)
}

func find[K ~string, V any](m map[K]*V, what string, id K) (*V, error) {
	if v := m[id]; v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%s %s: %w", what, id, errs.NotFound)
}
