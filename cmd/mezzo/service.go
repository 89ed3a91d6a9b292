package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mezzo/cli"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
	"mezzo/internal/loglevel"
)

// service is the part of a command line that every daemon has.
type service struct {
	p     process
	name  string // "mezzo master"
	about string
	flags *flags.Set
	// run is the daemon itself; it returns when ctx ends.
	run func(ctx context.Context, log *slog.Logger) error

	level, format string
	loud          *loglevel.Level // of the log
	file          logFile
}

func newService(p process, name, about string) *service {
	s := &service{p: p, name: name, about: about, flags: flags.New(), level: "info", format: "text"}
	s.flags.Var("logging_level", "Least level that is logged: debug, info, warning or error.", s.setLevel, func() string { return s.level })
	s.flags.Var("log_format", "Form of the log on stderr: text or json.", s.setFormat, func() string { return s.format })
	s.flags.Path(&s.file.dir, "log_dir", "Directory in which the log is kept beside stderr: 5 files of 100 MB at most; /files/read shows it.")
	s.flags.Path(&s.file.external, "external_log_file", "File in which somebody else keeps what is logged; /files/read shows it.")
	return s
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "error": slog.LevelError}

func (s *service) setLevel(v string) error {
	v = strings.ToLower(v)
	if _, ok := levels[v]; !ok {
		return fmt.Errorf("want debug, info, warning or error: %w", errs.Invalid)
	}
	s.level = v
	return nil
}

func (s *service) setFormat(v string) error {
	if v != "text" && v != "json" {
		return fmt.Errorf("want text or json: %w", errs.Invalid)
	}
	s.format = v
	return nil
}

func (s *service) usage() string {
	return fmt.Sprintf("%s\n\nUsage: %s [--name=value]...\n\nEach flag can also be given as MESOS_<NAME> or MEZZO_<NAME> in the environment,\nand takes the content of a file as file:///path.\n\n  --help\n      Print this and exit.\n  --version\n      Print the version and exit.\n%s",
		s.about, s.name, s.flags.Usage())
}

// main runs the daemon with a command line and returns the exit code.
func (s *service) main(args []string) int {
	for _, a := range args {
		switch a {
		case "--help", "-help", "-h":
			fmt.Fprint(s.p.stdout, s.usage())
			return 0
		case "--version":
			fmt.Fprintf(s.p.stdout, "mezzo %s\n", versionText())
			return 0
		}
	}
	ignored, err := s.flags.Parse(args, s.p.environ)
	if err != nil {
		fmt.Fprintf(s.p.stderr, "%s: %s\nsee `%s --help`\n", s.name, text(err), s.name)
		return 1
	}
	log, err := s.logger()
	if err != nil {
		fmt.Fprintf(s.p.stderr, "%s: %s\n", s.name, text(err))
		return 1
	}
	if ignored = unexpected(ignored); len(ignored) > 0 {
		log.Warn("variables name no flag", "variables", ignored)
	}
	log.Info("starting", "program", s.name, "version", versionText(), "flags", s.flags.Values())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.heedSignals(ctx, cancel, log)
	err = s.run(ctx, log)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: end what listens there, or give another --port", err)
	}
	if err != nil {
		if s.format == "json" {
			log.Error("ended", "err", text(err))
		} else {
			fmt.Fprintf(s.p.stderr, "%s: %s\n", s.name, text(err))
		}
		return 1
	}
	log.Info("stopped")
	return 0
}

// heedSignals ends ctx at the first signal and the process at the second.
func (s *service) heedSignals(ctx context.Context, cancel context.CancelFunc, log *slog.Logger) {
	select {
	case sig := <-s.p.interrupts:
		log.Info("stopping; the same signal again ends everything at once", "signal", sig.String())
		cancel()
	case <-ctx.Done():
		return
	}
	<-s.p.interrupts
	os.Exit(1)
}

func (s *service) logger() (*slog.Logger, error) {
	s.loud = loglevel.New(levels[s.level])
	o := &slog.HandlerOptions{Level: s.loud}
	out, err := s.file.open(s.name, s.p.stderr)
	if err != nil {
		return nil, err
	}
	if s.format == "json" {
		return slog.New(slog.NewJSONHandler(out, o)), nil
	}
	return slog.New(slog.NewTextHandler(out, o)), nil
}

// logFile is the file that the log is in; empty: none.
func (s *service) logFile() string { return s.file.path(s.name) }

// command hangs the daemon below `mezzo`, its flags left to itself.
func (s *service) command(use, short string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, GroupID: "daemon", DisableFlagParsing: true}
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var all []cobra.Completion
		for _, name := range s.flags.Names() {
			all = append(all, "--"+name+"=")
		}
		return all, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	c.SetHelpFunc(func(*cobra.Command, []string) { fmt.Fprint(s.p.stdout, s.usage()) })
	c.RunE = func(_ *cobra.Command, args []string) error {
		if code := s.main(args); code != 0 {
			return &cli.ExitError{Code: code}
		}
		return nil
	}
	return c
}

// unexpected drops the variables that speak to somebody else: the user's
// commands, and libraries and tasks of Mesos.
func unexpected(names []string) []string {
	var out []string
	for _, n := range names {
		switch n {
		case "MEZZO_MASTER", "MESOS_NATIVE_JAVA_LIBRARY", "MESOS_NATIVE_LIBRARY":
		default:
			out = append(out, n)
		}
	}
	return out
}

// text is err for people, one problem a line, without classes.
func text(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		var lines []string
		for _, e := range joined.Unwrap() {
			lines = append(lines, errs.Text(e))
		}
		return strings.Join(lines, "\n  ")
	}
	return errs.Text(err)
}
