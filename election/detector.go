package election

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mezzo/internal/errs"
)

// DefaultPort is the port of a master that is named without one.
const DefaultPort = 5050

// Detector tells which master to call.
type Detector interface {
	// Detect returns the address, "host:port", of the master to call next.
	// previous is the address that just failed or turned out not to lead;
	// empty on the first call.
	Detect(ctx context.Context, previous string) (addr string, err error)
}

// Parse makes a detector from a --master flag.
//
// Errors: errs.Invalid, naming the part that is wrong; errs.Unsupported for
// schemes that are known and not served.
func Parse(flag string) (Detector, error) {
	if scheme, _, ok := strings.Cut(flag, "://"); ok {
		return nil, fmt.Errorf("master %q: scheme %q is not supported yet, give host:port: %w", flag, scheme, errs.Unsupported)
	}
	var s static
	for part := range strings.SplitSeq(flag, ",") {
		addr, err := parseAddr(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("master %q: %w", flag, err)
		}
		if slices.Contains(s.addrs, addr) {
			return nil, fmt.Errorf("master %q: %s is named twice: %w", flag, addr, errs.Invalid)
		}
		s.addrs = append(s.addrs, addr)
	}
	return s, nil
}

// parseAddr completes one "[master@]host[:port]" to "host:port".
func parseAddr(s string) (string, error) {
	s = strings.TrimPrefix(s, "master@")
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if ip, err := netip.ParseAddr(bare); err == nil && !strings.ContainsFunc(ip.Zone(), isOdd) {
		return net.JoinHostPort(ip.String(), strconv.Itoa(DefaultPort)), nil
	}
	if !strings.Contains(s, ":") {
		s += ":" + strconv.Itoa(DefaultPort)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("address %q: %w: %w", s, err, errs.Invalid)
	}
	if host == "" || strings.ContainsFunc(host, isOdd) {
		return "", fmt.Errorf("address %q: bad host: %w", s, errs.Invalid)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("address %q: port must be 1 to 65535: %w", s, errs.Invalid)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// isOdd says that r has no place in a host name or address.
func isOdd(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/@?#"\[]`, r)
}

// static is a fixed set of masters, asked in turn.
type static struct {
	addrs []string // never empty
}

var _ Detector = static{}

// Detect returns the master after previous, or the first.
func (s static) Detect(ctx context.Context, previous string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.addrs[(slices.Index(s.addrs, previous)+1)%len(s.addrs)], nil
}
