package constraint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
)

// maxPredicates bounds what one framework may say, in all its roles together.
const maxPredicates = 1000

// Constraint is what a framework says of agents in one role. It never changes.
type Constraint struct {
	groups [][]predicate // none is empty
	key    string
}

var _ allocator.Constraint = (*Constraint)(nil)

// Compile makes the constraints of each role that has some.
//
// Errors: errs.Invalid naming the role, and the predicate by its place.
func Compile(c *scheduler.OfferConstraints) (map[string]*Constraint, error) {
	out := map[string]*Constraint{}
	b := budget{predicates: maxPredicates, program: maxPrograms}
	for _, role := range slices.Sorted(maps.Keys(c.GetRoleConstraints())) {
		n, err := compile(c.GetRoleConstraints()[role].GetGroups(), &b)
		if err != nil {
			return nil, fmt.Errorf("offer constraints of role %q: %w", role, err)
		}
		out[role] = n
	}
	return out, nil
}

// budget is what is left of the bounds.
type budget struct{ predicates, program int }

func compile(groups []*scheduler.OfferConstraints_RoleConstraints_Group, b *budget) (*Constraint, error) {
	if len(groups) == 0 {
		return nil, fmt.Errorf("there are no groups, so that no agent would do: %w", errs.Invalid)
	}
	c := &Constraint{}
	var key strings.Builder
	for i, g := range groups {
		var group []predicate
		for j, p := range g.GetAttributeConstraints() {
			if b.predicates--; b.predicates < 0 {
				return nil, fmt.Errorf("there are more than %d constraints: %w", maxPredicates, errs.Invalid)
			}
			compiled, err := newPredicate(p, b)
			if err != nil {
				return nil, fmt.Errorf("group %d: constraint %d: %w", i, j, err)
			}
			group = append(group, compiled)
			key.WriteString(compiled.key())
			key.WriteByte('&')
		}
		if len(group) == 0 {
			return nil, fmt.Errorf("group %d: it is empty, so that any agent would do: %w", i, errs.Invalid)
		}
		key.WriteByte('|')
		c.groups = append(c.groups, group)
	}
	c.key = key.String()
	return c, nil
}

// Key is equal for equal constraints.
func (c *Constraint) Key() string { return c.key }

// maxTold bounds the groups that Rejects speaks of.
const maxTold = 3

// Rejects tells the first predicate of each group that does not hold; nothing if
// the agent is taken.
func (c *Constraint) Rejects(g *allocator.Agent) string {
	var told []string
	for _, group := range c.groups {
		i := slices.IndexFunc(group, func(p predicate) bool { return !p.holds(g) })
		if i < 0 {
			return ""
		}
		if why := group[i].rejection(g); len(told) < maxTold && !slices.Contains(told, why) {
			told = append(told, why)
		}
	}
	return strings.Join(told, ", and ")
}

// subject is what a predicate is about.
type subject struct {
	pseudo scheduler.AttributeConstraint_Selector_PseudoattributeType // UNKNOWN: the attribute
	name   string
}

func newSubject(s *scheduler.AttributeConstraint_Selector) (subject, error) {
	switch s := s.GetSelector().(type) {
	case *scheduler.AttributeConstraint_Selector_AttributeName:
		if s.AttributeName == "" {
			return subject{}, fmt.Errorf("name of the attribute is empty: %w", errs.Invalid)
		}
		return subject{name: s.AttributeName}, nil
	case *scheduler.AttributeConstraint_Selector_PseudoattributeType_:
		switch s.PseudoattributeType {
		case scheduler.AttributeConstraint_Selector_HOSTNAME,
			scheduler.AttributeConstraint_Selector_REGION,
			scheduler.AttributeConstraint_Selector_ZONE:
			return subject{pseudo: s.PseudoattributeType}, nil
		default:
		}
		return subject{}, fmt.Errorf("pseudoattribute_type %v is not known here: %w", s.PseudoattributeType, errs.Invalid)
	default:
		return subject{}, fmt.Errorf("selector is missing or not known here: %w", errs.Invalid)
	}
}

// String names the subject for people; it is part of keys too.
func (s subject) String() string {
	if s.name != "" {
		return fmt.Sprintf("attribute %q", s.name)
	}
	return strings.ToLower(s.pseudo.String())
}

// of looks at an agent: whether it has the subject, whether that is text, and it.
func (s subject) of(g *allocator.Agent) (text string, isText, exists bool) {
	switch s.pseudo {
	case scheduler.AttributeConstraint_Selector_HOSTNAME:
		return g.Hostname, true, true
	case scheduler.AttributeConstraint_Selector_REGION:
		return g.Region, true, g.Region != ""
	case scheduler.AttributeConstraint_Selector_ZONE:
		return g.Zone, true, g.Zone != ""
	default:
		i := slices.IndexFunc(g.Attributes, func(a *v1.Attribute) bool { return a.GetName() == s.name })
		if i < 0 {
			return "", false, false
		}
		a := g.Attributes[i]
		return a.GetText().GetValue(), a.GetType() == v1.Value_TEXT, true
	}
}
