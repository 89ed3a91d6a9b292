// Package edit holds the edits of an OCI spec that several isolators make. They
// are repeatable: what is already there is not added again.
package edit

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Linux returns the Linux part of a spec, made if it is missing.
func Linux(s *specs.Spec) *specs.Linux {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	return s.Linux
}

// Namespace gives the container a namespace of the kind; one that it already
// has, or was told to join, stays.
func Namespace(s *specs.Spec, kind specs.LinuxNamespaceType) {
	l := Linux(s)
	has := func(n specs.LinuxNamespace) bool { return n.Type == kind }
	if !slices.ContainsFunc(l.Namespaces, has) {
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: kind})
	}
}

// Mount adds m, in place of what was mounted at the same destination.
func Mount(s *specs.Spec, m specs.Mount) {
	same := func(o specs.Mount) bool { return o.Destination == m.Destination }
	if i := slices.IndexFunc(s.Mounts, same); i >= 0 {
		s.Mounts[i] = m
		return
	}
	s.Mounts = append(s.Mounts, m)
}
