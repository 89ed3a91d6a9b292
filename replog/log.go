package replog

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog/paxos"
	"mezzo/replog/wal"
)

// connect lets a replica that comes back be found soon.
var connect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: time.Second,
}

// Log is one replica of a log. All methods may be called by any goroutine.
type Log struct {
	cfg    Config
	deps   Deps
	wal    *wal.WAL
	member wal.ID

	inbox     chan paxos.Message
	proposals chan proposal
	calls     chan func(*loop)
	ended     chan struct{} // closed when the loop has ended
	stop      context.CancelFunc
	once      sync.Once
	closed    error // of Close

	mu         sync.Mutex // guards what follows
	begin, end uint64     // what can be read
	changed    chan struct{}
}

// Entry is what was appended at a position.
type Entry struct {
	Position uint64
	Data     []byte // never to be modified
}

// Open takes the disk and begins to take part.
//
// Errors: those of wal.Open; errs.Invalid for the config; errs.Conflict if there
// are more members than Config.Voters.
func Open(cfg Config, d Deps) (*Log, error) {
	cfg.setDefaults()
	d.setDefaults()
	if err := cfg.validate(d); err != nil {
		return nil, fmt.Errorf("configure log: %w", err)
	}
	w, member, core, err := restore(cfg, d)
	if err != nil {
		return nil, fmt.Errorf("open replica %q: %w", cfg.Addr, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := core.State()
	l := &Log{
		cfg: cfg, deps: d, wal: w, member: member, stop: cancel, ended: make(chan struct{}), changed: make(chan struct{}),
		inbox: make(chan paxos.Message, 256), proposals: make(chan proposal, 256), calls: make(chan func(*loop)),
		begin: s.Begin, end: s.Chosen,
	}
	go newLoop(l, core).run(ctx)
	return l, nil
}

// Close ends the replica. A leader lets others lead first.
func (l *Log) Close() error {
	l.once.Do(func() {
		l.stop()
		<-l.ended
		l.closed = l.wal.Close()
	})
	return l.closed
}

// Begin is the first position that is not truncated.
func (l *Log) Begin() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begin
}

// End is behind the last position that can be read here; there may be more.
func (l *Log) End() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// MaxEntryBytes bounds what is appended.
func (l *Log) MaxEntryBytes() int { return l.cfg.MaxEntryBytes }

// Voters is how many replicas there are to be.
func (l *Log) Voters() int { return l.cfg.Voters }

// DiskBytes is what the log takes of the disk.
func (l *Log) DiskBytes() int64 { return l.wal.Stats().DiskBytes }

func (l *Log) publish(begin, end uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if begin > l.begin || end > l.end {
		l.begin, l.end = max(l.begin, begin), max(l.end, end)
		l.notify()
	}
}

// notify wakes those who wait. l.mu is held.
func (l *Log) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Wait returns End once it is above from.
func (l *Log) Wait(ctx context.Context, from uint64) (uint64, error) {
	for {
		l.mu.Lock()
		end, changed := l.end, l.changed
		l.mu.Unlock()
		if end > from {
			return end, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for log to pass %d, now at %d: %w", from, end, context.Cause(ctx))
		case <-l.ended:
			return 0, ErrClosed
		}
	}
}

// Read yields what was appended from a position on, up to but not with to, in
// order. Positions that nobody appended at are left out.
//
// Errors: ErrTruncated below Begin, also if it moves meanwhile; errs.Invalid
// beyond End; errs.Corrupt names the file.
func (l *Log) Read(from, to uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range l.entries(from, to) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("read log from %d to %d: %w", from, to, err))
				return
			}
			if e.Kind == paxos.Data && !yield(Entry{e.Position, e.Data}, nil) {
				return
			}
		}
	}
}

// entries is Read with entries of all kinds.
func (l *Log) entries(from, to uint64) iter.Seq2[paxos.Entry, error] {
	return func(yield func(paxos.Entry, error) bool) {
		if end := l.End(); to > end {
			yield(paxos.Entry{}, fmt.Errorf("log ends at %d: %w", end, errs.Invalid))
			return
		}
		if from >= to {
			return
		}
		next := from
		for r, err := range l.wal.Records(from, to-1) {
			if err == nil && r.Position == next && next >= l.Begin() {
				if !yield(entryOf(r), nil) {
					return
				}
				next++
				continue
			}
			if err == nil {
				err = fmt.Errorf("position %d is missing: %w", next, errs.Corrupt)
			}
			if begin := l.Begin(); next < begin {
				err = fmt.Errorf("log begins at %d: %w", begin, ErrTruncated)
			}
			yield(paxos.Entry{}, err)
			return
		}
		if next < to {
			yield(paxos.Entry{}, fmt.Errorf("log begins at %d: %w", l.Begin(), ErrTruncated))
		}
	}
}

// do runs f in the loop.
func (l *Log) do(ctx context.Context, f func(*loop)) error {
	done := make(chan struct{})
	select {
	case l.calls <- func(lp *loop) { f(lp); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ended:
		return ErrClosed
	}
}

// Add lets the replica at an address vote. It must run, and have learned nearly
// all. Done once the change is proposed.
func (l *Log) Add(ctx context.Context, addr string) (err error) {
	if failed := l.do(ctx, func(lp *loop) { err = lp.core.Add(addr) }); failed != nil {
		err = failed
	}
	return err
}

// Remove takes the vote of the replica at an address.
func (l *Log) Remove(ctx context.Context, addr string) (err error) {
	if failed := l.do(ctx, func(lp *loop) { err = lp.core.Remove(addr) }); failed != nil {
		err = failed
	}
	return err
}

// SetPeers tells of the replicas there are now.
func (l *Log) SetPeers(ctx context.Context, peers []string) error {
	return l.do(ctx, func(lp *loop) { lp.core.SetPeers(append(peers, l.cfg.Addr)) })
}

// Leader is the address of the replica that leads, "" if none is known to.
func (l *Log) Leader(ctx context.Context) (addr string, err error) {
	err = l.do(ctx, func(lp *loop) { addr = lp.core.Leader() })
	return addr, err
}

// Status says how the replica is.
func (l *Log) Status(ctx context.Context) (*api.StatusReply, error) {
	r := &api.StatusReply{Addr: l.cfg.Addr, Readable: l.End(), DiskBytes: uint64(l.DiskBytes()), Member: l.member.String()}
	err := l.do(ctx, func(lp *loop) {
		s := lp.core.State()
		if s.Ensemble != (paxos.ID{}) {
			r.Ensemble = s.Ensemble.String()
		}
		b, _ := lp.core.Elected()
		r.Leader, r.Ballot, r.Promised = lp.core.Leader(), uint64(b), uint64(s.Promised)
		r.Begin, r.Chosen, r.Problem = s.Begin, s.Chosen, lp.problem
		r.Quorum, r.Since = uint64(s.Members.Quorum()), s.Members.Since
		lag := lp.core.Lag()
		for _, m := range s.Members.Members {
			r.Members = append(r.Members, &api.Member{Id: m.ID.String(), Addr: m.Addr, Votes: true, Chosen: lag[m.Addr]})
			delete(lag, m.Addr)
		}
		for addr, chosen := range lag {
			r.Members = append(r.Members, &api.Member{Addr: addr, Chosen: chosen})
		}
	})
	return r, err
}
