package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mezzo/internal/spell"
)

// Deps are the things the commands are given.
type Deps struct {
	Stdout, Stderr io.Writer
	Stdin          io.Reader
	Terminal       Terminal // Stdout, if it is one
	Keyboard       Keyboard // Stdin, if it and Stdout are a terminal
	Env            func(string) string
	Now            func() time.Time
	HTTP           *http.Client     // without an overall timeout
	Interrupts     <-chan os.Signal // SIGINT and SIGTERM
}

// Terminal is a screen that can be watched.
type Terminal interface {
	Size() (columns, rows int)
	// Watch sends each key that is pressed, and 0 when the size has changed, until
	// stop is called.
	Watch() (keys <-chan byte, stop func())
}

// Keyboard is a terminal whose keys can all go to another program.
type Keyboard interface {
	Size() (columns, rows int)
	// Raw lets every key through, Ctrl-C too, until restore is called.
	Raw() (restore func(), err error)
	// Resized tells when the size has changed, until stop is called.
	Resized() (changes <-chan struct{}, stop func())
}

// DefaultMaster is asked when neither --master nor MEZZO_MASTER names one.
const DefaultMaster = "127.0.0.1:5050"

// ExitError asks for an exit code. With Err nil nothing is left to say.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// TaskCommands returns the commands about tasks, to be hung below a root.
func TaskCommands(d Deps) []*cobra.Command {
	return []*cobra.Command{runCommand(d), mpirunCommand(d), psCommand(d), topCommand(d), logsCommand(d), attachCommand(d), execCommand(d), killCommand(d)}
}

// ClusterCommands returns the commands about agents, machines, frameworks and roles.
func ClusterCommands(d Deps) []*cobra.Command {
	return []*cobra.Command{
		agentsCommand(d), frameworksCommand(d), explainCommand(d), rolesCommand(d), quotaCommand(d), weightsCommand(d),
		maintenanceCommand(d), drainCommand(d),
	}
}

// options are the flags that every command has.
type options struct {
	master string
	output string
}

func (o *options) add(cmd *cobra.Command, d Deps) {
	master := d.Env("MEZZO_MASTER")
	if master == "" {
		master = DefaultMaster
	}
	cmd.Flags().StringVar(&o.master, "master", master, "the master's `host:port`, several separated by commas, or zk://host:port/path (env MEZZO_MASTER)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "output `format`: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("master", cobra.NoFileCompletions)
}

// FlagError tells where to read on about a flag that was not understood.
func FlagError(c *cobra.Command, err error) error {
	return fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())
}

// What arguments name, and what tells which there are.
const (
	aTask      = "TASK is given: `mezzo ps` lists them"
	anAgent    = "AGENT is given: `mezzo agents` lists them"
	aFramework = "FRAMEWORK is given: `mezzo frameworks` lists them"
	aRole      = "ROLE is given: `mezzo roles` lists them"
	aMachine   = "MACHINE is given: `mezzo maintenance status` lists them"
	aWeight    = "ROLE=WEIGHT is given: `mezzo weights ls` lists them"
)

// arguments wants at least and at most that many of what each is.
func arguments(each string, least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("no %s; usage: %s", each, c.UseLine())
		case len(args) > most:
			return fmt.Errorf("argument %q is too much; usage: %s", args[most], c.UseLine())
		}
		return nil
	}
}

// none wants no arguments. What may have been meant as the name of a command
// below this one gets a better answer.
func none(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !c.HasSubCommands() {
		return arguments("", 0, 0)(c, args)
	}
	var verbs []string
	for _, v := range c.Commands() {
		verbs = append(verbs, v.Name())
	}
	if guess := spell.Closest(args[0], verbs); guess != "" {
		return fmt.Errorf("no command `%s %s`; did you mean `%s %s`?", c.CommandPath(), args[0], c.CommandPath(), guess)
	}
	return fmt.Errorf("no command `%s %s`; there are %s: see `%s --help`", c.CommandPath(), args[0], strings.Join(verbs, ", "), c.CommandPath())
}

// family makes c nothing but the commands below it: alone it shows its help.
func family(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.Args = none
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.FParseErrWhitelist.UnknownFlags = true // those of a command below whose name is misspelt
	c.AddCommand(members...)
	return c
}

func (o *options) json() bool { return o.output == "json" }

func (o *options) check() error {
	if o.output != "table" && o.output != "json" {
		return fmt.Errorf("--output %q: want table or json", o.output)
	}
	return nil
}

// command builds a command with the common flags around run, whose context ends
// with the first interrupt.
func command(d Deps, cmd *cobra.Command, run func(ctx context.Context, op *operator, o *options, args []string) error) *cobra.Command {
	var o options
	o.add(cmd, d)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.check(); err != nil {
			return err
		}
		op, err := newOperator(o.master, d)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancelCause(cmd.Context())
		defer cancel(nil)
		go func() {
			select {
			case <-d.Interrupts:
				cancel(errInterrupted)
			case <-ctx.Done():
			}
		}()
		err = run(ctx, op, &o, args)
		if errors.Is(context.Cause(ctx), errInterrupted) {
			return &ExitError{Code: codeInterrupted}
		}
		return err
	}
	return cmd
}

const codeInterrupted = 130 // 128 + SIGINT, as shells say it

var errInterrupted = errors.New("interrupted")
