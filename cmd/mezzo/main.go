// Command mezzo is the whole product in one binary: the daemons, and the
// user's commands.
//
//	mezzo master | agent | local          daemons
//	mezzo run | ps | top | logs | kill …  commands (package cli)
//	mezzo version | completion | help
//
// Called mesos-master, mesos-agent, mesos-slave or mesos-local, it is that
// daemon. A container's logger is this binary too (package
// containerizer/logger).
//
// Here is wiring and nothing else: flags become the narrow Config of each
// component, real dependencies are made and handed over, signals end contexts.
// Daemons log to stderr and keep stdout for --help and --version. Exit codes of
// daemons: 0 after a signal, 1 for anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mezzo/cli"
	"mezzo/internal/errs"
)

func main() {
	// Room for all that an impatient user may send before it is heeded.
	interrupts := make(chan os.Signal, 3)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGTERM)
	// Whoever reads what we write may go away: a write fails, and that is heeded
	// where it matters. Not ignored, which tasks would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p := process{args: os.Args, environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, interrupts: interrupts}
	if term.IsTerminal(int(os.Stdout.Fd())) {
		t := terminal{in: int(os.Stdin.Fd()), out: int(os.Stdout.Fd())}
		p.terminal = t
		if term.IsTerminal(t.in) {
			p.keyboard = t
		}
	}
	os.Exit(run(p))
}

// process is what the operating system gives to a program.
type process struct {
	args, environ  []string
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       cli.Terminal // stdout, if it is one
	keyboard       cli.Keyboard // stdin, if it and stdout are a terminal
	interrupts     <-chan os.Signal
}

// run is the whole program; it returns the exit code.
func run(p process) int {
	switch filepath.Base(p.args[0]) {
	case "mesos-master":
		return newMaster(p, "mesos-master").main(p.args[1:])
	case "mesos-agent", "mesos-slave":
		return newAgent(p, filepath.Base(p.args[0])).main(p.args[1:])
	case "mesos-local":
		return newLocal(p, "mesos-local").main(p.args[1:])
	}
	root := rootCommand(p)
	root.SetArgs(p.args[1:])
	err := root.ExecuteContext(context.Background())
	var exit *cli.ExitError
	switch {
	case err == nil:
		return 0
	case unread(err):
		return codeUnread
	case errors.As(err, &exit):
		if exit.Err != nil {
			fmt.Fprintf(p.stderr, "mezzo: %s\n", errs.Text(exit.Err))
		}
		return exit.Code
	}
	fmt.Fprintf(p.stderr, "mezzo: %s\n", errs.Text(err))
	return 1
}

const codeUnread = 141 // 128 + SIGPIPE, as shells say it

// unread tells that nobody reads our output any more, as after `mezzo ps |
// head`: nothing to complain of.
func unread(err error) bool {
	var file *fs.PathError // a connection's end is none
	return errors.As(err, &file) && errors.Is(file, syscall.EPIPE)
}

func rootCommand(p process) *cobra.Command {
	root := &cobra.Command{
		Use:   "mezzo",
		Short: "A cluster manager for containers",
		Long: `mezzo is a cluster manager for containers: a master that offers resources,
schedulers that decide, agents that run tasks held to what they were given.

Begin with ` + "`mezzo local`" + ` in one terminal and ` + "`mezzo run --image busybox -- echo hello`" + ` in another.`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(cli.FlagError)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetVersionTemplate("mezzo {{.Version}}\n")
	root.AddGroup(&cobra.Group{ID: "use", Title: "Tasks:"}, &cobra.Group{ID: "operate", Title: "Cluster:"}, &cobra.Group{ID: "daemon", Title: "Daemons:"})
	deps := cli.Deps{
		Stdout: p.stdout, Stderr: p.stderr, Stdin: p.stdin, Terminal: p.terminal, Keyboard: p.keyboard,
		Env: func(name string) string { return lookup(p.environ, name) },
		Now: time.Now,
		HTTP: &http.Client{Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: 5 * time.Second}).DialContext, // there may be another master to ask
			IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 4,
		}},
		Interrupts: p.interrupts,
	}
	for group, commands := range map[string][]*cobra.Command{"use": cli.TaskCommands(deps), "operate": cli.ClusterCommands(deps)} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	for _, c := range []*cobra.Command{logCommand(p), stateCommand(p)} {
		c.GroupID = "operate"
		root.AddCommand(c)
	}
	root.AddCommand(
		newMaster(p, "mezzo master").command("master", "Run a master"),
		newAgent(p, "mezzo agent").command("agent", "Run an agent"),
		newLocal(p, "mezzo local").command("local", "Run a master and agents in one process"),
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: cobra.NoArgs,
			Run: func(*cobra.Command, []string) { fmt.Fprintf(p.stdout, "mezzo %s\n", versionText()) },
		},
	)
	return root
}

// lookup finds a variable in an environment; the last of several counts.
func lookup(environ []string, name string) (value string) {
	for _, v := range environ {
		if len(v) > len(name) && v[len(name)] == '=' && v[:len(name)] == name {
			value = v[len(name)+1:]
		}
	}
	return value
}
