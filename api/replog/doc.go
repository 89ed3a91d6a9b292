// Package replog is the wire of the replicated log: what replicas tell each
// other, what operators ask them, and what its variables look like in an entry.
package replog

// MaxMessageBytes bounds one message: a promise with all that a leader may have
// had under way.
const MaxMessageBytes = 96 << 20
