package master

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/master/registry"
)

// term is one reign: a core and the loop around it. Each has an id of its own,
// with which all ids begin that are given in it.
type term struct {
	info    *v1.MasterInfo
	elected time.Time     // zero: this master does not lead
	loaded  time.Duration // the registry was loaded in
	loop    *loop
}

// idle is the term of a master that does not lead: nothing is done in it.
func (m *Master) idle() *term {
	l := newLoop(nil, nil, m.log, 0)
	close(l.done)
	return &term{info: m.identity(), loop: l}
}

func (m *Master) identity() *v1.MasterInfo {
	return identity(uuid.NewString(), m.cfg, m.at, m.deps.Version.GetVersion())
}

// begin makes the term of a reign, with all that was kept.
func (m *Master) begin(info *v1.MasterInfo, r Reign) (*term, error) {
	start, before := time.Now(), registry.NewState()
	for c, err := range r.Load() {
		if err == nil {
			err = before.Add(c)
		}
		if err != nil {
			return nil, fmt.Errorf("load registry: %w", err)
		}
	}
	now := time.Now()
	id, err := uuid.Parse(info.GetId())
	if err != nil {
		return nil, err
	}
	c, err := core.New(now, m.coreConfig(info, binary.BigEndian.Uint64(id[:8])), before)
	if err != nil {
		return nil, err
	}
	if m.whitelist != nil {
		c.Step(now, m.whitelist.event())
	}
	return &term{info: info, elected: now, loaded: now.Sub(start), loop: newLoop(c, newGate(r, m.cfg.RegistryStoreTimeout), m.log, m.cfg.MaxOperatorEventStreamSubscribers)}, nil
}

// reign contends and leads, again and again, until ctx ends or something is
// wrong that another try does not mend.
func (m *Master) reign(ctx context.Context) error {
	for {
		info := m.identity()
		r, err := m.contender.Contend(ctx, info)
		if err == nil {
			err = m.serve(ctx, info, r)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

// serve leads in a reign until it is over.
func (m *Master) serve(ctx context.Context, info *v1.MasterInfo, r Reign) error {
	defer r.Resign()
	t, err := m.begin(info, r)
	if err != nil {
		return err
	}
	m.current.Store(t)
	m.leads.Do(func() { close(m.led) })
	defer m.current.Store(m.idle())
	return m.run(ctx, t, r)
}

// run runs the loop of a term.
func (m *Master) run(ctx context.Context, t *term, r Reign) (err error) {
	m.log.Info("master leads", "id", t.info.GetId(), "advertised", m.advertised)
	over, end := context.WithCancel(ctx)
	defer context.AfterFunc(r.Context(), end)()
	group, over := errgroup.WithContext(over)
	group.Go(func() error { t.loop.gate.run(over, r); return nil })
	group.Go(func() error { defer end(); return t.loop.run(over) })
	if err = group.Wait(); err == nil && ctx.Err() == nil {
		m.log.Warn("master leads no more", "id", t.info.GetId(), "reason", context.Cause(r.Context()))
	}
	if errors.Is(err, errs.Unavailable) { // who leads next may not have it
		m.log.Warn("master leads no more", "id", t.info.GetId(), "err", err)
		return nil
	}
	return err
}

// local are the paths that a master serves that does not lead.
// Source: mesos master.cpp, where endpoints are not redirected.
var local = map[string]bool{"/health": true, "/flags": true, "/version": true, "/metrics/snapshot": true, "/redirect": true,
	"/files/browse": true, "/files/read": true, "/files/download": true, "/files/debug": true, "/logging/toggle": true, "/system/stats": true, "/metrics": true, "/help": true}

// elsewhere answers a request that only who leads can serve: 307 to that one, or
// 503 if nobody is known to lead. It tells whether it did.
func (m *Master) elsewhere(w http.ResponseWriter, r *http.Request) bool {
	if !m.lead().elected.IsZero() || local[trim(r.URL.Path)] {
		return false
	}
	leader := m.contender.Leader()
	if leader == "" || leader == m.advertised {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "no master leads at this moment")
		return true
	}
	w.Header().Set("Location", "//"+leader+r.URL.RequestURI())
	w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}
