// Package mpich lets MPI programs run on a cluster by the mpiexec of MPICH, whose
// manual launcher says what has to be started on each host, for a framework to start
// it there.
//
// Source: MPICH's hydra, `mpiexec.hydra -launcher manual`.
package mpich

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"mezzo/internal/errs"
)

// Config is one run of a program.
type Config struct {
	Mpiexec string   // mpiexec.hydra in PATH when empty
	Ranks   []int    // of each host
	Address string   // by which the hosts reach this machine; its name when empty
	WorkDir string   // on the hosts; that of this process when empty
	Program []string // and its arguments; looked for on the hosts

	Stdout, Stderr io.Writer // of all ranks, whose stdin is empty; nil: nowhere
}

// Job is an mpiexec that runs.
type Job struct {
	// Commands are for a shell on each of the hosts, in the order of Config.Ranks. Each
	// ends when the job does.
	Commands []string

	cmd    *exec.Cmd
	copied sync.WaitGroup
	unsaid error // why output did not come through
}

// maxLine bounds what mpiexec may say in one line before the ranks are launched.
const maxLine = 64 << 10

// Start starts mpiexec, and returns when it has said what is to be started. When ctx
// ends it is killed, and the ranks with it.
//
// Errors: errs.NotFound if there is no mpiexec, errs.Invalid for a Config that makes
// no sense, errs.Unavailable if it does not do what is expected.
func Start(ctx context.Context, cfg Config) (*Job, error) {
	args, err := cfg.arguments()
	if err != nil {
		return nil, err
	}
	name := cfg.Mpiexec
	if name == "" {
		name = "mpiexec.hydra"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w (Debian: apt install mpich)", name, err, errs.NotFound)
	}
	j := &Job{cmd: exec.CommandContext(ctx, path, args...)}
	j.cmd.Stderr = cfg.Stderr
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start mpiexec: %w", err)
	}
	if err := j.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start mpiexec: %w", err)
	}
	r := bufio.NewReaderSize(out, maxLine)
	if j.Commands, err = readCommands(r); err == nil && len(j.Commands) != len(cfg.Ranks) {
		err = fmt.Errorf("%d commands for %d hosts: %w", len(j.Commands), len(cfg.Ranks), errs.Unavailable)
	}
	if err != nil {
		_ = j.cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, r)
		return nil, errors.Join(fmt.Errorf("mpiexec: %w", err), j.cmd.Wait())
	}
	to := cfg.Stdout
	if to == nil {
		to = io.Discard
	}
	j.copied.Go(func() {
		if _, j.unsaid = io.Copy(to, r); j.unsaid != nil {
			_, _ = io.Copy(io.Discard, r) // or it waits for ever
		}
	})
	return j, nil
}

// Wait returns the exit code of mpiexec, which is the program's. It must be called
// once.
//
// Errors: mpiexec was killed, or its output could not be passed on.
func (j *Job) Wait() (code int, err error) {
	j.copied.Wait()
	err = j.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	if err != nil {
		return 0, fmt.Errorf("mpiexec: %w", err)
	}
	return j.cmd.ProcessState.ExitCode(), j.unsaid
}

// arguments are those of mpiexec.
func (c *Config) arguments() ([]string, error) {
	if len(c.Ranks) == 0 || len(c.Program) == 0 {
		return nil, fmt.Errorf("no hosts, or no program: %w", errs.Invalid)
	}
	total, hosts := 0, make([]string, len(c.Ranks))
	for i, n := range c.Ranks {
		if n < 1 {
			return nil, fmt.Errorf("%d ranks for a host: %w", n, errs.Invalid)
		}
		total += n
		hosts[i] = fmt.Sprintf("host-%d:%d", i, n) // a label: nobody looks it up
	}
	args := []string{"-launcher", "manual", "-disable-hostname-propagation", "-hosts", strings.Join(hosts, ","), "-n", strconv.Itoa(total)}
	if c.Address != "" {
		args = append(args, "-localhost", c.Address)
	}
	if c.WorkDir != "" {
		args = append(args, "-wdir", c.WorkDir)
	}
	if strings.HasPrefix(c.Program[0], "-") {
		return nil, fmt.Errorf("program %q: %w", c.Program[0], errs.Invalid)
	}
	return append(args, c.Program...), nil
}

const (
	launchLine = "HYDRA_LAUNCH: "
	lastLine   = "HYDRA_LAUNCH_END"
)

// readCommands reads what mpiexec says at first.
func readCommands(r *bufio.Reader) (commands []string, err error) {
	for {
		line, err := r.ReadSlice('\n')
		text := strings.TrimSpace(string(line))
		if command, ok := strings.CutPrefix(text, launchLine); ok && err == nil {
			commands = append(commands, command)
			continue
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("it ended before it said what to start: %q, %w: %w", text, err, errs.Unavailable)
		case text == lastLine:
			return commands, nil
		default:
			return nil, fmt.Errorf("it said %q: %w", text, errs.Unavailable)
		}
	}
}
