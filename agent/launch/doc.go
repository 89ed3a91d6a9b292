// Package launch turns a command task, as a scheduler wrote it, into the
// container that a containerizer starts. It is a pure function of its input:
// nothing is looked up, made or started.
//
// What the agent can't do is refused by name, never skipped: a scheduler that
// asked for it would be misled. Errors are errs.Invalid for what is wrong
// everywhere and errs.Unsupported for what this agent doesn't do, with the field
// that is to blame.
package launch
