package quota

import (
	"fmt"
	"maps"
	"slices"

	"mezzo/internal/errs"
	"mezzo/resources"
)

// Replace replaces the quota of some roles, all or none; the zero Quota takes it
// away. Of resources there is total. Without force it refuses what cannot be
// kept as things are: more guaranteed than there is, limits below what is
// consumed.
//
// Ownership: the quantities are the ledger's from now on.
// Errors: errs.Invalid if a role is no role, or as Check; errs.Conflict, with
// the figures, if force would do it.
func (l *Ledger) Replace(quotas map[string]Quota, total resources.Quantities, force bool) error {
	all, roles := maps.Clone(l.quotas), slices.Sorted(maps.Keys(quotas))
	for _, role := range roles {
		if err := resources.ValidateRole(role); err != nil {
			return err
		}
		q := quotas[role]
		if all[role] = &q; q.IsZero() {
			delete(all, role)
		}
	}
	guaranteed, err := Check(all)
	if err != nil {
		return err
	}
	for _, role := range roles {
		q := quotas[role]
		if err := l.keep(role, &q, guaranteed, total); err != nil && !force {
			return err
		}
	}
	for _, role := range roles {
		l.set(role, all[role])
	}
	return nil
}

// keep tells whether q can be kept as things are.
func (l *Ledger) keep(role string, q *Quota, guaranteed, total resources.Quantities) error {
	for _, g := range q.Guarantee {
		if sum, has := guaranteed.Get(g.Name), total.Get(g.Name); sum > has {
			return fmt.Errorf("%v %s would be guaranteed in all, the agents have %v: %w", sum, g.Name, has, errs.Conflict)
		}
	}
	for _, m := range q.Limit {
		if used := l.Consumed(role).Get(m.Name); used > m.Amount {
			return fmt.Errorf("role %q consumes %v %s, above the limit of %v: %w", role, used, m.Name, m.Amount, errs.Conflict)
		}
	}
	return nil
}

// Quotas is all of them, by role, not to be changed.
func (l *Ledger) Quotas() map[string]*Quota { return l.quotas }

// Exceeded is a role at or above the given one that consumes more than its
// limit; "" if there is none.
func (l *Ledger) Exceeded(role string) string {
	for at := role; at != ""; at = parentOf(at) {
		consumed := l.Consumed(at)
		for _, m := range l.quotas[at].limits() {
			if consumed.Get(m.Name) > m.Amount {
				return at
			}
		}
	}
	return ""
}

// Debts names the roles whose guarantees are unmet, and by how much.
func (l *Ledger) Debts() []string {
	var out []string
	for _, role := range slices.Sorted(maps.Keys(l.quotas)) {
		if unmet := l.Unmet(role); len(unmet) > 0 {
			out = append(out, fmt.Sprintf("%q (%v)", role, unmet))
		}
	}
	return out
}
