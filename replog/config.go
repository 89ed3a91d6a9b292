package replog

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"mezzo/internal/errs"
	"mezzo/replog/paxos"
	"mezzo/replog/wal"
)

// Config is what a replica is told.
type Config struct {
	Dir   string   // its disk
	Addr  string   // where others reach it, host:port
	Peers []string // addresses of all replicas; Addr is added
	// Quorum is how many of Voters decide, if not zero: it must be a majority.
	Voters, Quorum int // Voters is how many there are to be; default: the peers
	// Bootstrap lets an ensemble begin when all peers are empty.
	Bootstrap bool
	// MustExist refuses an empty directory.
	MustExist bool
	Tick      time.Duration // of the protocol; a lease is twelve. Default 50 ms
	// MaxEntryBytes bounds an append. Default and at most 16 MiB.
	MaxEntryBytes int
	SegmentBytes  int64 // of the disk; see wal.Config
}

// Deps is what a replica needs from outside.
type Deps struct {
	Log *slog.Logger
	// Fatal is told that the disk failed: the process must end.
	Fatal func(error)
	// Dial are the options to reach other replicas with. Default: in clear text.
	Dial []grpc.DialOption
	FS   wal.FS // of Config.Dir; nil: the system's
}

const maxEntryBytes = 16 << 20

func (c *Config) setDefaults() {
	if !slices.Contains(c.Peers, c.Addr) {
		c.Peers = append(slices.Clone(c.Peers), c.Addr)
	}
	if c.Voters == 0 {
		c.Voters = len(c.Peers)
	}
	if c.Tick == 0 {
		c.Tick = 50 * time.Millisecond
	}
	if c.MaxEntryBytes == 0 {
		c.MaxEntryBytes = maxEntryBytes
	}
}

func (c *Config) validate(d Deps) error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format+": %w", append(args, errs.Invalid)...))
		}
	}
	check(c.Addr != "" && len(c.Addr) <= paxos.MaxAddr, "address %q is not of 1 to %d bytes", c.Addr, paxos.MaxAddr)
	check(len(c.Peers) <= paxos.MaxMembers && c.Voters >= 1 && c.Voters <= paxos.MaxMembers, "%d replicas of which %d vote: at most %d can", len(c.Peers), c.Voters, paxos.MaxMembers)
	check(c.Quorum == 0 || c.Quorum == c.Voters/2+1, "quorum %d is not the majority of %d replicas, which is %d", c.Quorum, c.Voters, c.Voters/2+1)
	check(c.MaxEntryBytes > 0 && c.MaxEntryBytes <= maxEntryBytes, "largest entry of %d bytes is not from 1 to %d", c.MaxEntryBytes, maxEntryBytes)
	check(c.Tick > 0, "tick %v is not positive", c.Tick)
	check(d.Log != nil && d.Fatal != nil, "nobody is there to be told")
	return errors.Join(wrong...)
}

func (d *Deps) setDefaults() {
	if d.Dial == nil {
		d.Dial = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
}

// Errors of the log, beside the classes of mezzo/internal/errs.
var (
	// ErrDemoted says that the writer leads no more, and that nobody knows what
	// became of the append.
	ErrDemoted = fmt.Errorf("another replica may lead, and the outcome is unknown: %w", errs.Unavailable)
	// ErrClosed says that the log was closed.
	ErrClosed = fmt.Errorf("log is closed: %w", errs.Unavailable)
	// ErrTruncated says that positions were given up.
	ErrTruncated = fmt.Errorf("truncated: %w", errs.NotFound)
)
