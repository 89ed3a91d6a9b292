package replog

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"mezzo/internal/errs"
	"mezzo/replog/paxos"
	"mezzo/replog/wal"
)

// flight is what waits for the disk, and what to do then.
type flight struct {
	records []wal.Record
	then    then
}

// then is to be done once all that was written before is durable.
type then struct {
	after         []paxos.Message
	begin, chosen uint64
}

// proposal is an append on its way to the core.
type proposal struct {
	ballot   paxos.Ballot // of the writer
	kind     paxos.Kind
	data     []byte
	done     func(position uint64, err error)
	position uint64 // once it has one
}

// loop owns the core. All methods but landing run in the goroutine of run.
type loop struct {
	log     *Log
	core    *paxos.Core
	started time.Time
	self    []paxos.Message // of the core to itself
	peers   map[string]*peer
	senders sync.WaitGroup
	serving chan struct{} // a token for each Fetch that is answered at once
	refused map[string]bool
	problem string

	flights []flight // of which the first issued are with the WAL
	issued  int
	stalled bool // the disk is full: nothing more is issued
	retryAt time.Time

	writer   *Writer
	electing chan *Writer // of who waits in Elect; capacity 1
	waiting  []proposal

	mu     sync.Mutex
	landed []error // of flights, in order
	signal chan struct{}
}

func newLoop(l *Log, core *paxos.Core) *loop {
	return &loop{
		log: l, core: core, started: time.Now(), peers: map[string]*peer{}, serving: make(chan struct{}, 4),
		refused: map[string]bool{}, signal: make(chan struct{}, 1),
	}
}

// batch bounds what is taken together, so that the disk's and the network's
// costs are shared.
const batch = 256

func (lp *loop) run(ctx context.Context) {
	sending, cancel := context.WithCancel(context.Background())
	defer close(lp.log.ended)
	defer cancel()
	ticker := time.NewTicker(lp.log.cfg.Tick)
	defer ticker.Stop()
	for {
		var proposals chan proposal
		if lp.writer == nil || lp.core.CanPropose() {
			proposals = lp.log.proposals
		}
		select {
		case m := <-lp.log.inbox:
			lp.core.Step(m)
		case p := <-proposals:
			lp.propose(p)
		case f := <-lp.log.calls:
			f(lp)
		case <-lp.signal:
			lp.land()
		case <-ticker.C:
			lp.reissue()
		case <-ctx.Done():
			lp.end(sending)
			return
		}
		runtime.Gosched() // those who were told go on, and what they append goes with the rest
		lp.drainInbox()
		lp.land()
		lp.drainProposals()
		lp.core.Tick(uint64(time.Since(lp.started) / lp.log.cfg.Tick))
		lp.handle(sending)
	}
}

func (lp *loop) drainInbox() {
	for range batch {
		select {
		case m := <-lp.log.inbox:
			lp.core.Step(m)
		default:
			return
		}
	}
}

func (lp *loop) drainProposals() {
	for range batch {
		if !lp.core.CanPropose() {
			return
		}
		select {
		case p := <-lp.log.proposals:
			lp.propose(p)
		default:
			return
		}
	}
}

func (lp *loop) propose(p proposal) {
	if lp.writer == nil || lp.writer.ballot != p.ballot {
		p.done(0, ErrDemoted)
		return
	}
	p.position, _ = lp.core.Propose(p.kind, p.data) // it can: the caller looked
	lp.waiting = append(lp.waiting, p)
}

// handle does what the core wants done.
func (lp *loop) handle(ctx context.Context) {
	for again := true; again; again = len(lp.self) > 0 {
		self := lp.self
		lp.self = nil
		for _, m := range self {
			lp.core.Step(m)
		}
		r := lp.core.Ready()
		lp.settle() // who waits for an append may go on before the disk here does
		for _, m := range r.Refused {
			lp.refuse(m)
		}
		lp.post(ctx, r.Send)
		for _, m := range r.Serve {
			lp.serve(m)
		}
		lp.keep(ctx, &r)
	}
}

// keep writes what a Ready wants kept. What only waits goes with what is written.
func (lp *loop) keep(ctx context.Context, r *paxos.Ready) {
	t := then{r.After, r.Begin, r.Chosen}
	switch all := records(r); {
	case len(all) > 0:
		lp.flights = append(lp.flights, flight{all, t})
		lp.issue()
	case len(lp.flights) > 0:
		last := &lp.flights[len(lp.flights)-1].then
		last.after, last.begin, last.chosen = append(last.after, t.after...), t.begin, t.chosen
	default:
		lp.done(ctx, t)
	}
}

// issue hands to the WAL what was not yet.
func (lp *loop) issue() {
	for !lp.stalled && lp.issued < len(lp.flights) {
		err := lp.log.wal.Append(lp.flights[lp.issued].records, true, lp.landing)
		lp.issued++
		if err != nil {
			lp.landing(err)
		}
	}
}

// landing is told by the WAL, in its goroutine.
func (lp *loop) landing(err error) {
	lp.mu.Lock()
	lp.landed = append(lp.landed, err)
	lp.mu.Unlock()
	select {
	case lp.signal <- struct{}{}:
	default:
	}
}

// land takes note of what is durable. If something did not fit on the disk, what
// was written behind it has to be written again behind it: later records win.
func (lp *loop) land() {
	lp.mu.Lock()
	results := lp.landed
	lp.landed = nil
	lp.mu.Unlock()
	for _, err := range results {
		lp.issued--
		switch {
		case lp.stalled:
		case err == nil:
			t := lp.flights[0].then
			lp.flights = lp.flights[1:]
			lp.done(context.Background(), t)
		default:
			lp.stalled, lp.retryAt = true, time.Now().Add(time.Second)
			if text := fmt.Sprintf("can't write: %s", errs.Text(err)); text != lp.problem {
				lp.problem = text
				lp.log.deps.Log.Error("replica can't write, trying on", "err", err)
			}
			if !errors.Is(err, errs.Exhausted) { // it ended; who has to know is told
				lp.retryAt = time.Now().Add(time.Hour)
			}
		}
	}
}

// reissue tries again what did not fit.
func (lp *loop) reissue() {
	if lp.stalled && lp.issued == 0 && time.Now().After(lp.retryAt) {
		lp.stalled, lp.problem = false, ""
		lp.issue()
	}
}

func (lp *loop) done(ctx context.Context, t then) {
	lp.post(ctx, t.after)
	if t.begin > lp.log.Begin() {
		_ = lp.log.wal.Truncate(t.begin, func(error) {}) // a failure ends the WAL, which tells
	}
	lp.log.publish(t.begin, t.chosen)
}

func (lp *loop) post(ctx context.Context, all []paxos.Message) {
	for _, m := range all {
		if m.To == lp.log.cfg.Addr {
			lp.self = append(lp.self, m)
			continue
		}
		p := lp.peers[m.To]
		if p == nil {
			if len(lp.peers) >= maxPeers {
				continue
			}
			p = &peer{addr: m.To, queue: make(chan paxos.Message, queueLength)}
			lp.peers[m.To] = p
			lp.senders.Go(func() { p.run(ctx, lp.log.deps) })
		}
		p.post(m)
	}
}

func (lp *loop) refuse(m paxos.Message) {
	s := lp.core.State()
	text := fmt.Sprintf("replica at %q is of ensemble %v, this one of %v", m.Addr, m.Ensemble, s.Ensemble)
	if m.Ensemble == s.Ensemble {
		text = fmt.Sprintf("replica at %q was told of %d replicas, this one of %d", m.Addr, m.Voters, lp.log.cfg.Voters)
	}
	if !lp.refused[text] && len(lp.refused) < maxPeers {
		lp.refused[text] = true
		lp.problem = text
		lp.log.deps.Log.Error("refused what can't work together", "reason", text)
	}
}

// serveBytes bounds what is sent in answer to a Fetch, if it is several entries.
const serveBytes = 1 << 20

// serve answers a Fetch from the disk, beside the loop. What is too much to be
// answered is asked for again.
func (lp *loop) serve(m paxos.Message) {
	select {
	case lp.serving <- struct{}{}:
	default:
		return
	}
	l := lp.log
	begin, end := l.Begin(), l.End()
	low := max(m.Low, begin)
	reply := lp.core.Sign(m.Addr, paxos.Message{Type: paxos.Chosen, Low: low, Begin: begin, Members: lp.core.State().Members})
	reply.Chosen = end
	go func() {
		bytes := 0
		for e, err := range l.entries(min(low, end), end) {
			if err != nil {
				break
			}
			reply.Entries = append(reply.Entries, e)
			if bytes += len(e.Data) + 32; bytes >= serveBytes {
				break
			}
		}
		<-lp.serving
		_ = l.do(context.Background(), func(lp *loop) { lp.core.Post(reply) })
	}()
}

// end ends what the loop owns, after it let others lead.
func (lp *loop) end(ctx context.Context) {
	lp.core.Resign()
	lp.handle(ctx)
	for _, p := range lp.peers {
		close(p.queue)
	}
	gone := make(chan struct{})
	go func() { lp.senders.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-time.After(endTimeout):
	}
	for len(lp.log.proposals) > 0 {
		(<-lp.log.proposals).done(0, ErrClosed)
	}
}

// endTimeout bounds how long the last messages may take.
const endTimeout = 200 * time.Millisecond
