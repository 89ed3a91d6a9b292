package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
)

const execLong = `Run a command in the container of a task that runs, beside the task: with its
files, network, user and limits.

The exit code is the command's; 127 and 126 if it is not there or cannot be run,
125 if it could not be run at all. Ctrl-C goes to the command, a second Ctrl-C
ends it. With -it the command gets a terminal, and all keys.

TASK is an id, the beginning of an id, or a name.`

const execExample = `  mezzo exec web -- cat /etc/hosts
  mezzo exec -it web sh
  mezzo exec -i web -- tar xf - < files.tar`

func execCommand(d Deps) *cobra.Command {
	var interactive, tty bool
	var user string
	var env []string
	cmd := &cobra.Command{
		Use:               "exec [-it] TASK [--] COMMAND [ARG]...",
		Short:             "Run a command in the container of a task",
		Long:              execLong,
		Example:           execExample,
		Args:              arguments(aTask, 1, math.MaxInt),
		ValidArgsFunction: completeArguments(d, 1, taskIDs(false)),
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the command is the command's
	f.BoolVarP(&interactive, "stdin", "i", false, "give the command this stdin")
	f.BoolVarP(&tty, "tty", "t", false, "give the command a terminal")
	f.StringVar(&user, "user", "", "user to run as, `name or uid[:gid]`; the task's unless given")
	f.StringArrayVarP(&env, "env", "e", nil, "`KEY=VALUE` for the environment; KEY alone takes the value from here; may be repeated")
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &ExitError{Code: codeNotRun, Err: FlagError(c, err)} })
	// Not by command: interrupts are the session's.
	var o options
	o.add(cmd, d)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		op, err := newOperator(o.master, d)
		if err != nil {
			return &ExitError{codeNotRun, err}
		}
		if len(args) > 1 && args[1] == "--" {
			args = append(args[:1:1], args[2:]...)
		}
		if len(args) < 2 {
			return &ExitError{codeNotRun, fmt.Errorf("no COMMAND is given; usage: %s", cmd.UseLine())}
		}
		variables, err := (&taskSpec{env: env}).environment(d.Env)
		if err != nil {
			return &ExitError{codeNotRun, err}
		}
		c := &v1.CommandInfo{Shell: proto.Bool(false), Value: &args[1], Arguments: args[1:], Environment: variables}
		if user != "" {
			c.User = &user
		}
		code, err := runBeside(cmd.Context(), d, op, args[0], c, interactive, tty)
		if err != nil {
			return &ExitError{codeNotRun, err}
		}
		if code != 0 {
			return &ExitError{Code: code}
		}
		return nil
	}
	return cmd
}

// beside finds the container of a task that runs, and its agent.
func beside(ctx context.Context, d Deps, op *operator, ref string) (*agentCalls, *v1.ContainerID, error) {
	t, _, err := loadTasks(ctx, op)
	if err != nil {
		return nil, nil, err
	}
	x, err := t.find(ref, false)
	if err != nil {
		return nil, nil, err
	}
	a, ok := t.agents[x.GetAgentId().GetValue()]
	if !ok || agentAddress(a) == "" {
		return nil, nil, fmt.Errorf("task %s: its agent %s is not registered", x.GetTaskId().GetValue(), x.GetAgentId().GetValue())
	}
	for i := len(x.GetStatuses()) - 1; i >= 0; i-- {
		if id := x.GetStatuses()[i].GetContainerStatus().GetContainerId(); id != nil {
			return &agentCalls{http: d.HTTP, addr: agentAddress(a)}, id, nil
		}
	}
	return nil, nil, fmt.Errorf("task %s has no container yet: it is %s", x.GetTaskId().GetValue(), x.GetState())
}

// runBeside runs a command in a task's container and returns its exit code.
func runBeside(ctx context.Context, d Deps, op *operator, ref string, c *v1.CommandInfo, interactive, tty bool) (int, error) {
	calls, parent, err := beside(ctx, d, op, ref)
	if err != nil {
		return 0, err
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	id := &v1.ContainerID{Value: proto.String(hex.EncodeToString(b[:])), Parent: parent}
	launch := &agent.Call_LaunchNestedContainerSession{ContainerId: id, Command: c}
	var keyboard Keyboard
	if tty {
		if keyboard = d.Keyboard; keyboard == nil {
			return 0, errors.New("-t: this is no terminal; leave it out")
		}
		columns, rows := keyboard.Size()
		launch.Container = &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), TtyInfo: ttyInfo(columns, rows)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &besides{d: d, calls: calls, id: id, cancel: cancel, stop: make(chan struct{})}
	defer s.end()
	err = calls.stream(ctx, &agent.Call{Type: agent.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(), LaunchNestedContainerSession: launch},
		d.Stdout, d.Stderr, func() { s.begin(ctx, interactive, keyboard) })
	if code, told := notRun(err); told {
		fmt.Fprintf(d.Stderr, "mezzo: %v\n", err)
		return code, nil
	}
	if err != nil {
		return 0, err
	}
	return calls.wait(ctx, id)
}

// notRun is the exit code by which a shell says that a command can't be run.
func notRun(err error) (code int, told bool) {
	var status *statusError
	if !errors.As(err, &status) {
		return 0, false
	}
	switch {
	case status.status == http.StatusNotFound && strings.Contains(status.message, "is not in the container"):
		return 127, true
	case status.status == http.StatusBadRequest && strings.Contains(status.message, "cannot be run"):
		return 126, true
	}
	return 0, false
}

// besides is a session with what feeds it.
type besides struct {
	d      Deps
	calls  *agentCalls
	id     *v1.ContainerID
	cancel context.CancelFunc
	stop   chan struct{}
	undo   []func()
}

func (s *besides) end() {
	close(s.stop)
	for _, f := range s.undo {
		f()
	}
}

// begin connects the keyboard, or stdin, and signals.
func (s *besides) begin(ctx context.Context, interactive bool, keyboard Keyboard) {
	go s.interrupts(ctx)
	in, err := s.calls.attachInput(ctx, s.id, func(error) {})
	if err != nil {
		return // it ended meanwhile
	}
	if keyboard != nil {
		restore, err := keyboard.Raw()
		if err == nil {
			s.undo = append(s.undo, restore)
		}
		resized, stop := keyboard.Resized()
		s.undo = append(s.undo, stop)
		go func() {
			for range resized {
				if columns, rows := keyboard.Size(); in.resize(columns, rows) != nil {
					return
				}
			}
		}()
	}
	switch {
	case interactive && s.d.Stdin != nil:
		go s.copy(in)
	case keyboard == nil:
		in.end()
	}
}

// copy feeds stdin until it ends; then so does the command's. A read of a
// terminal can't be called off: it ends with the process.
func (s *besides) copy(in *input) {
	buf := make([]byte, 32<<10)
	for {
		n, err := s.d.Stdin.Read(buf)
		if n > 0 {
			if _, err := in.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			in.end()
			return
		}
	}
}

// interrupts passes the first on, and ends the session at the second.
func (s *besides) interrupts(ctx context.Context) {
	for n := 0; ; n++ {
		select {
		case <-s.d.Interrupts:
		case <-s.stop:
			return
		}
		if n > 0 {
			s.cancel()
			return
		}
		if err := s.calls.signal(ctx, s.id, int32(syscall.SIGINT)); err != nil {
			s.cancel()
			return
		}
	}
}

func attachCommand(d Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "attach TASK",
		Short:             "Print what a task writes from now on, until it ends",
		Long:              "Print what a task writes from now on, stdout to stdout and stderr to stderr, until it ends. For what it wrote before see mezzo logs.\n\nTASK is an id, the beginning of an id, or a name.",
		Args:              arguments(aTask, 1, 1),
		ValidArgsFunction: completeArguments(d, 1, taskIDs(false)),
	}
	return command(d, cmd, func(ctx context.Context, op *operator, _ *options, args []string) error {
		calls, id, err := beside(ctx, d, op, args[0])
		if err != nil {
			return err
		}
		return calls.stream(ctx, &agent.Call{
			Type: agent.Call_ATTACH_CONTAINER_OUTPUT.Enum(), AttachContainerOutput: &agent.Call_AttachContainerOutput{ContainerId: id},
		}, d.Stdout, d.Stderr, nil)
	})
}
