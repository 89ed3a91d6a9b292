package election

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// Contender is a way in which masters agree on who of them leads. A master
// contends, acts while its term lasts, and contends again:
//
//	for {
//		term, err := contender.Contend(ctx, info)
//		if err != nil {
//			return err // ctx has ended, or it will never work
//		}
//		act(term.Context()) // returns when that context has ended, or ctx
//		term.Resign()
//	}
type Contender interface {
	// Contend makes info known as a master that would lead, and returns when it
	// does. When ctx ends first the candidacy is withdrawn. Beyond the return ctx
	// ends nothing: a leader that is told to stop first stops to act, then resigns.
	//
	// Errors: ctx's cause; errs.Invalid if it can't ever lead with this.
	Contend(ctx context.Context, info *v1.MasterInfo) (Term, error)
}

// Term is a time in which one master leads, and surely no other.
//
// Concurrency: all methods may be called by any goroutine.
type Term interface {
	// Context ends at once when leadership is lost or in doubt, before another
	// master can be elected; its cause says why. It carries the values of
	// Contend's, not its end.
	Context() context.Context
	// Until is the moment at which the term ends unless it is prolonged before
	// then. To look at it once more guards what must not be done late.
	Until() time.Time
	// Resign ends the term, so that another master can be elected at once instead
	// of after a timeout. It returns when that is done, within seconds; after the
	// term's end it does nothing.
	Resign()
}

// ZooKeeper contends through ZooKeeper, as Mesos's masters do.
type ZooKeeper struct {
	of      ensemble
	cfg     Config
	connect func(ensemble, Config) session
}

var _ Contender = (*ZooKeeper)(nil)

// NewZooKeeper makes a contender from a --zk flag, zk://… or file:///path. It
// speaks to nobody yet.
//
// Errors: errs.Invalid, naming the part that is wrong, and never a password.
func NewZooKeeper(flag string, cfg Config) (*ZooKeeper, error) {
	cfg.setDefaults()
	d, err := newDetector(flag, cfg)
	if err != nil {
		return nil, fmt.Errorf("zk %q: %w", Redact(flag), err)
	}
	w, ok := d.(*watcher)
	if !ok {
		return nil, fmt.Errorf("zk %q: want zk://host:port/path: %w", Redact(flag), errs.Invalid)
	}
	return &ZooKeeper{of: w.of, cfg: cfg, connect: connect}, nil
}

// Detector tells who leads of those that contend here.
func (z *ZooKeeper) Detector() Detector { return newWatcher(z.of, z.cfg) }

// Contend makes a znode with info and waits until none has a lower number. A
// candidacy that fails is followed by another, with a new session.
func (z *ZooKeeper) Contend(ctx context.Context, info *v1.MasterInfo) (Term, error) {
	body, err := record(info)
	if err != nil {
		return nil, fmt.Errorf("contend: %w", err)
	}
	var warn repeated
	for {
		t, err := z.stand(ctx, body)
		switch {
		case err == nil:
			return t, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("contend at %v: %w", z.of, context.Cause(ctx))
		case errors.Is(err, errs.Invalid):
			return nil, fmt.Errorf("contend at %v: %w", z.of, err)
		}
		if warn.isNew(err) {
			z.cfg.Log.Warn("candidacy failed, another follows", "ensemble", z.of.String(), "err", err)
		}
		_ = pause(ctx, retryAfter) // its end is the next try's
	}
}

// repeated tells what was not said just before.
type repeated string

func (r *repeated) isNew(err error) bool {
	before := *r
	*r = repeated(err.Error())
	return before != *r
}

// stand is one candidacy: it returns the term that was won.
func (z *ZooKeeper) stand(ctx context.Context, body []byte) (*term, error) {
	s := z.connect(z.of, z.cfg)
	release := context.AfterFunc(ctx, s.close)
	made, err := enrol(s, z.of.path+"/"+label, body)
	if !release() {
		err = context.Cause(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	_, name, _ := strings.Cut(made, z.of.path+"/")
	z.cfg.Log.Info("contending", "ensemble", z.of.String(), "znode", name)
	t := newTerm(context.WithoutCancel(ctx), s, z.cfg.Log, z.of.path, name)
	go t.keep()
	select {
	case <-t.won:
		return t, nil
	case <-ctx.Done():
		t.end(context.Cause(ctx))
	case <-t.ctx.Done():
	}
	<-t.closed
	return nil, context.Cause(t.ctx)
}

// enrol makes a member's znode, and what is missing of the path to it.
func enrol(s session, prefix string, body []byte) (made string, err error) {
	made, err = s.create(prefix, body, true)
	if !errors.Is(err, errs.NotFound) {
		return made, err
	}
	if err := makePath(s, prefix[:strings.LastIndexByte(prefix, '/')]); err != nil {
		return "", err
	}
	return s.create(prefix, body, true)
}

func makePath(s session, path string) error {
	_, err := s.create(path, nil, false)
	if errors.Is(err, errs.NotFound) {
		if err := makePath(s, path[:strings.LastIndexByte(path, '/')]); err != nil {
			return err
		}
		_, err = s.create(path, nil, false)
	}
	if errors.Is(err, errs.Exists) {
		return nil
	}
	return err
}
