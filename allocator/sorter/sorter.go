package sorter

import (
	"iter"

	"mezzo/resources"
)

// WeightUnit is the weight 1. Weights are in its parts, thousandths.
const WeightUnit uint32 = 1000

// Share is how much a node is charged of its dominant resource, of how much
// there is in all; zero if it is charged nothing.
type Share struct {
	Resource    string
	Used, Total resources.Scalar
}

// Fraction is the share from 0 to 1.
func (s Share) Fraction() float64 {
	if s.Total == 0 {
		return 0
	}
	return s.Used.Float() / s.Total.Float()
}

// Sorter keeps clients in the order in which they should be offered to.
//
// Preconditions: a path is not empty and has no client yet when it is added; a
// Node is one that Add returned and Remove was not called with; Refund gives
// back no more than Charge took.
type Sorter[T any] interface {
	// Add makes a client, inactive and charged nothing.
	Add(path string, client T) *Node[T]
	Remove(*Node[T])
	// SetActive puts a client in the order or leaves it out.
	SetActive(*Node[T], bool)
	// SetWeight holds for the node at path, now or whenever there is one.
	SetWeight(path string, weight uint32)
	Charge(*Node[T], resources.Quantities)
	Refund(*Node[T], resources.Quantities)
	// Order iterates over the active clients. The Sorter must not be changed
	// until it is done with.
	Order() iter.Seq[T]
	// Tied tells whether two active clients are due the same: which comes first
	// in Order is a matter of form.
	Tied(a, b *Node[T]) bool
	// Dominant tells the share of the node at path.
	Dominant(path string) Share
	// Check verifies the invariants, and that each client is charged what
	// charged says.
	Check(charged func(T) resources.Quantities) error
}
