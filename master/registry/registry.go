// Package registry is what outlives a master, as variables of a name and a value:
// agents, frameworks, and what operators said of roles and machines. It is pure.
//
//	registry/agent/ID        admitted, unreachable or gone; deactivated, drained
//	registry/framework/ID    connected, disconnected or removed, and since when
//	registry/role/ROLE       quota and weight
//	registry/maintenance     the schedule, and which machines are down
//
// Each is a variable of its own: to admit an agent writes a few hundred bytes,
// however many there are.
package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/registry"
	"mezzo/internal/errs"
)

// Prefix begins the names of all variables.
const Prefix = "registry/"

const (
	agents      = Prefix + "agent/"
	frameworks  = Prefix + "framework/"
	roles       = Prefix + "role/"
	maintenance = Prefix + "maintenance"
)

// Change gives a variable a value, or takes it away if Value is nil.
type Change struct {
	Name  string
	Value []byte
}

// maxName bounds what stands in a name; what is longer is there by its hash. The
// record has it whole.
const maxName = 300

func name(prefix, id string) string {
	escaped := url.PathEscape(id)
	if len(escaped) > maxName {
		sum := sha256.Sum256([]byte(id))
		escaped = "#" + hex.EncodeToString(sum[:]) // PathEscape makes no #
	}
	return prefix + escaped
}

// Agent is the change that keeps an agent; nil forgets it.
func Agent(id ids.AgentID, a *registry.Agent) Change {
	if a == nil {
		return Change{Name: name(agents, string(id))}
	}
	a.Id = string(id)
	return Change{name(agents, string(id)), encode(a)}
}

// Framework is the change that keeps a framework; nil forgets it.
func Framework(id ids.FrameworkID, f *registry.Framework) Change {
	if f == nil {
		return Change{Name: name(frameworks, string(id))}
	}
	return Change{name(frameworks, string(id)), encode(f)}
}

// Role is the change that keeps what was said of a role; nil forgets it.
func Role(role string, r *registry.Role) Change {
	if r == nil {
		return Change{Name: name(roles, role)}
	}
	r.Role = role
	return Change{name(roles, role), encode(r)}
}

// Maintenance is the change that keeps the schedule.
func Maintenance(m *registry.Maintenance) Change { return Change{maintenance, encode(m)} }

// encode gives the same bytes for the same message within one program, which is
// all that comparing needs.
func encode(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)
	if err != nil { // texts that are not UTF-8 were refused when they came
		panic(fmt.Sprintf("encode %T: %v", m, err))
	}
	if b == nil {
		b = []byte{}
	}
	return b
}

// State is all that was kept.
type State struct {
	Agents      map[ids.AgentID]*registry.Agent
	Frameworks  map[ids.FrameworkID]*registry.Framework
	Roles       map[string]*registry.Role
	Maintenance *registry.Maintenance
	Sums        map[string]uint64 // of the values, by name
}

// Sum tells values apart.
func Sum(value []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(value)
	return h.Sum64()
}

// NewState is the state of a new cluster.
func NewState() *State {
	return &State{
		Agents:      map[ids.AgentID]*registry.Agent{},
		Frameworks:  map[ids.FrameworkID]*registry.Framework{},
		Roles:       map[string]*registry.Role{},
		Maintenance: &registry.Maintenance{},
		Sums:        map[string]uint64{},
	}
}

// Add takes in a variable that was kept.
//
// Errors: errs.Corrupt names the variable; errs.Unsupported if it is one that only
// newer masters know.
func (s *State) Add(v Change) error {
	m, err := Decode(v)
	if err != nil {
		return err
	}
	s.Sums[v.Name] = Sum(v.Value)
	switch m := m.(type) {
	case *registry.Maintenance:
		s.Maintenance = m
	case *registry.Agent:
		s.Agents[ids.AgentID(m.GetId())] = m
	case *registry.Framework:
		s.Frameworks[ids.FrameworkID(m.GetInfo().GetId().GetValue())] = m
	case *registry.Role:
		s.Roles[m.GetRole()] = m
	}
	return nil
}

// Decode parses a variable. Errors: those of Add.
func Decode(v Change) (m proto.Message, err error) {
	switch {
	case v.Name == maintenance:
		s := &registry.Maintenance{}
		m, err = s, decode(v, s, func() string { return maintenance })
	case strings.HasPrefix(v.Name, agents):
		a := &registry.Agent{}
		m, err = a, decode(v, a, func() string { return name(agents, a.GetId()) })
	case strings.HasPrefix(v.Name, frameworks):
		f := &registry.Framework{}
		m, err = f, decode(v, f, func() string { return name(frameworks, f.GetInfo().GetId().GetValue()) })
	case strings.HasPrefix(v.Name, roles):
		r := &registry.Role{}
		m, err = r, decode(v, r, func() string { return name(roles, r.GetRole()) })
	default:
		err = fmt.Errorf("nothing of that name is known here; a newer master made it: %w", errs.Unsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("registry variable %q: %w", v.Name, err)
	}
	return m, nil
}

// decode parses a variable and holds it against its name.
func decode(v Change, into proto.Message, named func() string) error {
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(v.Value, into); err != nil {
		return fmt.Errorf("%w: %w", err, errs.Corrupt)
	}
	if n := named(); n != v.Name {
		return fmt.Errorf("it holds what belongs to %q: %w", n, errs.Corrupt)
	}
	return nil
}
