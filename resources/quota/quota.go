package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Quota is what is promised to a role, with the roles below it, and what they
// may not exceed. Revocable resources count for neither.
type Quota struct {
	// Guarantee is kept free for the role while it consumes less.
	Guarantee resources.Quantities
	// Limit is the most that it may consume. Unlike elsewhere an amount of 0
	// counts: what is not named is not limited.
	Limit resources.Quantities
}

// IsZero tells whether q says nothing.
func (q *Quota) IsZero() bool { return q == nil || len(q.Guarantee) == 0 && len(q.Limit) == 0 }

// LimitOf is the limit of name; false if there is none.
func (q *Quota) LimitOf(name string) (resources.Scalar, bool) {
	for _, l := range q.limits() {
		if l.Name == name {
			return l.Amount, true
		}
	}
	return 0, false
}

func (q *Quota) limits() resources.Quantities {
	if q == nil {
		return nil
	}
	return q.Limit
}

// Check tells whether the quotas of all roles fit together, and how much is
// guaranteed by them in all.
//
// Errors: errs.Invalid, with the roles and figures, if a role is guaranteed,
// with those below it, more than its limit, or has a limit above that of a role
// above it.
func Check(all map[string]*Quota) (resources.Quantities, error) {
	below := map[string]resources.Quantities{} // guaranteed to the roles below
	paths := slices.Sorted(maps.Keys(all))
	for _, role := range slices.Backward(paths) { // those below come first
		q := all[role]
		needs := q.Guarantee.Max(below[role])
		above := parentOf(role)
		for above != "" && all[above] == nil {
			above = parentOf(above)
		}
		below[above] = below[above].Add(needs)
		for _, l := range q.Limit {
			if n := needs.Get(l.Name); n > l.Amount {
				return nil, fmt.Errorf("role %q, with those below it, is guaranteed %v %s, above its limit of %v: %w", role, n, l.Name, l.Amount, errs.Invalid)
			}
			for up := above; up != ""; up = parentOf(up) {
				if most, ok := all[up].LimitOf(l.Name); ok && l.Amount > most {
					return nil, fmt.Errorf("limit of %v %s for role %q is above that of role %q, %v: %w", l.Amount, l.Name, role, up, most, errs.Invalid)
				}
			}
		}
	}
	return below[""], nil
}

func parentOf(role string) string { return role[:max(0, strings.LastIndexByte(role, '/'))] }
