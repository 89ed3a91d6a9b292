package election

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mezzo/internal/errs"
)

// replicas is where the replicas of the log are, below the path of the contest.
const replicas = "/log_replicas"

// Join makes addr, "host:port", known as a replica of the log, and tells which
// replicas there are, sorted, now and at each change, until ctx ends. It comes
// back after a lost session; until then told is told nothing, and what it knew
// last may still be so.
//
// Errors: ctx's cause; errs.Invalid if it is not permitted.
func (z *ZooKeeper) Join(ctx context.Context, addr string, told func(members []string)) error {
	var last []string
	var warn repeated
	once := func(members []string) {
		if slices.Sort(members); !slices.Equal(members, last) {
			last = members
			told(slices.Clone(members))
		}
	}
	for {
		err := z.join(ctx, addr, once)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errs.Invalid):
			return fmt.Errorf("join the replicas at %v: %w", z.of, err)
		}
		if warn.isNew(err) {
			z.cfg.Log.Warn("replica is not known in ZooKeeper", "ensemble", z.of.String(), "err", err)
		}
		_ = pause(ctx, retryAfter) // its end is the next try's
	}
}

// join is a member for one session.
func (z *ZooKeeper) join(ctx context.Context, addr string, told func([]string)) error {
	s := z.connect(z.of, z.cfg)
	defer s.close()
	defer context.AfterFunc(ctx, s.close)()
	path := z.of.path + replicas
	if _, err := enrol(s, path+"/", []byte(addr)); err != nil {
		return err
	}
	for {
		names, changed, err := s.children(path, true)
		var members []string
		if err == nil {
			members, err = readAll(s, path, names)
		}
		if err == nil {
			told(members)
		} else if !errors.Is(err, errs.NotFound) || changed == nil {
			return err
		} // else one has gone since, and changed is closed
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.expired():
			return errExpired
		case <-changed:
		}
	}
}

// readAll returns the addresses of members, less a name that Mesos puts before.
func readAll(s session, path string, names []string) ([]string, error) {
	var members []string
	for _, name := range names {
		body, err := s.read(path + "/" + name)
		if err != nil {
			return nil, err
		}
		_, addr, found := strings.Cut(string(body), "@")
		if !found {
			addr = string(body)
		}
		members = append(members, addr)
	}
	return members, nil
}
