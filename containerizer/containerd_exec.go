package containerizer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/typeurl/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/internal/errs"
	"mezzo/isolator"
)

// containerdProcess is a further process in a container, by containerd.
type containerdProcess struct {
	e         *containerdEngine
	container isolator.ID
	id        string
	io        cio.IO
	dir       string        // of its pipes
	started   chan struct{} // closed once it runs
	removing  sync.Mutex
	removed   bool
	removal   chan struct{} // closed with removed
}

var _ process = (*containerdProcess)(nil)

// execDir is where pipes of further processes are. They are of no use to the
// next run of the agent, which removes them.
func (e *containerdEngine) execDir() string { return filepath.Join(e.cfg.StateDir, "exec") }

func (e *containerdEngine) exec(ctx context.Context, rec record, describe func(*specs.Process) (*specs.Process, error), streams Streams) (process, error) {
	ctx = e.context(ctx)
	spec, err := e.description(ctx, rec.id)
	if err != nil {
		return nil, err
	}
	described, err := describe(spec.Process)
	if err != nil {
		return nil, err
	}
	any, err := typeurl.MarshalAny(described)
	if err != nil {
		return nil, fmt.Errorf("encode process: %w", err)
	}
	p := &containerdProcess{e: e, container: rec.id, id: newExecID(), started: make(chan struct{}), removal: make(chan struct{})}
	if err := p.open(streams, described.Terminal); err != nil {
		return nil, errors.Join(err, p.remove(ctx))
	}
	c := p.io.Config()
	_, err = e.client.TaskService().Exec(ctx, &tasks.ExecProcessRequest{
		ContainerID: string(rec.id), ExecID: p.id, Spec: typeurl.MarshalProto(any),
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Terminal: c.Terminal,
	})
	if err == nil {
		_, err = e.client.TaskService().Start(ctx, &tasks.StartRequest{ContainerID: string(rec.id), ExecID: p.id})
	}
	if err != nil {
		return nil, errors.Join(explainRuntime(errgrpc.ToNative(err), described.Args[0]), p.remove(ctx))
	}
	close(p.started)
	if described.ConsoleSize != nil {
		// The runtime forgets the size that it was told before.
		w := Window{uint16(described.ConsoleSize.Height), uint16(described.ConsoleSize.Width)}
		if err := p.resize(ctx, w); err != nil && !errors.Is(err, errs.NotFound) {
			return nil, errors.Join(err, p.remove(ctx))
		}
	}
	return p, nil
}

// description is the OCI spec that a container was made from.
func (e *containerdEngine) description(ctx context.Context, id isolator.ID) (*specs.Spec, error) {
	c, err := e.client.ContainerService().Get(ctx, string(id))
	if err != nil {
		return nil, classify(err)
	}
	v, err := typeurl.UnmarshalAny(c.Spec)
	if err != nil {
		return nil, fmt.Errorf("decode spec: %w", err)
	}
	spec, ok := v.(*specs.Spec)
	if !ok || spec.Process == nil {
		return nil, fmt.Errorf("its spec is a %T without a process: %w", v, errs.Corrupt)
	}
	return spec, nil
}

func newExecID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (package crypto/rand)
	return "exec-" + hex.EncodeToString(b[:])
}

// closeTimeout bounds how long the end of the input is told to a containerd that
// is away.
const closeTimeout = 10 * time.Second

// open makes the pipes and begins to copy.
func (p *containerdProcess) open(s Streams, terminal bool) (err error) {
	if err := os.MkdirAll(p.e.execDir(), 0o700); err != nil {
		return err
	}
	if p.dir, err = os.MkdirTemp(p.e.execDir(), ""); err != nil {
		return err
	}
	in, out, errOut := s.Stdin, s.Stdout, s.Stderr
	if in == nil {
		in = noInput{}
	}
	if out == nil {
		out = io.Discard
	}
	if errOut == nil || terminal {
		errOut = io.Discard
	}
	opts := []cio.Opt{cio.WithStreams(&closingReader{in, p.closeInput}, out, errOut), cio.WithFIFODir(p.dir)}
	if terminal {
		opts = append(opts, cio.WithTerminal)
	}
	p.io, err = cio.NewCreator(opts...)(p.id)
	if err != nil {
		return fmt.Errorf("open pipes: %w", err)
	}
	return nil
}

type noInput struct{}

func (noInput) Read([]byte) (int, error) { return 0, io.EOF }

// closingReader tells the end of the input, which a pipe that the shim holds open
// for itself doesn't.
type closingReader struct {
	io.Reader
	ended func()
}

func (r *closingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && r.ended != nil {
		go r.ended() // it waits for the process to have started
		r.ended = nil
	}
	return n, err
}

// closeInput waits for the process to run: of one that doesn't yet, the shim takes
// the end of the input for done and forgets it.
func (p *containerdProcess) closeInput() {
	select {
	case <-p.started:
	case <-p.removal:
		return
	}
	ctx, cancel := context.WithTimeout(p.e.context(context.Background()), closeTimeout)
	defer cancel()
	for {
		_, err := p.e.client.TaskService().CloseIO(ctx, &tasks.CloseIORequest{ContainerID: string(p.container), ExecID: p.id, Stdin: true})
		if err == nil {
			return
		}
		select {
		case <-p.removal:
			return
		case <-ctx.Done():
			return
		case <-time.After(retryMin):
		}
	}
}

func (p *containerdProcess) wait(ctx context.Context) (exit, error) {
	r, err := p.e.client.TaskService().Wait(p.e.context(ctx), &tasks.WaitRequest{ContainerID: string(p.container), ExecID: p.id})
	if ctx.Err() != nil {
		return exit{}, ctx.Err()
	}
	x := exit{at: time.Now(), unknown: true}
	if err == nil { // else the shim, or containerd, is gone and the status with it
		x = exit{code: int(r.ExitStatus), at: r.ExitedAt.AsTime()}
	}
	// What left the process may still hold its output open.
	done := make(chan struct{})
	go func() {
		p.io.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainTimeout):
		p.io.Cancel()
	case <-ctx.Done():
		return exit{}, ctx.Err()
	}
	return x, nil
}

func (p *containerdProcess) resize(ctx context.Context, w Window) error {
	_, err := p.e.client.TaskService().ResizePty(p.e.context(ctx), &tasks.ResizePtyRequest{
		ContainerID: string(p.container), ExecID: p.id, Width: uint32(w.Columns), Height: uint32(w.Rows),
	})
	if err != nil {
		return fmt.Errorf("resize terminal: %w", classify(errgrpc.ToNative(err)))
	}
	return nil
}

func (p *containerdProcess) signal(ctx context.Context, sig syscall.Signal) error {
	_, err := p.e.client.TaskService().Kill(p.e.context(ctx), &tasks.KillRequest{ContainerID: string(p.container), ExecID: p.id, Signal: uint32(sig)})
	if err := classify(errgrpc.ToNative(err)); err != nil && !errors.Is(err, errs.NotFound) {
		return fmt.Errorf("send signal %v: %w", sig, err)
	}
	return nil
}

func (p *containerdProcess) remove(ctx context.Context) error {
	p.removing.Lock()
	defer p.removing.Unlock()
	if p.removed {
		return nil
	}
	ctx, cancel := context.WithTimeout(p.e.context(context.WithoutCancel(ctx)), removeTimeout)
	defer cancel()
	err := p.signal(ctx, syscall.SIGKILL)
	if err == nil || errors.Is(err, errs.Conflict) { // it was never started
		err = p.deleteProcess(ctx)
	}
	if p.io != nil {
		p.io.Cancel()
		err = errors.Join(err, p.io.Close())
	}
	p.removed = true
	close(p.removal)
	if p.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// removeTimeout bounds the removal of a process as a whole.
const removeTimeout = 20 * time.Second

// deleteTry bounds one request to delete a process. The shim waits so long, up to
// 10 s (containerd 2.4) of its own, for who still holds the output open; then it
// deletes all the same, which the next try finds done.
const deleteTry = time.Second

// deleteProcess waits for the end that was asked for. The shim refuses to delete
// what still runs by an error without a code, as it tells an expired try: but for
// a containerd that is away, all are tried again.
func (p *containerdProcess) deleteProcess(ctx context.Context) error {
	for {
		try, cancel := context.WithTimeout(ctx, deleteTry)
		_, err := p.e.client.TaskService().DeleteProcess(try, &tasks.DeleteProcessRequest{ContainerID: string(p.container), ExecID: p.id})
		cancel()
		err = present(errgrpc.ToNative(err))
		if err == nil || errors.Is(err, errs.Unavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("delete process: %w", err)
		case <-time.After(retryMin):
		}
	}
}
