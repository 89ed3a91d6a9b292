package containerizer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// fakeEngine is an engine in memory. Processes run until they are killed or
// end is called.
type fakeEngine struct {
	fail   func(call string) error // asked at the start of each call; may block
	config ocispec.ImageConfig

	mu       sync.Mutex
	prepared map[isolator.ID]bool
	made     map[isolator.ID]*fakeContainer
	cut      map[isolator.ID]bool // starts that were cut short
}

type fakeContainer struct {
	creation
	state state
	exit  exit
	ended chan struct{} // closed with exit
}

// exec knows one command: "echo", which repeats its input.
func (e *fakeEngine) exec(_ context.Context, rec record, describe func(*specs.Process) (*specs.Process, error), s Streams) (process, error) {
	if err := e.fail("exec"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	first := e.made[rec.id].spec.Process
	e.mu.Unlock()
	p, err := describe(first)
	if err != nil {
		return nil, err
	}
	if s.Stdout != nil {
		_, err = fmt.Fprintln(s.Stdout, p.Args, p.Cwd, p.Env)
	}
	return fakeExec{}, err
}

type fakeExec struct{}

func (fakeExec) wait(context.Context) (exit, error)           { return exit{code: 3}, nil }
func (fakeExec) resize(context.Context, Window) error         { return nil }
func (fakeExec) signal(context.Context, syscall.Signal) error { return nil }
func (fakeExec) remove(context.Context) error                 { return nil }

var _ engine = (*fakeEngine)(nil)

func newFakeEngine() *fakeEngine {
	return &fakeEngine{
		fail:     func(string) error { return nil },
		prepared: make(map[isolator.ID]bool), made: make(map[isolator.ID]*fakeContainer),
	}
}

func (e *fakeEngine) image(ctx context.Context, ref string, _ images.Policy, _ func(images.Progress)) (images.Image, error) {
	if err := e.fail("image"); err != nil {
		return images.Image{}, err
	}
	return images.Image{Ref: ref, Digest: "sha256:1", Config: &e.config}, ctx.Err()
}

func (e *fakeEngine) prepare(_ context.Context, id isolator.ID, _ images.Image) (rootfs, error) {
	e.mu.Lock()
	e.prepared[id] = true
	e.mu.Unlock()
	return fakeRoot{e}, e.fail("prepare")
}

type fakeRoot struct{ *fakeEngine }

func (fakeRoot) root() *specs.Root { return &specs.Root{Path: "rootfs"} }

func (r fakeRoot) accounts(context.Context) (passwd, group []byte, err error) {
	return []byte("app:x:1000:1000::/home/app:/bin/sh\n"), nil, r.fail("accounts")
}

func (e *fakeEngine) create(_ context.Context, n creation) (uint32, error) {
	if err := e.fail("create"); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made[n.id] = &fakeContainer{creation: n, state: created, ended: make(chan struct{})}
	return 42, nil
}

func (e *fakeEngine) start(_ context.Context, id isolator.ID) error {
	if err := e.fail("start"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made[id].state = running
	return nil
}

func (e *fakeEngine) get(id isolator.ID) (*fakeContainer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.made[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("container %s: %w", id, errs.NotFound)
}

func (e *fakeEngine) wait(ctx context.Context, id isolator.ID) (exit, error) {
	c, err := e.get(id)
	if err != nil {
		return exit{}, err
	}
	select {
	case <-c.ended:
		return c.exit, e.fail("wait")
	case <-ctx.Done():
		return exit{}, ctx.Err()
	}
}

// end is the end of a process.
func (e *fakeEngine) end(id isolator.ID, x exit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.made[id]; c.state != stopped {
		c.state, c.exit = stopped, x
		close(c.ended)
	}
}

func (e *fakeEngine) startCut(id isolator.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cut[id]
}

func (e *fakeEngine) kill(_ context.Context, id isolator.ID, sig int) error {
	if _, err := e.get(id); err != nil {
		return err
	}
	e.end(id, exit{code: 128 + sig, at: time.Now()})
	return e.fail("kill")
}

func (e *fakeEngine) remove(_ context.Context, id isolator.ID) error {
	if err := e.fail("remove"); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.made, id)
	delete(e.prepared, id)
	return nil
}

func (e *fakeEngine) find(_ context.Context, id isolator.ID) (record, error) {
	if err := e.fail("find"); err != nil {
		return record{}, err
	}
	c, err := e.get(id)
	if err != nil {
		return record{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return record{id: id, labels: c.labels, state: c.state, pid: 42}, nil
}

func (e *fakeEngine) list(_ context.Context, owner string) ([]record, error) {
	if err := e.fail("list"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []record
	for _, id := range slices.Sorted(maps.Keys(e.prepared)) {
		c := e.made[id]
		if c == nil {
			all = append(all, record{id: id})
		} else if c.labels[labelOwner] == owner {
			all = append(all, record{id: id, labels: c.labels, state: c.state})
		}
	}
	return all, nil
}

func (e *fakeEngine) diskUsage(_ context.Context, id isolator.ID) (int64, error) {
	_, err := e.get(id)
	return 4096, err
}

func (e *fakeEngine) usage(_ context.Context, id isolator.ID) (isolator.Usage, error) {
	if _, err := e.get(id); err != nil {
		return isolator.Usage{}, err
	}
	return isolator.Usage{Pids: 7}, nil
}
