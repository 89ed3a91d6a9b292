package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mezzo/cli"
	"mezzo/election"
	"mezzo/internal/errs"
	"mezzo/replog"
	"mezzo/replog/paxos"
)

// logOptions say which log is meant: of masters that run, or of a directory at
// rest.
type logOptions struct {
	p       process
	masters string
	dir     string
	output  string
}

func (o *logOptions) add(c *cobra.Command, live, rest bool) {
	if live {
		c.Flags().StringVar(&o.masters, "master", "", "masters to ask, as \"host:port,host:port\"; MEZZO_MASTER or "+cli.DefaultMaster+" unless given")
	}
	if rest {
		c.Flags().StringVar(&o.dir, "dir", "", "directory of a replica that does not run: the master's work_dir, or log in it")
	}
	c.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
}

func (o *logOptions) json() (bool, error) {
	switch o.output {
	case "table", "json":
		return o.output == "json", nil
	}
	return false, fmt.Errorf("--output=%s: want table or json: %w", o.output, errs.Invalid)
}

// source is the log that is meant.
func (o *logOptions) source() (logSource, error) {
	if o.dir != "" {
		if o.masters != "" {
			return nil, fmt.Errorf("--dir and --master are two logs: %w", errs.Invalid)
		}
		return restingLog{logDir(o.dir)}, nil
	}
	list := o.masters
	for _, other := range []string{lookup(o.p.environ, "MEZZO_MASTER"), cli.DefaultMaster} {
		if list == "" {
			list = other
		}
	}
	addrs, err := election.ParseList(list)
	if err != nil {
		return nil, fmt.Errorf("--master=%s: %w", list, err)
	}
	return runningLog{addrs}, nil
}

// logSource is where entries are read from, in order. Those at or above chosen
// are not known to be.
type logSource interface {
	read(ctx context.Context, from, to uint64, visit func(e paxos.Entry, chosen bool) error) error
	status(ctx context.Context) ([]replicaStatus, error)
}

// replicaStatus is what is shown of one replica.
type replicaStatus struct {
	Addr     string   `json:"addr"`
	Role     string   `json:"role"`
	Ensemble string   `json:"ensemble,omitempty"`
	Member   string   `json:"member,omitempty"`
	Begin    uint64   `json:"begin"`
	End      uint64   `json:"end"`
	Promised uint64   `json:"promised"`
	Bytes    int64    `json:"disk_bytes"`
	Voters   []string `json:"voters,omitempty"`
	Learners []string `json:"learners,omitempty"`
	Quorum   int      `json:"quorum,omitempty"`
	Problem  string   `json:"problem,omitempty"`
}

func logCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "Look after the replicated log of the masters",
		Long: `The masters keep what must not be lost in a log, each in its work_dir. It is
looked at through masters that run (--master) or in a directory at rest (--dir).`,
	}
	c.AddCommand(logStatus(p), logRead(p), logVerify(p), logDump(p), logInitialize(p), logMember(p, true), logMember(p, false))
	return c
}

func logStatus(p process) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "status", Short: "Show how each replica is, and who leads", Args: cobra.NoArgs,
		Example: "  mezzo log status --master=h1:5050,h2:5050,h3:5050\n  mezzo log status --dir=/var/lib/mezzo/master",
		RunE: func(c *cobra.Command, _ []string) error {
			asJSON, err := o.json()
			if err != nil {
				return err
			}
			source, err := o.source()
			if err != nil {
				return err
			}
			all, err := source.status(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, all)
			}
			return printStatus(p.stdout, all)
		},
	}
	o.add(c, true, true)
	return c
}

func printStatus(out io.Writer, all []replicaStatus) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ADDR\tROLE\tMEMBER\tBEGIN\tEND\tDISK\tPROBLEM")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", s.Addr, s.Role, dash(shorten(s.Member)), s.Begin, s.End, bytesText(s.Bytes), dash(s.Problem))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range all {
		if len(s.Voters) > 0 {
			_, err := fmt.Fprintf(out, "\nensemble %s: %d of %s decide\n", s.Ensemble, s.Quorum, strings.Join(s.Voters, ", "))
			if err == nil && len(s.Learners) > 0 {
				_, err = fmt.Fprintf(out, "without a vote: %s\n", strings.Join(s.Learners, ", "))
			}
			return err
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func shorten(id string) string { return id[:min(len(id), 12)] }

func bytesText(n int64) string {
	const unit = 1 << 20
	return strconv.FormatFloat(float64(n)/unit, 'f', 1, 64) + " MiB"
}

func logRead(p process) *cobra.Command {
	o := &logOptions{p: p}
	var from, to uint64
	c := &cobra.Command{
		Use: "read", Short: "Print the entries of the log", Args: cobra.NoArgs,
		Example: "  mezzo log read --from=100 --to=200",
		RunE: func(c *cobra.Command, _ []string) error {
			asJSON, err := o.json()
			if err != nil {
				return err
			}
			source, err := o.source()
			if err != nil {
				return err
			}
			return source.read(c.Context(), from, to, func(e paxos.Entry, chosen bool) error {
				v := viewEntry(e, chosen)
				if asJSON {
					return json.NewEncoder(p.stdout).Encode(v)
				}
				_, err := fmt.Fprintln(p.stdout, v)
				return err
			})
		},
	}
	o.add(c, true, true)
	c.Flags().Uint64Var(&from, "from", 0, "first position")
	c.Flags().Uint64Var(&to, "to", 0, "position behind the last; 0: to the end")
	return c
}

// logMember is add or remove.
func logMember(p process, add bool) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "remove ADDR", Short: "Take the vote of a replica that will not come back", Args: cobra.ExactArgs(1),
		Example: "  mezzo log remove h3:5050 --master=h1:5050,h2:5050",
	}
	if add {
		c.Use, c.Short = "add ADDR", "Let a replica vote that runs and has caught up"
		c.Long = "Replicas that stand in the leader's --masters get their vote by themselves."
		c.Example = "  mezzo log add h3:5050 --master=h1:5050,h2:5050"
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		source, err := o.source()
		if err != nil {
			return err
		}
		addrs, err := election.ParseList(args[0])
		if err != nil || len(addrs) != 1 {
			return errors.Join(fmt.Errorf("address %q: want host:port: %w", args[0], errs.Invalid), err)
		}
		ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
		defer cancel()
		return source.(runningLog).change(ctx, addrs[0], add)
	}
	o.add(c, true, false)
	return c
}

func logVerify(p process) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "verify", Short: "Read a directory at rest and check every sum in it", Args: cobra.NoArgs,
		Example: "  mezzo log verify --dir=/var/lib/mezzo/master",
		RunE: func(*cobra.Command, []string) error {
			r, err := replog.Verify(logDir(o.dir))
			if err != nil {
				return err
			}
			for _, s := range r.Segments {
				if s.Torn > 0 {
					fmt.Fprintf(p.stdout, "%s: %d bytes from %d on are what a crash left unfinished; the next start cuts them\n", s.File, s.Torn, s.End)
				}
			}
			_, err = fmt.Fprintf(p.stdout, "sound: %d positions from %d to %d in %d segments\n", r.Positions, r.First, r.Last, len(r.Segments))
			return err
		},
	}
	o.add(c, false, true)
	_ = c.MarkFlagRequired("dir")
	return c
}

func logDump(p process) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "dump", Short: "Print every record of a directory at rest, superseded or not", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var unwritten error
			err := replog.Dump(logDir(o.dir), func(line string) {
				if unwritten == nil {
					_, unwritten = fmt.Fprintln(p.stdout, line)
				}
			})
			return errors.Join(err, unwritten)
		},
	}
	o.add(c, false, true)
	_ = c.MarkFlagRequired("dir")
	return c
}

func logInitialize(p process) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "initialize", Short: "Let a master begin a log that runs with --no-log_auto_initialize", Args: cobra.NoArgs,
		Long: `Makes the directory of a replica that has none yet. When masters start and all
of them are initialized and empty, they begin a log. Do it on each, once; a
directory that is lost later is not begun anew by mistake.`,
		RunE: func(*cobra.Command, []string) error {
			dir := o.dir
			if filepath.Base(dir) != "log" {
				dir = filepath.Join(dir, "log")
			}
			if err := replog.Initialize(dir); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.stdout, "%s may begin a log\n", dir)
			return err
		},
	}
	o.add(c, false, true)
	_ = c.MarkFlagRequired("dir")
	return c
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
