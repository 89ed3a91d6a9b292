// Package isolator is the contract of whatever limits a container, and the set
// that applies several in order. Isolators edit the OCI spec and write to the
// kernel; no container starts from anything else.
package isolator
