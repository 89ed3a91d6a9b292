package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mezzo/allocator"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// policy is what operators said of roles. It is all here because it is to
// outlive the master: nothing else of the core may remember it.
type policy struct {
	quotas  map[string]allocator.Quota // by role; none is zero
	weights map[string]Weight          // by role; none is WeightUnit
}

// Weight says how much a role is due beside others, in 1/1000.
type Weight uint32

// WeightUnit is the weight of roles of which nothing was said.
const WeightUnit Weight = 1000

// Float is the weight as the API has it.
func (w Weight) Float() float64 { return float64(w) / float64(WeightUnit) }

func newPolicy() policy {
	return policy{quotas: map[string]allocator.Quota{}, weights: map[string]Weight{}}
}

func (p *policy) setQuotas(quotas map[string]allocator.Quota) {
	for role, q := range quotas {
		if len(q.Guarantee) == 0 && len(q.Limit) == 0 {
			delete(p.quotas, role)
		} else {
			p.quotas[role] = q
		}
	}
}

func (p *policy) setWeights(weights map[string]Weight) {
	for role, w := range weights {
		if w == WeightUnit {
			delete(p.weights, role)
		} else {
			p.weights[role] = w
		}
	}
}

// QuotaView is the quota of a role and how much of it is consumed.
type QuotaView struct {
	Role string
	allocator.Quota
	Consumed resources.Quantities // by the role and those below it
}

// quotaViews lists all quota, by role.
func (c *Core) quotaViews() []QuotaView {
	out := make([]QuotaView, 0, len(c.policy.quotas))
	for _, role := range sortedKeys(c.policy.quotas) {
		out = append(out, QuotaView{role, c.policy.quotas[role], c.alloc.Quotas().Consumed(role)})
	}
	return out
}

// setWeights gives roles weights, all or none.
func (c *Core) setWeights(weights map[string]Weight) error {
	if err := c.checkPolicyRoles("set weight", sortedKeys(weights)); err != nil {
		return err
	}
	for _, role := range sortedKeys(weights) {
		if weights[role] == 0 {
			return fmt.Errorf("set weight of role %q: it is 0: %w", role, errs.Invalid)
		}
	}
	for _, role := range sortedKeys(weights) {
		must(c.alloc.SetWeight(role, uint32(weights[role])))
		c.trace(Info, "weight set", "role", role, "weight", fmt.Sprint(weights[role].Float()))
	}
	c.policy.setWeights(weights)
	for role := range weights {
		c.touched.roles[role] = true
	}
	c.wantAllocation("")
	return nil
}

// setQuotas is an operator's change of quota. Offers that stand in its way are
// taken back.
func (c *Core) setQuotas(ev SetQuotas) error {
	roles := sortedKeys(ev.Quotas)
	if err := c.checkPolicyRoles("set quota", roles); err != nil {
		return err
	}
	for _, role := range roles {
		switch _, has := c.policy.quotas[role]; {
		case ev.Only == OnlyWithout && has:
			return fmt.Errorf("set quota of role %q: it has one, which UPDATE_QUOTA changes: %w", role, errs.Invalid)
		case ev.Only == OnlyWith && !has:
			return fmt.Errorf("remove quota of role %q: it has none: %w", role, errs.Invalid)
		}
	}
	if err := c.alloc.SetQuotas(maps.Clone(ev.Quotas), ev.Force); err != nil {
		return err
	}
	c.policy.setQuotas(ev.Quotas)
	for _, role := range roles {
		c.touched.roles[role] = true
		q := ev.Quotas[role]
		c.trace(Info, "quota set", "role", role, "guarantee", q.Guarantee.String(), "limit", q.Limit.String())
	}
	c.rescindForQuota()
	c.wantAllocation("")
	return nil
}

func (c *Core) checkPolicyRoles(verb string, roles []string) error {
	if len(roles) == 0 {
		return fmt.Errorf("%s: no role is named: %w", verb, errs.Invalid)
	}
	for _, role := range roles {
		if err := resources.ValidateRole(role); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		if len(c.cfg.Roles) > 0 && !slices.Contains(c.cfg.Roles, role) {
			return fmt.Errorf("%s: role %q is not one of the master's --roles: %w", verb, role, errs.Invalid)
		}
	}
	return nil
}

// rescindForQuota takes back offers, newest first, that put a role above its
// limit or use what has to be kept free for guarantees; no more than needed. It
// is best effort: what tasks use stays used.
func (c *Core) rescindForQuota() {
	for _, o := range slices.Backward(sortOffers(c.offers)) {
		if c.overLimit(o.Offer) || c.overHeadroom(o.Offer) {
			c.rescind(o)
		}
	}
}

// overLimit tells whether a limit would be exceeded less without the offer.
func (c *Core) overLimit(o *Offer) bool {
	offered := o.unreserved()
	for over := c.alloc.Quotas().Exceeded(o.Role); over != ""; over = c.alloc.Quotas().Exceeded(parentRole(over)) {
		consumed := c.alloc.Quotas().Consumed(over)
		if slices.ContainsFunc(c.policy.quotas[over].Limit, func(l resources.Quantity) bool {
			return consumed.Get(l.Name) > l.Amount && offered.Get(l.Name) > 0
		}) {
			return true
		}
	}
	return false
}

// overHeadroom tells whether more of what is guaranteed could be met without
// the offer.
func (c *Core) overHeadroom(o *Offer) bool {
	short, offered := c.alloc.Quotas().Unmet("").Minus(c.alloc.Free()), o.unreserved()
	for _, q := range short {
		if offered.Get(q.Name) > 0 && c.hasSurplus(o.Role, q.Name) {
			return true
		}
	}
	return false
}

// hasSurplus tells whether a role, and each above it, consumes more of a
// resource than it is guaranteed.
func (c *Core) hasSurplus(role, name string) bool {
	for r := role; r != ""; r = parentRole(r) {
		if g := c.policy.quotas[r].Guarantee.Get(name); g > 0 && c.alloc.Quotas().Consumed(r).Get(name) <= g {
			return false
		}
	}
	return true
}

func parentRole(role string) string { return role[:max(0, strings.LastIndexByte(role, '/'))] }

// unreserved is how much of the offer counts against quota as long as it is
// allocated: what is reserved counts also when it is not.
func (o *Offer) unreserved() resources.Quantities {
	return o.Resources.Unreserved().NonRevocable().NonShared().Quantities()
}
