package state

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog"
)

// Log is what is needed of a replica of the log; *replog.Log is one.
type Log interface {
	Wait(ctx context.Context, from uint64) (end uint64, err error)
	Begin() uint64
	Read(from, to uint64) iter.Seq2[replog.Entry, error]
	MaxEntryBytes() int
}

// Config is how a State is kept.
type Config struct {
	// SpareBytes of the log may be dead before it is cleaned. Default 64 MiB.
	SpareBytes int64
}

// node is a living variable, in the order in which the log has them.
type node struct {
	Variable
	at         uint64 // position of its entry
	prev, next *node
}

// bytes is what a node takes of the log, nearly.
func (n *node) bytes() int64 { return int64(len(n.name) + len(n.value) + 16) }

// extent is an entry that is not truncated.
type extent struct {
	position uint64
	sum      int64 // bytes of all entries up to this one
}

// State is a replica's view of all variables. All methods may be called by any
// goroutine.
type State struct {
	log    Log
	cfg    Config
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	nodes   map[string]*node
	ring    node // of all nodes: next is the oldest
	extents []extent
	live    int64  // bytes of nodes
	sum     int64  // of the last extent
	base    int64  // sum of the last that was truncated
	applied uint64 // all below is
	err     error  // why nothing more is applied
	changed chan struct{}
}

// Open follows the log.
func Open(log Log, cfg Config) *State {
	if cfg.SpareBytes == 0 {
		cfg.SpareBytes = 64 << 20
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &State{log: log, cfg: cfg, cancel: cancel, ended: make(chan struct{}), nodes: map[string]*node{}, applied: 1, changed: make(chan struct{})}
	s.ring.prev, s.ring.next = &s.ring, &s.ring
	go s.follow(ctx)
	return s
}

// Close ends following. The log stays open.
func (s *State) Close() {
	s.cancel()
	<-s.ended
}

// follow applies what is readable, until ctx ends or the log fails.
func (s *State) follow(ctx context.Context) {
	defer close(s.ended)
	for {
		s.mu.Lock()
		from := s.applied
		s.mu.Unlock()
		end, err := s.log.Wait(ctx, from)
		if err == nil {
			err = s.replay(end)
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.notify()
			s.mu.Unlock()
			return
		}
	}
}

// replay applies what was not yet, up to end.
func (s *State) replay(end uint64) error {
	s.mu.Lock()
	from, begin := s.applied, s.log.Begin()
	if from < begin { // what lay before and lives was kept behind
		for s.ring.next != &s.ring && s.ring.next.at < begin {
			s.remove(s.ring.next.name)
		}
		from = begin
	}
	s.mu.Unlock()
	for e, err := range s.log.Read(from, end) {
		if errors.Is(err, replog.ErrTruncated) {
			return nil // meanwhile: again
		}
		if err != nil {
			return fmt.Errorf("follow log: %w", err)
		}
		if err := s.apply(e, nil); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = max(s.applied, end)
	s.notify()
	return nil
}

// notify wakes those who wait. s.mu is held.
func (s *State) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// apply makes an entry's changes, unless that was done. Who appended it has them
// already.
func (s *State) apply(e replog.Entry, changes *api.Changes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Position < s.applied {
		return nil
	}
	if changes == nil {
		changes = &api.Changes{}
		if err := parse(e.Data, changes); err != nil {
			return fmt.Errorf("apply position %d of log: %w", e.Position, err)
		}
	}
	for _, c := range changes.GetChanges() {
		if p := c.GetPut(); p != nil {
			v := Variable{p.GetName(), p.GetVersion(), p.GetValue()}
			if v.version == 0 {
				v.version = e.Position
			}
			s.put(&node{Variable: v, at: e.Position})
		} else {
			s.remove(c.GetDelete())
		}
	}
	s.sum += int64(len(e.Data))
	s.extents = append(s.extents, extent{e.Position, s.sum})
	s.applied = e.Position + 1
	s.notify()
	return nil
}

func parse(data []byte, into *api.Changes) error {
	if err := proto.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %w", err, errs.Corrupt)
	}
	for i, c := range into.GetChanges() {
		if err := checkName(nameOf(c)); err != nil {
			return fmt.Errorf("change %d: %w: %w", i, err, errs.Corrupt)
		}
	}
	return nil
}

func (s *State) put(n *node) {
	s.remove(n.name)
	s.nodes[n.name] = n
	n.prev, n.next = s.ring.prev, &s.ring
	n.prev.next, n.next.prev = n, n
	s.live += n.bytes()
}

func (s *State) remove(name string) {
	n, ok := s.nodes[name]
	if !ok {
		return
	}
	delete(s.nodes, name)
	n.prev.next, n.next.prev = n.next, n.prev
	s.live -= n.bytes()
}

// Get is a variable as this replica knows it, which may be out of date.
func (s *State) Get(name string) Variable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(name)
}

func (s *State) get(name string) Variable {
	if n, ok := s.nodes[name]; ok {
		return n.Variable
	}
	return New(name)
}

// All are the variables with a prefix, by name, as this replica knows them.
func (s *State) All(prefix string) []Variable {
	var all []Variable
	s.mu.Lock()
	for name, n := range s.nodes {
		if strings.HasPrefix(name, prefix) {
			all = append(all, n.Variable)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Variable) int { return strings.Compare(a.name, b.name) })
	return all
}

// Stats is how much there is.
type Stats struct {
	Variables int
	LiveBytes int64
	LogBytes  int64  // of entries that are not truncated
	Applied   uint64 // positions below are
}

// Stats is how much there is.
func (s *State) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	return Stats{len(s.nodes), s.live, s.sum - s.base, s.applied}
}
