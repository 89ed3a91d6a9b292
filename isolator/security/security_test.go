//go:build linux

package security_test

import (
	"errors"
	"slices"
	"testing"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/isolatortest"
	"mezzo/isolator/security"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestContract(t *testing.T) {
	isolatortest.Run(t, func(*testing.T) isolator.Isolator { return security.New() })
}

func prepared(t *testing.T, c isolator.Container, s *specs.Spec) *specs.Spec {
	t.Helper()
	if err := security.New().Prepare(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// openFiles is the limit wanted on a machine that may allow less.
func openFiles(t *testing.T) specs.POSIXRlimit {
	t.Helper()
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	return specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: min(65536, own.Max), Hard: min(524288, own.Max)}
}

func TestDefaults(t *testing.T) {
	s := prepared(t, isolatortest.Container("c"), isolatortest.Spec())
	if s.Version != "1.0.2" {
		t.Errorf("version: got %q", s.Version)
	}
	p := s.Process
	if !p.NoNewPrivileges {
		t.Error("new privileges are allowed")
	}
	if p.OOMScoreAdj == nil || *p.OOMScoreAdj != 0 {
		t.Errorf("oom_score_adj: got %v, want 0", p.OOMScoreAdj)
	}
	want := []specs.POSIXRlimit{openFiles(t)}
	if d := cmp.Diff(want, p.Rlimits); d != "" {
		t.Errorf("rlimits (-want +got):\n%s", d)
	}
	var kinds []specs.LinuxNamespaceType
	for _, n := range s.Linux.Namespaces {
		kinds = append(kinds, n.Type)
	}
	if d := cmp.Diff([]specs.LinuxNamespaceType{"pid", "ipc", "uts", "mount", "cgroup"}, kinds); d != "" {
		t.Errorf("namespaces (-want +got):\n%s", d)
	}
	if !slices.Contains(s.Linux.MaskedPaths, "/proc/kcore") || !slices.Contains(s.Linux.ReadonlyPaths, "/proc/sys") {
		t.Errorf("masked %q, read-only %q", s.Linux.MaskedPaths, s.Linux.ReadonlyPaths)
	}
}

func TestCapabilities(t *testing.T) {
	base := []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	tests := []struct {
		name  string
		asked []string
		want  []string
		err   error
	}{
		{"default", nil, base, nil},
		{"more", []string{"CAP_SYS_TIME", "CAP_KILL"}, append(slices.Clone(base), "CAP_SYS_TIME"), nil},
		{"unknown", []string{"CAP_EVERYTHING"}, nil, errs.Invalid},
		{"without prefix", []string{"NET_ADMIN"}, nil, errs.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := isolatortest.Spec()
			s.Process.Capabilities = &specs.LinuxCapabilities{
				Bounding: []string{"CAP_SYS_ADMIN"}, Inheritable: []string{"CAP_SYS_ADMIN"}, Ambient: []string{"CAP_SYS_ADMIN"},
			}
			c := isolatortest.Container("c")
			c.Capabilities = tt.asked
			err := security.New().Prepare(t.Context(), c, s)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			want := &specs.LinuxCapabilities{Bounding: tt.want, Effective: tt.want, Permitted: tt.want}
			if d := cmp.Diff(want, s.Process.Capabilities); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSeccomp(t *testing.T) {
	allowed := func(s *specs.Spec, call string) bool {
		return slices.ContainsFunc(s.Linux.Seccomp.Syscalls, func(c specs.LinuxSyscall) bool {
			return c.Action == specs.ActAllow && len(c.Args) == 0 && slices.Contains(c.Names, call)
		})
	}
	s := prepared(t, isolatortest.Container("c"), isolatortest.Spec())
	if s.Linux.Seccomp.DefaultAction != specs.ActErrno || !allowed(s, "openat") || allowed(s, "mount") || allowed(s, "keyctl") {
		t.Errorf("default %v, openat %v, mount %v, keyctl %v",
			s.Linux.Seccomp.DefaultAction, allowed(s, "openat"), allowed(s, "mount"), allowed(s, "keyctl"))
	}
	c := isolatortest.Container("admin")
	c.Capabilities = []string{"CAP_SYS_ADMIN"}
	if s := prepared(t, c, isolatortest.Spec()); !allowed(s, "mount") {
		t.Error("CAP_SYS_ADMIN was asked for, but mount is refused")
	}
	own := isolatortest.Spec()
	own.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActKillProcess}
	if s := prepared(t, c, own); s.Linux.Seccomp.DefaultAction != specs.ActKillProcess {
		t.Error("the spec's own profile was replaced")
	}
}

func TestWhatWasChosenStays(t *testing.T) {
	s := isolatortest.Spec()
	s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 10, Hard: 20}, {Type: "RLIMIT_CORE"}}
	s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.PIDNamespace, Path: "/proc/7/ns/pid"}}
	want := slices.Clone(s.Process.Rlimits)
	prepared(t, isolatortest.Container("c"), s)
	if d := cmp.Diff(want, s.Process.Rlimits); d != "" {
		t.Errorf("rlimits (-want +got):\n%s", d)
	}
	if got := s.Linux.Namespaces[0].Path; got != "/proc/7/ns/pid" {
		t.Errorf("pid namespace to join: got %q", got)
	}
}

func TestContainerdDefaultsAreRaised(t *testing.T) {
	s := isolatortest.Spec()
	s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}}
	prepared(t, isolatortest.Container("c"), s)
	if got, want := s.Process.Rlimits[0], openFiles(t); got != want {
		t.Errorf("open files: got %+v, want %+v", got, want)
	}
}

func TestRevocableGoesFirst(t *testing.T) {
	c := isolatortest.Container("c")
	c.Limits.Revocable = true
	if s := prepared(t, c, isolatortest.Spec()); *s.Process.OOMScoreAdj <= 0 {
		t.Errorf("oom_score_adj: got %d, want more than 0", *s.Process.OOMScoreAdj)
	}
}

func TestNoProcess(t *testing.T) {
	err := security.New().Prepare(t.Context(), isolatortest.Container("c"), &specs.Spec{})
	if !errors.Is(err, errs.Invalid) {
		t.Errorf("got %v, want %v", err, errs.Invalid)
	}
}
