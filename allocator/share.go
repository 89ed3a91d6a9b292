package allocator

import "mezzo/allocator/sorter"

// Share is how much of the cluster a role has: of its dominant resource, with
// the roles below it, offers included.
type Share struct {
	Role string
	sorter.Share
}

// Shares lists the shares of the roles that have frameworks and of those above
// them, in no order.
func (a *Allocator) Shares() []Share {
	out, known := make([]Share, 0, len(a.roles)), make(map[string]bool, len(a.roles))
	for path := range a.roles {
		for path != "" && !known[path] {
			known[path] = true
			out = append(out, Share{path, a.roleOrder.Dominant(path)})
			path = parentOf(path)
		}
	}
	return out
}
