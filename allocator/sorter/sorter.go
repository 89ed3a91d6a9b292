package sorter

import (
	"iter"

	"mezzo/resources"
)

// ID is a client's handle, small and dense: ids of removed clients are used
// again.
type ID int32

// WeightUnit is the weight 1. Weights are in its parts, thousandths.
const WeightUnit uint32 = 1000

// Sorter keeps clients in the order in which they should be offered to.
//
// Preconditions: a path is not empty; an ID is one that Add returned and Remove was not called
// with; Refund gives back no more than Charge took.
type Sorter interface {
	// Add makes a client, inactive and charged nothing. The path has none yet.
	Add(path string) ID
	Remove(id ID)
	// SetActive puts a client in the order or leaves it out.
	SetActive(id ID, on bool)
	// SetWeight holds for the node at path, now or whenever there is one.
	SetWeight(path string, weight uint32)
	Charge(id ID, q resources.Quantities)
	Refund(id ID, q resources.Quantities)
	// Order iterates over the active clients. The Sorter must not be changed
	// until it is done with.
	Order() iter.Seq[ID]
	// Tied tells whether two active clients are due the same: which comes first
	// in Order is a matter of form.
	Tied(a, b ID) bool
	// Dominant tells the share of the node at path: used and total of its
	// dominant resource, or 0 and 0.
	Dominant(path string) (used, total resources.Scalar)
	// Check verifies that all is in order and each client is charged what
	// charged says, of what plays a part in shares.
	Check(charged func(ID) resources.Quantities) error
}
