package security

import (
	"context"
	"fmt"
	"slices"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/edit"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ociVersion is the lowest that has all the fields we use. Newer ones, which
// containerd's client writes, are refused by crun before 1.14.3.
const ociVersion = "1.0.2"

// Open files: few programs raise the soft limit themselves, and some close
// every descriptor up to it when they start, so it is neither 1024 nor a
// million. The hard limit is systemd's default.
const (
	softNoFile = 1 << 16
	hardNoFile = 1 << 19
)

// revocableOOMScore makes containers on revocable resources the first to go
// when the node is out of memory. Others have 0: they must not inherit the
// score of containerd's shim, which is protected.
const revocableOOMScore = 500

// Isolator applies the defaults to each container. It keeps no state.
type Isolator struct{}

var _ isolator.Isolator = Isolator{}

// New returns the isolator.
func New() Isolator { return Isolator{} }

// Name returns "security".
func (Isolator) Name() string { return "security" }

// Prepare tightens the spec. Its capabilities are replaced by the default ones
// and those that c asks for; a seccomp profile that it has stays.
func (Isolator) Prepare(_ context.Context, c isolator.Container, s *specs.Spec) error {
	if s.Process == nil {
		return fmt.Errorf("spec of container %s: no process: %w", c.ID, errs.Invalid)
	}
	caps, err := capabilities(c.Capabilities)
	if err != nil {
		return err
	}
	s.Version = ociVersion

	p := s.Process
	p.Capabilities = caps
	p.NoNewPrivileges = true
	p.Rlimits = openFiles(p.Rlimits)
	score := 0
	if c.Limits.Revocable {
		score = revocableOOMScore
	}
	p.OOMScoreAdj = &score

	l := edit.Linux(s)
	l.MaskedPaths = union(l.MaskedPaths, maskedPaths())
	l.ReadonlyPaths = union(l.ReadonlyPaths, readonlyPaths())
	for _, kind := range []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.MountNamespace, specs.CgroupNamespace,
	} {
		edit.Namespace(s, kind)
	}
	if l.Seccomp == nil {
		l.Seccomp = seccomp.DefaultProfile(s) // looks at the capabilities
	}
	return nil
}

// Cleanup has nothing to do.
func (Isolator) Cleanup(context.Context, isolator.ID) error { return nil }

// openFiles raises the number of open files, unless it was chosen: containerd's
// client puts 1024 for both where nothing was. More than the agent's own hard
// limit takes CAP_SYS_RESOURCE, which a runtime in a container may lack.
func openFiles(limits []specs.POSIXRlimit) []specs.POSIXRlimit {
	want := specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: softNoFile, Hard: hardNoFile}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err == nil {
		want.Soft, want.Hard = min(want.Soft, own.Max), min(want.Hard, own.Max)
	}
	i := slices.IndexFunc(limits, func(l specs.POSIXRlimit) bool { return l.Type == want.Type })
	switch {
	case i < 0:
		return append(limits, want)
	case limits[i].Soft == 1024 && limits[i].Hard == 1024:
		limits[i] = want
	}
	return limits
}

func union(have, want []string) []string {
	for _, p := range want {
		if !slices.Contains(have, p) {
			have = append(have, p)
		}
	}
	return have
}

// maskedPaths tell about the host, or act on it.
func maskedPaths() []string {
	return []string{
		"/proc/acpi",
		"/proc/asound",
		"/proc/interrupts",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/sys/devices/virtual/powercap",
		"/sys/firmware",
	}
}

func readonlyPaths() []string {
	return []string{
		"/proc/bus",
		"/proc/fs",
		"/proc/irq",
		"/proc/sys",
		"/proc/sysrq-trigger",
	}
}
