package security

import (
	"fmt"
	"slices"

	"mezzo/internal/errs"

	"github.com/containerd/containerd/v2/pkg/cap"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultCapabilities is what a container's root has: what images need that
// start as root, own their files, and drop to another user. Docker's default
// has four more, which are left out because no service needs them and each has
// served attacks: AUDIT_WRITE (writes into the host's audit log), MKNOD (device
// nodes), NET_RAW (spoofed packets on the host's network; ping does without)
// and SETFCAP (file capabilities, for those who build images).
func defaultCapabilities() []string {
	return []string{
		"CAP_CHOWN",
		"CAP_DAC_OVERRIDE",
		"CAP_FOWNER",
		"CAP_FSETID",
		"CAP_KILL",
		"CAP_NET_BIND_SERVICE",
		"CAP_SETGID",
		"CAP_SETPCAP",
		"CAP_SETUID",
		"CAP_SYS_CHROOT",
	}
}

// capabilities gives the process the default set and what was asked for on
// top; none is inheritable, so that a program without file capabilities, run by
// a user that is not root, has none at all.
func capabilities(asked []string) (*specs.LinuxCapabilities, error) {
	all := defaultCapabilities()
	for _, c := range asked {
		if !slices.Contains(cap.Known(), c) {
			return nil, fmt.Errorf("capability %q: no such one, want a name like CAP_NET_ADMIN: %w", c, errs.Invalid)
		}
		all = append(all, c)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return &specs.LinuxCapabilities{
		Bounding:  all,
		Effective: slices.Clone(all),
		Permitted: slices.Clone(all),
	}, nil
}
