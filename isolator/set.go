package isolator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mezzo/internal/errs"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// undoTimeout bounds the clean-up after a Prepare that went wrong.
const undoTimeout = 10 * time.Second

// Set applies several isolators as one: Prepare in order, Cleanup in reverse.
//
// Concurrency: safe; calls that change one container come one at a time.
type Set struct {
	isolators  []Isolator
	updaters   []named[Updater]
	reporters  []named[Reporter]
	explainers []named[Explainer]
	killers    []named[Killer]
	recoverers []named[Recoverer]
}

type named[T any] struct {
	name    string
	ability T
}

// NewSet finds the abilities of the isolators, which must have names of their
// own. An isolator must not be wrapped: that would hide its abilities.
func NewSet(isolators ...Isolator) (*Set, error) {
	s := &Set{isolators: slices.Clone(isolators)}
	seen := make(map[string]bool)
	for _, i := range isolators {
		name := i.Name()
		if name == "" || seen[name] {
			return nil, fmt.Errorf("isolator %q: empty or repeated name: %w", name, errs.Invalid)
		}
		seen[name] = true
		s.updaters = find(s.updaters, i)
		s.reporters = find(s.reporters, i)
		s.explainers = find(s.explainers, i)
		s.killers = find(s.killers, i)
		s.recoverers = find(s.recoverers, i)
	}
	return s, nil
}

func find[T any](list []named[T], i Isolator) []named[T] {
	if a, ok := i.(T); ok {
		list = append(list, named[T]{i.Name(), a})
	}
	return list
}

// Prepare lets every isolator prepare c and edit s, in order. When one fails,
// it and those before it are cleaned up in reverse.
func (s *Set) Prepare(ctx context.Context, c Container, spec *specs.Spec) error {
	for n, i := range s.isolators {
		err := i.Prepare(ctx, c, spec)
		if err == nil {
			continue
		}
		err = fmt.Errorf("isolator %s: prepare container %s: %w", i.Name(), c.ID, err)
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		return errors.Join(err, cleanup(undo, s.isolators[:n+1], c.ID))
	}
	return nil
}

// Cleanup lets every isolator clean up, in reverse and past errors.
func (s *Set) Cleanup(ctx context.Context, id ID) error {
	return cleanup(ctx, s.isolators, id)
}

func cleanup(ctx context.Context, isolators []Isolator, id ID) error {
	var all error
	for _, i := range slices.Backward(isolators) {
		if err := i.Cleanup(ctx, id); err != nil {
			all = errors.Join(all, fmt.Errorf("isolator %s: clean up container %s: %w", i.Name(), id, err))
		}
	}
	return all
}

// Update changes the limits of a running container and stops at the first
// isolator that refuses.
func (s *Set) Update(ctx context.Context, c Container) error {
	for _, u := range s.updaters {
		if err := u.ability.Update(ctx, c); err != nil {
			return fmt.Errorf("isolator %s: update container %s: %w", u.name, c.ID, err)
		}
	}
	return nil
}

// Usage merges what all reporters know of a container into one sample.
// Without any reporter: errs.Unsupported.
func (s *Set) Usage(ctx context.Context, id ID) (Usage, error) {
	if len(s.reporters) == 0 {
		return Usage{}, fmt.Errorf("usage of container %s: no isolator reports it: %w", id, errs.Unsupported)
	}
	u := Usage{At: time.Now()}
	for _, r := range s.reporters {
		if err := r.ability.Usage(ctx, id, &u); err != nil {
			return Usage{}, fmt.Errorf("isolator %s: usage of container %s: %w", r.name, id, err)
		}
	}
	return u, nil
}

// Explain returns the first verdict, in the order of the isolators, or nil. A
// verdict may come along with errors of isolators that were asked before.
func (s *Set) Explain(ctx context.Context, id ID) (*Limitation, error) {
	var all error
	for _, e := range s.explainers {
		l, err := e.ability.Explain(ctx, id)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("isolator %s: explain container %s: %w", e.name, id, err))
		}
		if l != nil {
			return l, all
		}
	}
	return nil, all
}

// Kill ends every process of a container. Without any killer:
// errs.Unsupported, and the caller has to signal the processes itself.
func (s *Set) Kill(ctx context.Context, id ID) error {
	if len(s.killers) == 0 {
		return fmt.Errorf("kill container %s: no isolator can: %w", id, errs.Unsupported)
	}
	var all error
	for _, k := range s.killers {
		if err := k.ability.Kill(ctx, id); err != nil {
			all = errors.Join(all, fmt.Errorf("isolator %s: kill container %s: %w", k.name, id, err))
		}
	}
	return all
}

// Recover lets every isolator adopt the known containers, past errors, and
// returns all orphans, sorted.
func (s *Set) Recover(ctx context.Context, known []Container) ([]ID, error) {
	var orphans []ID
	var all error
	for _, r := range s.recoverers {
		found, err := r.ability.Recover(ctx, known)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("isolator %s: recover: %w", r.name, err))
		}
		orphans = append(orphans, found...)
	}
	slices.Sort(orphans)
	return slices.Compact(orphans), all
}
