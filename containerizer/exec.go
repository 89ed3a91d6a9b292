package containerizer

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// ExecSpec is a further process for a container that runs. It joins what the
// first one has: namespaces, cgroup, capabilities, system calls; and its user,
// environment and directory, where nothing else is said.
type ExecSpec struct {
	// Command, by the rules of Spec; an image's own is not run again.
	Shell bool
	Value string
	Args  []string

	Env        []string // KEY=VALUE, over the container's
	User       string   // name or uid, with :group or :gid
	WorkingDir string
	TTY        *Window // size of the terminal that it gets; nil: none
}

// Window is the size of a terminal, in characters.
type Window struct{ Rows, Columns uint16 }

// Streams are a process's input and output. What is nil is not there: input
// ends at once, output is thrown away. With a terminal all output is Stdout's.
type Streams struct {
	Stdin          io.Reader // its Read must end before Close can
	Stdout, Stderr io.Writer
}

// Process is a further process in a container. Close must be called, once it is
// not needed any more.
type Process interface {
	// Wait returns the exit code, once the process has ended and what it wrote is
	// delivered. Unknown: its status was lost.
	Wait(ctx context.Context) (code int, unknown bool, err error)
	// Resize tells the process of another size of its terminal.
	Resize(ctx context.Context, w Window) error
	// Signal sends sig to the process; one that has ended is no error.
	Signal(ctx context.Context, sig syscall.Signal) error
	// Close ends the process, if it runs, and removes what was made for it.
	Close(ctx context.Context) error
}

// process is what an engine knows of a running ExecSpec.
type process interface {
	// wait returns its end, once all that it wrote is delivered.
	wait(ctx context.Context) (exit, error)
	resize(ctx context.Context, w Window) error
	signal(ctx context.Context, sig syscall.Signal) error
	// remove takes away what is left of it, and ends what is not. Repeatable.
	remove(ctx context.Context) error
}

// further is a Process that counts.
type further struct {
	p       process
	release func()
	once    sync.Once
}

// maxExecs is how many further processes a container may have at once.
const maxExecs = 64

// Exec starts a further process in a container.
//
// Errors: errs.NotFound if there is no such container, errs.Conflict if it does
// not run, errs.Exhausted if it has 64 of them already, errs.Invalid for what
// can't be run; of a command that is not there, a *CommandError.
func (c *Containerizer) Exec(ctx context.Context, id isolator.ID, s ExecSpec, io Streams) (Process, error) {
	x, err := c.exec(ctx, id, &s, io)
	if err != nil {
		return nil, fmt.Errorf("run a process in container %s: %w", id, err)
	}
	return x, nil
}

func (c *Containerizer) exec(ctx context.Context, id isolator.ID, s *ExecSpec, io Streams) (*further, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	rec, err := c.engine.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.state != running {
		return nil, fmt.Errorf("it does not run: %w", errs.Conflict)
	}
	release, err := c.execs.enter(id)
	if err != nil {
		return nil, err
	}
	p, err := c.engine.exec(ctx, rec, func(first *specs.Process) (*specs.Process, error) { return s.process(first, rec.pid) }, io)
	if err != nil {
		release()
		return nil, err
	}
	return &further{p: p, release: release}, nil
}

func (x *further) Wait(ctx context.Context) (code int, unknown bool, err error) {
	e, err := x.p.wait(ctx)
	return e.code, e.unknown, err
}

func (x *further) Resize(ctx context.Context, w Window) error {
	if err := w.validate(); err != nil {
		return err
	}
	return x.p.resize(ctx, w)
}

func (x *further) Signal(ctx context.Context, sig syscall.Signal) error { return x.p.signal(ctx, sig) }

func (x *further) Close(ctx context.Context) error {
	err := x.p.remove(ctx)
	x.once.Do(x.release)
	return err
}

func (w Window) validate() error {
	if w.Rows == 0 || w.Columns == 0 {
		return invalid("a terminal of %d rows and %d columns", w.Rows, w.Columns)
	}
	return nil
}

func (s *ExecSpec) validate() error {
	if s.Value == "" {
		return invalid("there is no command")
	}
	if s.TTY != nil {
		if err := s.TTY.validate(); err != nil {
			return err
		}
	}
	if s.WorkingDir != "" {
		if err := checkWorkingDir(s.WorkingDir); err != nil {
			return err
		}
	}
	return (&Spec{Value: s.Value, Args: s.Args, Env: s.Env, User: s.User}).validateCommand()
}

// process is the first process's description, with what s says.
func (s *ExecSpec) process(first *specs.Process, pid uint32) (*specs.Process, error) {
	p := *first
	p.Args = []string{s.Value}
	switch {
	case s.Shell:
		p.Args = []string{"/bin/sh", "-c", s.Value}
	case len(s.Args) > 0:
		p.Args = append(p.Args, s.Args[1:]...)
	}
	p.Env = over(first.Env, s.Env)
	if s.WorkingDir != "" {
		p.Cwd = path.Clean(s.WorkingDir)
	}
	if s.User != "" {
		who := superuser
		if needsLookup(s.User) {
			passwd, group, err := readAccounts(fmt.Sprintf("/proc/%d/root", pid))
			if err != nil {
				return nil, fmt.Errorf("read the container's accounts: %w", err)
			}
			if who, err = findAccount(s.User, passwd, group); err != nil {
				return nil, err
			}
		}
		p.User = who.User
	}
	p.Terminal, p.ConsoleSize = s.TTY != nil, nil
	if s.TTY != nil {
		p.ConsoleSize = &specs.Box{Height: uint(s.TTY.Rows), Width: uint(s.TTY.Columns)}
	}
	return &p, nil
}

// over is an environment with another's values over its own.
func over(env, more []string) []string {
	at := make(map[string]int)
	var out []string
	for _, kv := range append(env[:len(env):len(env)], more...) {
		key, _, _ := strings.Cut(kv, "=")
		if i, ok := at[key]; ok {
			out[i] = kv
			continue
		}
		at[key] = len(out)
		out = append(out, kv)
	}
	return out
}

// execs counts the further processes of containers. The zero value has none.
type execs struct {
	mu   sync.Mutex
	byID map[isolator.ID]int
}

func (e *execs) enter(id isolator.ID) (leave func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byID[id] >= maxExecs {
		return nil, fmt.Errorf("it has %d of them already: %w", maxExecs, errs.Exhausted)
	}
	if e.byID == nil {
		e.byID = make(map[isolator.ID]int)
	}
	e.byID[id]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.byID[id]--; e.byID[id] == 0 {
			delete(e.byID, id)
		}
	}, nil
}
