// Package required finds the required proto2 field that a message lacks and
// names it by its place, for people who sent the message.
package required
