package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
)

// places are the paths of a private containerd.
type places struct {
	dir, config, root, log string // on disk
	run, socket, state     string // in memory
	runc                   string
}

// runDir has a directory for each private containerd of the machine.
const runDir = "/run/mezzo"

func newPlaces(dir string) places {
	dir = filepath.Clean(dir)
	sum := sha256.Sum256([]byte(dir))
	run := filepath.Join(runDir, hex.EncodeToString(sum[:6]))
	return places{
		dir:    dir,
		config: filepath.Join(dir, "config.toml"),
		root:   filepath.Join(dir, "root"),
		log:    filepath.Join(dir, "containerd.log"),
		run:    run,
		socket: filepath.Join(run, "containerd.sock"),
		state:  filepath.Join(run, "state"),
		runc:   filepath.Join(run, "runc"),
	}
}

// startTries is how often a private containerd is looked for and started. One
// that was found may be about to end, and one that an earlier agent started in its
// last moment may not listen yet, and keep a second one from its files.
const startTries = 3

// startOrFind connects to the private containerd of cfg.Dir, starting it if needed.
func startOrFind(ctx context.Context, cfg Config, p places, log *slog.Logger) (d *Daemon, err error) {
	for try := range startTries {
		if try > 0 {
			log.Warn("private containerd did not come up, once more", "err", err)
			pause(ctx, restartPause)
		}
		if d, err = startOrFindOnce(ctx, cfg, p, log); err == nil || ctx.Err() != nil || !errors.Is(err, errs.Unavailable) {
			break
		}
	}
	return d, err
}

func startOrFindOnce(ctx context.Context, cfg Config, p places, log *slog.Logger) (*Daemon, error) {
	var proc *process
	if probe(p.socket) != nil {
		var err error
		if proc, err = start(cfg.Binary, p); err != nil {
			return nil, err
		}
		log.Info("private containerd started", "pid", proc.cmd.Process.Pid, "dir", p.dir)
	}
	c, err := containerd.New(p.socket, containerd.WithDefaultNamespace(cfg.Namespace))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to containerd at %s: %w", p.socket, err), proc.kill())
	}
	d := &Daemon{
		client: c, address: p.socket, hidden: []string{runDir, p.dir, "/run/containerd"},
		runcRoot: p.runc, private: true, places: p, binary: cfg.Binary, proc: proc,
	}
	err = d.answerOrDie(ctx, p)
	if err == nil {
		err = d.preflight(ctx, log) // it may still end on the way
	}
	if err != nil {
		return nil, errors.Join(err, c.Close(), proc.kill())
	}
	return d, nil
}

// answerOrDie waits for the first answer, or for the end of the process.
func (d *Daemon) answerOrDie(ctx context.Context, p places) error {
	if d.proc == nil {
		return d.answerWhileItLives(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.proc.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := d.answer(ctx)
	select {
	case <-d.proc.done:
		return fmt.Errorf("private containerd ended at once (%v); its log %s ends with: %s: %w",
			d.proc.cmd.ProcessState, p.log, tail(p.log), errs.Unavailable)
	default:
		return err
	}
}

// answerWhileItLives waits for the answer of a containerd that was found.
func (d *Daemon) answerWhileItLives(ctx context.Context) error {
	fd, err := d.pidfd()
	if err != nil {
		return err
	}
	if fd < 0 {
		return fmt.Errorf("containerd at %s has just ended: %w", d.address, errs.Unavailable)
	}
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer unix.Close(fd)
		if awaitEnd(ctx, fd) == nil {
			cancel()
		}
	})
	err = d.answer(ctx)
	cancel()
	watch.Wait()
	return err
}

// process is a containerd that this process started and must reap.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and was reaped
}

func start(binary string, p places) (*process, error) {
	path, err := exec.LookPath(binary)
	if err != nil {
		return nil, fmt.Errorf("no containerd on this machine: %w: install it (Debian: apt install containerd runc) or name a running one's socket with --containerd: %w", err, errs.NotFound)
	}
	// What dir lies in is the agent's, whose tasks have to get through.
	err = os.MkdirAll(filepath.Dir(p.dir), 0o711)
	for _, dir := range []string{p.root, p.state, p.runc} {
		err = errors.Join(err, os.MkdirAll(dir, 0o700))
	}
	if err != nil {
		return nil, fmt.Errorf("private containerd: %w", err)
	}
	if err := os.WriteFile(p.config, []byte(p.toml()), 0o600); err != nil {
		return nil, fmt.Errorf("private containerd: %w", err)
	}
	logFile, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("private containerd: %w", err)
	}
	defer logFile.Close()

	args := append(scope(), path, "--config", p.config)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = logFile, logFile, "/"
	// Its shim lies beside it; another version's may come first in PATH.
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	proc := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(proc.done)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	return proc, nil
}

// scope is what comes before a command under systemd, where the cgroup of a
// service, and all that is in it, ends with the service: a scope of its own for
// containerd and its shims. Elsewhere nothing does. systemd-run becomes the
// command, with the same pid.
func scope() []string {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	return []string{
		"systemd-run", "--scope", "--quiet", "--collect", "--slice=mezzo.slice", "--description=mezzo's containerd",
		// Loggers end by themselves only; the machine's shutdown need not wait.
		"-p", "TasksMax=infinity", "-p", "TimeoutStopSec=10s", "--",
	}
}

// kill ends a process that never answered. A nil process is none.
func (p *process) kill() error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// toml is containerd's configuration, format 2: understood by 1.6 and by 2.x.
// Nothing of Kubernetes is loaded; a plugin that a version lacks is ignored.
func (p places) toml() string {
	return fmt.Sprintf(`# Written by mezzo at each start of its private containerd.
version = 2
root = %q
state = %q
oom_score = -900
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.podsandbox.controller.v1.podsandbox", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.restart", "io.containerd.monitor.v1.cgroups", "io.containerd.monitor.task.v1.cgroups",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
address = %q
[debug]
level = "warn" # a container makes 1.4 KB of "info", which nobody rotates
`, p.root, p.state, p.socket)
}

// Stop ends a private containerd and waits for it; its tasks' shims live on. One
// that an earlier process started is found by its socket. A containerd that is
// not ours is left alone.
func (d *Daemon) Stop(ctx context.Context) error {
	d.letGo()
	return d.end(ctx, unix.SIGTERM)
}

// Kill is Stop without a warning, as in a crash.
func (d *Daemon) Kill(ctx context.Context) error { return d.end(ctx, unix.SIGKILL) }

func (d *Daemon) end(ctx context.Context, sig unix.Signal) error {
	if !d.private {
		return nil
	}
	fd, err := d.pidfd()
	if fd < 0 || err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end private containerd: %w", err)
	}
	return awaitEnd(ctx, fd)
}

// pidfd is the process that listens on our socket; negative: there is none.
func (d *Daemon) pidfd() (int, error) {
	pid, err := owner(d.address)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("find private containerd: %w", err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("find private containerd, pid %d: %w", pid, err)
	}
	return fd, nil
}

// restartPause is how often a containerd that ends is started again at most.
const restartPause = time.Second

// keep starts a private containerd again whenever it ends, until ctx ends. Tasks
// do not notice.
func (d *Daemon) keep(ctx context.Context, log *slog.Logger) {
	for ctx.Err() == nil {
		if err := d.keepOnce(ctx, log); err != nil && ctx.Err() == nil {
			log.Error("private containerd cannot be kept running", "err", err)
		}
		pause(ctx, restartPause)
	}
}

// keepOnce returns when the containerd that runs, or the one it starts, has
// ended.
func (d *Daemon) keepOnce(ctx context.Context, log *slog.Logger) error {
	fd, err := d.pidfd()
	if err != nil {
		return err
	}
	if fd >= 0 {
		defer unix.Close(fd)
		return awaitEnd(ctx, fd)
	}
	log.Error("private containerd has ended, starting it again", "dir", d.places.dir)
	proc, err := start(d.binary, d.places)
	if err != nil {
		return err
	}
	select {
	case <-proc.done:
		return fmt.Errorf("it ended (%v); its log %s ends with: %s", proc.cmd.ProcessState, d.places.log, tail(d.places.log))
	case <-ctx.Done():
		return nil
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// owner is the process that listens on a unix socket.
func owner(socket string) (int, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return int(cred.Pid), nil
}

// awaitEnd waits until the process of a pidfd has ended.
func awaitEnd(ctx context.Context, fd int) error {
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 200)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("await the end of containerd: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("await the end of containerd: %w", ctx.Err())
}

// tail is the end of a log, for an error message.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 600
	if st, err := f.Stat(); err == nil && st.Size() > most {
		f.Seek(-most, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	return strings.TrimSpace(string(b))
}
