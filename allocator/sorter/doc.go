// Package sorter orders clients by how little they have had.
//
// A client has a path such as "eng/web"; the paths make a tree. Each client
// is charged what it is given, and so is every node above it. Order walks the
// tree, at each node the child with the smallest share first:
//
//	share = max over resources (charged / total) ÷ weight
//
// which is Dominant Resource Fairness (Ghodsi et al., NSDI 2011), hierarchical
// and weighted. Equal shares go to whom was charged fewer times, then by path.
// Shares are compared exactly, as integers crosswise multiplied.
//
//	       (root)
//	      /      \
//	   a 1/4     b 1/2        order: a, a/x, a/y, b
//	  /  |  \
//	(a) a/x a/y               a client above others is a leaf beside them
//
// Invariants:
//
//  1. a node's charges are the sums of its children's;
//  2. the active children of a node are in order, unless totals or weights
//     changed since the last Order;
//  3. a node is active exactly if an active client is at or below it.
//
// A charge costs O(depth × log siblings) comparisons; a change of the totals,
// a sort at the next Order. Pure; not safe for concurrent use.
package sorter
