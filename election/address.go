package election

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"mezzo/internal/errs"
)

// DefaultPort is the port of a master that is named without one.
const DefaultPort = 5050

// zooKeeperPort is the port of a ZooKeeper server that is named without one.
const zooKeeperPort = 2181

// parseAddr completes "host[:port]" to "host:port". Its errors don't repeat s,
// which may hold what is not to be shown.
func parseAddr(s string, defaultPort int) (string, error) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if ip, err := netip.ParseAddr(bare); err == nil && !strings.ContainsFunc(ip.Zone(), isOdd) {
		return net.JoinHostPort(ip.String(), strconv.Itoa(defaultPort)), nil
	}
	if !strings.Contains(s, ":") {
		s += ":" + strconv.Itoa(defaultPort)
	}
	host, port, err := net.SplitHostPort(s)
	if wrong := (*net.AddrError)(nil); errors.As(err, &wrong) {
		return "", fmt.Errorf("%s: %w", wrong.Err, errs.Invalid)
	}
	if host == "" || strings.ContainsFunc(host, isOdd) {
		return "", fmt.Errorf("bad host: %w", errs.Invalid)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port must be 1 to 65535: %w", errs.Invalid)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// isOdd says that r has no place in a host name or address.
func isOdd(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/@?#"\[]`, r)
}

// ensemble is where ZooKeeper is, and as whom it is spoken to.
type ensemble struct {
	servers []string // "host:port"; never empty
	path    string   // "/mesos"; never "/"
	auth    string   // "user:password"; empty for none
}

// String is e for people: without what is secret.
func (e ensemble) String() string { return "zk://" + strings.Join(e.servers, ",") + e.path }

// parseEnsemble reads what follows zk://. As in Mesos the first slash ends the
// servers, and the last @ before it the credentials.
func parseEnsemble(s string) (ensemble, error) {
	var e ensemble
	servers, path, _ := strings.Cut(s, "/")
	if strings.Contains(path, "@") {
		return e, fmt.Errorf("an @ stands behind the first /: neither credentials with a / nor paths with an @ will do: %w", errs.Invalid)
	}
	if at := strings.LastIndexByte(servers, '@'); at >= 0 {
		e.auth, servers = servers[:at], servers[at+1:]
		if user, password, _ := strings.Cut(e.auth, ":"); user == "" || password == "" {
			return e, fmt.Errorf("the credentials before @ must be user:password: %w", errs.Invalid)
		}
	}
	for part := range strings.SplitSeq(servers, ",") {
		addr, err := parseAddr(strings.TrimSpace(part), zooKeeperPort)
		if err != nil {
			return e, fmt.Errorf("server %d: %w", len(e.servers)+1, err)
		}
		e.servers = append(e.servers, addr)
	}
	e.path = "/" + strings.TrimSuffix(path, "/")
	for step := range strings.SplitSeq(e.path[1:], "/") {
		if step == "" || step == "." || step == ".." || strings.ContainsFunc(step, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\ufffd' }) {
			return e, fmt.Errorf("the path %q must be like /mesos, and not / alone: %w", e.path, errs.Invalid)
		}
	}
	return e, nil
}

// cutScheme splits "scheme://rest"; what no scheme is made of is none.
func cutScheme(flag string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(flag, "://")
	if !ok || strings.ContainsFunc(scheme, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return "", flag
	}
	return scheme, rest
}

// Redact is a master flag for people: without the credentials.
func Redact(flag string) string {
	scheme, rest := cutScheme(flag)
	at := strings.LastIndexByte(rest, '@')
	switch {
	case at < 0:
		return flag
	case scheme != "":
		return scheme + "://***" + rest[at:]
	case !strings.Contains(strings.ReplaceAll(rest, "master@", ""), "@"):
		return flag
	}
	return "***" + rest[at:] // some mean zk:// and forget to say so
}
