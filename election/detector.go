package election

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"mezzo/internal/errs"
)

// Detector tells which master to call.
//
// Concurrency: all methods may be called by any goroutine.
type Detector interface {
	// Detect returns the address, "host:port", of the master to call next; with
	// ZooKeeper it waits until there is one. previous is the address that just
	// failed or turned out not to lead; empty on the first call.
	Detect(ctx context.Context, previous string) (addr string, err error)
	// Watch returns as soon as a master is known to lead that is not the one at
	// addr, which Detect or Watch returned. Where nobody tells who leads, it waits
	// for the end of ctx.
	Watch(ctx context.Context, addr string) (leader string, err error)
}

// Config is how ZooKeeper is used. The zero value will do.
type Config struct {
	SessionTimeout time.Duration // 10s; servers may hold it within bounds of theirs
	Log            *slog.Logger  // silent
}

// DefaultSessionTimeout is how long ZooKeeper waits for a sign of life.
//
// Source: mesos master/constants.hpp.
const DefaultSessionTimeout = 10 * time.Second

func (c *Config) setDefaults() {
	if c.SessionTimeout <= 0 {
		c.SessionTimeout = DefaultSessionTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("component", "election")
}

// Parse is NewDetector with the zero Config.
func Parse(flag string) (Detector, error) { return NewDetector(flag, Config{}) }

// NewDetector makes a detector from a --master flag. It speaks to nobody yet.
//
// Errors: errs.Invalid, naming the part that is wrong, and never a password;
// errs.Unsupported for schemes that are not known.
func NewDetector(flag string, cfg Config) (Detector, error) {
	cfg.setDefaults()
	d, err := newDetector(flag, cfg)
	if err != nil {
		return nil, fmt.Errorf("master %q: %w", Redact(flag), err)
	}
	return d, nil
}

func newDetector(flag string, cfg Config) (Detector, error) {
	scheme, rest := cutScheme(flag)
	switch {
	case scheme == "":
		return parseList(flag)
	case scheme == "zk":
		e, err := parseEnsemble(rest)
		if err != nil {
			return nil, err
		}
		return newWatcher(e, cfg), nil
	case scheme == "file":
		content, err := readFlag(rest)
		if err != nil {
			return nil, err
		}
		return newDetector(content, cfg)
	}
	return nil, fmt.Errorf("scheme %q is unknown, give host:port, zk://host:port/path or file:///path: %w", scheme, errs.Unsupported)
}

// maxFlagBytes bounds the file of a file:// flag.
const maxFlagBytes = 64 << 10

// readFlag returns what a file:// flag stands for.
func readFlag(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("the path after file:// must be absolute: %w", errs.Invalid)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, errs.Invalid)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFlagBytes+1))
	content := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", err, errs.Invalid)
	case len(b) > maxFlagBytes:
		return "", fmt.Errorf("the file has more than %d bytes: %w", maxFlagBytes, errs.Invalid)
	case content == "":
		return "", fmt.Errorf("the file is empty: %w", errs.Invalid)
	case strings.HasPrefix(content, "file:"):
		return "", fmt.Errorf("the file names another file: %w", errs.Invalid)
	}
	return content, nil
}

// static is a fixed set of masters, asked in turn.
type static struct {
	addrs []string // never empty
}

var _ Detector = static{}

// ParseList reads a list of masters, "host[:port],…", to addresses "host:port".
//
// Errors: errs.Invalid, naming the part that is wrong.
func ParseList(list string) ([]string, error) {
	s, err := parseList(list)
	return s.addrs, err
}

func parseList(list string) (static, error) {
	var s static
	secret := Redact(list) != list
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "master@")
		addr, err := parseAddr(part, DefaultPort)
		if err != nil && secret {
			return static{}, fmt.Errorf("address %d: %w", len(s.addrs)+1, err)
		} else if err != nil {
			return static{}, fmt.Errorf("address %q: %w", part, err)
		}
		if slices.Contains(s.addrs, addr) {
			return static{}, fmt.Errorf("%s is named twice: %w", addr, errs.Invalid)
		}
		s.addrs = append(s.addrs, addr)
	}
	return s, nil
}

// Detect returns the master after previous, or the first.
func (s static) Detect(ctx context.Context, previous string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.addrs[(slices.Index(s.addrs, previous)+1)%len(s.addrs)], nil
}

// Watch waits for the end of ctx: a list says nothing of who leads.
func (s static) Watch(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", context.Cause(ctx)
}
