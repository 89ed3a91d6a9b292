package quota

import (
	"fmt"
	"slices"

	"mezzo/resources"
)

// Ledger is the accounts of all roles. Make one with NewLedger.
type Ledger struct {
	Names    resources.Names // dimensions of all amounts here
	accounts map[string]*Account
	root     *Account
	quotas   map[string]*Quota // by role; none is zero
}

// Account is what one role, with those below it, consumes.
//
// Invariant: unmet is as the package comment says.
type Account struct {
	path   string
	parent *Account // nil for the root
	depth  int
	kids   int
	pins   int
	quota  *Quota            // nil: none
	limit  resources.Amounts // noLimit where there is none

	guarantee, consumed, unmet, unmetBelow resources.Amounts
}

const noLimit = -1

// NewLedger makes a ledger in which nobody consumes anything.
func NewLedger() *Ledger {
	root := &Account{}
	return &Ledger{accounts: map[string]*Account{"": root}, root: root, quotas: map[string]*Quota{}}
}

// Pin finds or makes the account of a role, and keeps it until as many Unpin.
func (l *Ledger) Pin(role string) *Account {
	c := l.account(role)
	c.pins++
	return c
}

// Unpin undoes one Pin.
func (l *Ledger) Unpin(c *Account) {
	c.pins--
	l.prune(c)
}

func (l *Ledger) account(role string) *Account {
	if c := l.accounts[role]; c != nil {
		return c
	}
	above := l.account(parentOf(role))
	above.kids++
	c := &Account{path: role, parent: above, depth: above.depth + 1}
	l.accounts[role] = c
	return c
}

// prune forgets c, and what is above it, if there is nothing to know.
func (l *Ledger) prune(c *Account) {
	for c.parent != nil && c.kids == 0 && c.pins == 0 && c.quota == nil && c.consumed.IsZero() {
		delete(l.accounts, c.path)
		c = c.parent
		c.kids--
	}
}

// set makes q the quota of a role; nil takes it away.
func (l *Ledger) set(role string, q *Quota) {
	c := l.account(role)
	c.quota, c.guarantee, c.limit = q, nil, nil
	if delete(l.quotas, role); q != nil {
		l.quotas[role] = q
		for _, v := range q.Guarantee {
			c.guarantee.Add(l.Names.Of(v.Name), v.Amount)
		}
		for _, v := range q.Limit {
			d := l.Names.Of(v.Name)
			for len(c.limit) <= d {
				c.limit = append(c.limit, noLimit)
			}
			c.limit[d] = v.Amount
		}
	}
	for d := range l.Names {
		c.settle(d)
	}
	l.prune(c)
}

// Consume counts x more, or less, of dimension d for a role.
func (l *Ledger) Consume(role string, d int, x resources.Scalar) {
	c := l.account(role)
	for n := c; n != nil; n = n.parent {
		n.consumed.Add(d, x)
	}
	c.settle(d)
	if x <= 0 {
		l.prune(c)
	}
}

// settle renews what is unmet of c and above.
func (c *Account) settle(d int) {
	for n := c; n != nil; n = n.parent {
		change := max(n.guarantee.At(d)-n.consumed.At(d), n.unmetBelow.At(d)) - n.unmet.At(d)
		if change == 0 {
			continue
		}
		n.unmet.Add(d, change)
		if n.parent != nil {
			n.parent.unmetBelow.Add(d, change)
		}
	}
}

// due is how much more of d for c would meet of what is unmet.
func (c *Account) due(d int) resources.Scalar {
	var x resources.Scalar
	for n := c; n != nil; n = n.parent {
		x += n.unmet.At(d) - n.unmetBelow.At(d)
	}
	return x
}

// Owed tells whether something guaranteed to c, or to a role above it, is unmet.
func (l *Ledger) Owed(c *Account) bool {
	for d := range l.Names {
		if c.due(d) > 0 {
			return true
		}
	}
	return false
}

// Met tells whether all guarantees are met.
func (l *Ledger) Met() bool { return l.root.unmet.IsZero() }

// IsEmpty tells whether no role has a quota.
func (l *Ledger) IsEmpty() bool { return len(l.quotas) == 0 }

// Bounds tells whether quota plays a part in what c may be given now.
func (l *Ledger) Bounds(c *Account) bool {
	if l.IsEmpty() {
		return false
	}
	for n := c; n.parent != nil; n = n.parent {
		if n.limit != nil {
			return true
		}
	}
	return !l.Met()
}

// Consumed is what a role and those below it consume; "" stands for all.
func (l *Ledger) Consumed(role string) resources.Quantities {
	if c := l.accounts[role]; c != nil {
		return c.consumed.Quantities(l.Names)
	}
	return nil
}

// Unmet is what is guaranteed to a role and those below it, and not consumed.
// That of "" is all that has to be kept free.
func (l *Ledger) Unmet(role string) resources.Quantities {
	if c := l.accounts[role]; c != nil {
		return c.unmet.Quantities(l.Names)
	}
	return nil
}

// Reached is a limit that a role, or the first one above it that has, has
// reached of one of the names of q: the role, what it consumes, the limit.
type Reached struct {
	Role, Name     string
	Consumed, Most resources.Scalar
}

// String prints it for people.
func (r Reached) String() string {
	return fmt.Sprintf("role %q has reached its limit of %s: %v of %v", r.Role, r.Name, r.Consumed, r.Most)
}

// Reached finds a limit that c has reached, of what there is in q; and one that
// it has exceeded if there is one. False: there is none.
func (l *Ledger) Reached(c *Account, q resources.Quantities) (found Reached, ok bool) {
	for n := c; n.parent != nil; n = n.parent {
		for _, v := range q {
			d := slices.Index(l.Names, v.Name)
			if d < 0 || d >= len(n.limit) || n.limit[d] == noLimit || n.consumed.At(d) < n.limit[d] {
				continue
			}
			r := Reached{n.path, v.Name, n.consumed.At(d), n.limit[d]}
			if !ok || r.Consumed > r.Most && found.Consumed == found.Most {
				found, ok = r, true
			}
		}
	}
	return found, ok
}
