// Package quota keeps what is promised to roles, what they may not exceed, and
// what they consume.
//
// Roles are paths and make a tree; what a role consumes, all above it consume
// too. A guarantee of a role holds for it and the roles below it together, and
// so does a limit. What is unmet of guarantees has to be kept free:
//
//	unmet(role) = max(guarantee(role) − consumed(role), Σ unmet(child))
//
// so that a guarantee within another is not kept free twice. More for a role
// meets what is unmet at each node above it where the node's own guarantee,
// not those below, is what is unmet; that much is due to it. Everybody else
// may only have what is free beyond all that is unmet.
//
// Pure; not safe for concurrent use.
package quota
