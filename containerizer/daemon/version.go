package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strconv"
	"strings"

	"mezzo/internal/errs"
)

// Version is what runs below us. Runc is empty if it could not be asked.
type Version struct {
	Containerd string
	Runc       string
}

func (d *Daemon) preflight(ctx context.Context, log *slog.Logger) error {
	v, err := d.client.Version(ctx)
	if err != nil {
		return fmt.Errorf("ask containerd at %s for its version: %w: %w", d.address, err, errs.Unavailable)
	}
	d.version = Version{Containerd: v.Version, Runc: runcVersion(ctx)}
	log.Info("containerd found", "address", d.address, "private", d.private,
		"containerd", d.version.Containerd, "runc", d.version.Runc)
	if w := runcWarning(d.version.Runc); w != "" {
		log.Warn(w, "runc", d.version.Runc)
	}
	return nil
}

// runcVersion asks the runc in our PATH, which is containerd's too unless
// somebody took pains.
func runcVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "runc", "--version").Output()
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "runc version "))
}

// runcWarning says what is wrong with a version of runc; empty: nothing known.
//
// Source: the advisories for CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881,
// repaired in 1.2.8, 1.3.3 and 1.4.0.
func runcWarning(version string) string {
	v, ok := parseVersion(version)
	switch {
	case version == "":
		return "no runc found in PATH; containers cannot start unless containerd knows another"
	case !ok:
		return ""
	case v[0] > 1, v[0] == 1 && v[1] >= 4,
		v[0] == 1 && v[1] == 3 && v[2] >= 3,
		v[0] == 1 && v[1] == 2 && v[2] >= 8:
		return ""
	default:
		return "this runc lets a hostile image escape (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881); run 1.2.8 or later before untrusted images"
	}
}

// parseVersion reads "1.1.5+ds1" as 1, 1, 5.
func parseVersion(s string) (v [3]int, ok bool) {
	s = strings.TrimPrefix(s, "v")
	if i := strings.IndexAny(s, "+-~"); i >= 0 {
		s = s[:i]
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return v, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return v, false
		}
		v[i] = n
	}
	return v, true
}
