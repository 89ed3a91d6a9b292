package isolatortest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mezzo/internal/errs"
	"mezzo/isolator"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Fake is an isolator in memory with every ability. Its state outlives the
// agent under test, as a kernel's does: Recover finds it.
//
// Concurrency: safe.
type Fake struct {
	// Fail, if set before use, is asked at the start of each call ("Prepare",
	// "Update", …); its error is the call's.
	Fail func(call string, id isolator.ID) error

	name string
	mu   sync.Mutex
	byID map[isolator.ID]*fakeContainer
	log  []string
}

type fakeContainer struct {
	limits  isolator.Limits
	usage   isolator.Usage
	verdict *isolator.Limitation
}

var (
	_ isolator.Isolator  = (*Fake)(nil)
	_ isolator.Updater   = (*Fake)(nil)
	_ isolator.Reporter  = (*Fake)(nil)
	_ isolator.Explainer = (*Fake)(nil)
	_ isolator.Killer    = (*Fake)(nil)
	_ isolator.Recoverer = (*Fake)(nil)
)

// NewFake makes a Fake with a name.
func NewFake(name string) *Fake {
	return &Fake{name: name, byID: make(map[isolator.ID]*fakeContainer)}
}

// Annotation is what a Fake leaves in a prepared spec, with its name as value.
const Annotation = "mezzo.test/isolator."

// Name returns the name given to NewFake.
func (f *Fake) Name() string { return f.name }

// Prepare remembers the container and marks the spec.
func (f *Fake) Prepare(_ context.Context, c isolator.Container, s *specs.Spec) error {
	if err := f.enter("Prepare", c.ID); err != nil {
		return err
	}
	if err := check(c.Limits); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID[c.ID] = &fakeContainer{limits: c.Limits}
	if s.Annotations == nil {
		s.Annotations = make(map[string]string)
	}
	s.Annotations[Annotation+f.name] = f.name
	return nil
}

// Cleanup forgets the container.
func (f *Fake) Cleanup(_ context.Context, id isolator.ID) error {
	if err := f.enter("Cleanup", id); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byID, id)
	return nil
}

// Update replaces the limits.
func (f *Fake) Update(_ context.Context, c isolator.Container) error {
	if err := f.enter("Update", c.ID); err != nil {
		return err
	}
	if err := check(c.Limits); err != nil {
		return err
	}
	return f.with(c.ID, func(k *fakeContainer) { k.limits = c.Limits })
}

// Usage copies what SetUsage left, zero before; At is kept.
func (f *Fake) Usage(_ context.Context, id isolator.ID, u *isolator.Usage) error {
	if err := f.enter("Usage", id); err != nil {
		return err
	}
	return f.with(id, func(k *fakeContainer) {
		at := u.At
		*u = k.usage
		u.At = at
	})
}

// Explain returns what SetLimitation left.
func (f *Fake) Explain(_ context.Context, id isolator.ID) (l *isolator.Limitation, err error) {
	if err := f.enter("Explain", id); err != nil {
		return nil, err
	}
	err = f.with(id, func(k *fakeContainer) { l = k.verdict })
	return l, err
}

// Kill only records the call: see Calls.
func (f *Fake) Kill(_ context.Context, id isolator.ID) error { return f.enter("Kill", id) }

// Recover returns the containers that are not known.
func (f *Fake) Recover(_ context.Context, known []isolator.Container) ([]isolator.ID, error) {
	if err := f.enter("Recover", ""); err != nil {
		return nil, err
	}
	orphans := make(map[isolator.ID]bool)
	for _, id := range f.Containers() {
		orphans[id] = true
	}
	for _, c := range known {
		delete(orphans, c.ID)
	}
	return slices.Sorted(maps.Keys(orphans)), nil
}

// SetUsage says what Usage returns for a prepared container.
func (f *Fake) SetUsage(id isolator.ID, u isolator.Usage) error {
	return f.with(id, func(k *fakeContainer) { k.usage = u })
}

// SetLimitation says what Explain returns for a prepared container.
func (f *Fake) SetLimitation(id isolator.ID, l *isolator.Limitation) error {
	return f.with(id, func(k *fakeContainer) { k.verdict = l })
}

// Containers returns the prepared containers, sorted.
func (f *Fake) Containers() []isolator.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.byID))
}

// Limits returns the limits of a prepared container.
func (f *Fake) Limits(id isolator.ID) (l isolator.Limits, err error) {
	err = f.with(id, func(k *fakeContainer) { l = k.limits })
	return l, err
}

// Calls returns every call so far as "Prepare id", in order.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

func (f *Fake) enter(call string, id isolator.ID) error {
	f.mu.Lock()
	f.log = append(f.log, call+" "+string(id))
	f.mu.Unlock()
	if f.Fail == nil {
		return nil
	}
	return f.Fail(call, id)
}

func (f *Fake) with(id isolator.ID, do func(*fakeContainer)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.byID[id]
	if !ok {
		return fmt.Errorf("container %q: %w", id, errs.NotFound)
	}
	do(k)
	return nil
}

func check(l isolator.Limits) error {
	for _, v := range []int64{l.CPURequestMilli, l.MemRequestBytes, l.CPULimitMilli, l.MemLimitBytes, l.PidsLimit} {
		if v < isolator.Unlimited {
			return fmt.Errorf("limit %d: %w", v, errs.Invalid)
		}
	}
	return nil
}
