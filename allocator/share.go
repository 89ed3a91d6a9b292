package allocator

import "mezzo/resources"

// Share is how much of the cluster a role has: of its dominant resource, with
// the roles below it, offers included.
type Share struct {
	Role        string
	Used, Total resources.Scalar // 0 of 0 if it has nothing
}

// Fraction is the share from 0 to 1.
func (s Share) Fraction() float64 {
	if s.Total == 0 {
		return 0
	}
	return s.Used.Float() / s.Total.Float()
}

// Shares lists the shares of the roles that have frameworks, in no order.
func (a *Allocator) Shares() []Share {
	out := make([]Share, 0, len(a.roles))
	for _, r := range a.roles {
		out = append(out, a.share(r))
	}
	return out
}

func (a *Allocator) share(r *role) Share {
	used, total := a.roleOrder.Dominant(r.node)
	return Share{r.path, used, total}
}
