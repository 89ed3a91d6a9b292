// Package constraint compiles the offer constraints of frameworks: which agents
// they take offers of, by attributes, host name, region and zone. It is pure.
//
// A role has groups of predicates; an agent is taken if all predicates of one
// group hold. A predicate looks at the first attribute of its name, or at what
// every agent has. Text predicates hold for attributes that are no text; the
// negative ones also for what does not exist.
//
// Regular expressions are Go's (RE2's syntax, linear time) and match all of a
// text or not at all. Their size is bounded, for frameworks write them and the
// master runs them.
package constraint
