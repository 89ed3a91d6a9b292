package allocator

import (
	"fmt"
	"math/rand/v2"

	"mezzo/allocator/sorter"
	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// Allocator decides who is offered what. See the package comment.
type Allocator struct {
	cfg  Config
	rand *rand.Rand

	agents map[ids.AgentID]*agent
	order  []*agent             // all agents, shuffled by each cycle
	load   resources.Quantities // sum of agent.load

	users map[ids.FrameworkID]int // agents used by each, known or not

	frameworks map[ids.FrameworkID]*framework
	roles      map[string]*role
	byID       []*role   // by sorter.ID of the role
	clients    []*client // by index; nil where free
	freeIndex  []int32

	totals    *sorter.Totals // of all agents
	roleOrder sorter.Sorter
	refusals  expiries

	constraints map[string]*constraint // by key

	quotas  map[string]*Quota // by role; none is zero
	budgets map[string]*budget
	root    *budget
	names   dimensions
	free    amounts              // of all agents, unreserved and firm
	firm    resources.Quantities // of all agents' totals

	active  bitset // clients that want offers
	waiting int    // how many these are
	roomy   int    // agents that have room for a share
	asking  int    // frameworks with requests
	split   int    // parts that agents are split into in this cycle, at most

	open, wanting bitset // scratch of a cycle, and of a pick
	space         room   // scratch of roomOf
	cycle         uint64

	age   uint64 // of the youngest client or forgetting
	epoch uint64 // changes when an agent that nobody could have may find someone
}

// New makes an allocator of nothing.
//
// Errors: errs.Invalid if cfg is not valid.
func New(cfg Config) (*Allocator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("allocator: %w", err)
	}
	random := rand.New(rand.NewPCG(cfg.Seed, 0))
	totals := sorter.NewTotals(cfg.UnfairNames...)
	root := &budget{}
	return &Allocator{
		cfg:         cfg,
		rand:        random,
		agents:      map[ids.AgentID]*agent{},
		users:       map[ids.FrameworkID]int{},
		frameworks:  map[ids.FrameworkID]*framework{},
		roles:       map[string]*role{},
		totals:      totals,
		roleOrder:   newSorter(cfg.RoleSorter, totals, random),
		constraints: map[string]*constraint{},
		quotas:      map[string]*Quota{},
		budgets:     map[string]*budget{"": root},
		root:        root,
		epoch:       1,
	}, nil
}

// SetWeight sets the weight of a role, in 1/1000, for now and later: one of
// twice the weight is due twice the share.
//
// Errors: errs.Invalid if the role is no role or the weight is 0.
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

func (a *Allocator) agent(id ids.AgentID) (*agent, error) {
	g := a.agents[id]
	if g == nil {
		return nil, fmt.Errorf("agent %s: %w", id, errs.NotFound)
	}
	return g, nil
}

func (a *Allocator) framework(id ids.FrameworkID) (*framework, error) {
	f := a.frameworks[id]
	if f == nil {
		return nil, fmt.Errorf("framework %s: %w", id, errs.NotFound)
	}
	return f, nil
}
