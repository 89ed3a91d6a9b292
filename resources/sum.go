package resources

import (
	"iter"
	"sort"
)

// Sum is all of them together, as Add makes it, at a cost that does not grow with
// what there is times the number of kinds.
func Sum(all iter.Seq[Resources]) Resources {
	var sum Resources
	var later []Resource // what merges with nothing in sum
	for r := range all {
		next := 0 // most of them look alike
		for i := range r.items {
			if at, ok := sum.find(&r.items[i], next); ok {
				sum.items[at].add(&r.items[i])
				next = at + 1
			} else {
				later = append(later, r.items[i])
			}
		}
		if len(later) > len(sum.items) {
			sum, later = collect(append(sum.items, later...)), nil
		}
	}
	return collect(append(sum.items, later...))
}

// find is where in r item merges, if it does anywhere. It is first looked for at guess.
func (r Resources) find(item *Resource, guess int) (at int, ok bool) {
	same := func(i int) bool {
		return i < len(r.items) && item.merges() && compare(&r.items[i], item) == 0
	}
	if same(guess) {
		return guess, true
	}
	at = sort.Search(len(r.items), func(i int) bool { return compare(&r.items[i], item) >= 0 })
	return at, same(at)
}
