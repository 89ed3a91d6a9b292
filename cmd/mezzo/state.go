package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/master/registry"
	"mezzo/replog/paxos"
)

func stateCommand(p process) *cobra.Command {
	c := &cobra.Command{
		Use:   "state",
		Short: "Look at the variables in the replicated log",
		Long: `What masters and frameworks keep is in named variables: registry/agent/…,
registry/framework/…, registry/role/…, registry/maintenance, and frameworks' own.
It is looked at through masters that run (--master) or in a directory at rest (--dir).`,
	}
	c.AddCommand(stateList(p), stateGet(p))
	return c
}

// variable is one as it is in the log.
type variable struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	Bytes   int    `json:"bytes"`
	value   []byte
}

// variables replays a log, whose positions from chosen on don't count.
func variables(ctx context.Context, source logSource) (map[string]variable, error) {
	all := map[string]variable{}
	err := source.read(ctx, 0, 0, func(e paxos.Entry, chosen bool) error {
		if e.Kind != paxos.Data || !chosen {
			return nil
		}
		changes := &api.Changes{}
		if err := proto.Unmarshal(e.Data, changes); err != nil {
			return fmt.Errorf("position %d holds no variables: %w: %w", e.Position, err, errs.Corrupt)
		}
		for _, c := range changes.GetChanges() {
			v := c.GetPut()
			if v == nil {
				delete(all, c.GetDelete())
				continue
			}
			version := v.GetVersion()
			if version == 0 {
				version = e.Position
			}
			all[v.GetName()] = variable{v.GetName(), version, len(v.GetValue()), v.GetValue()}
		}
		return nil
	})
	return all, err
}

func stateList(p process) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "ls [PREFIX]", Short: "List variables, those with a prefix or all", Args: cobra.MaximumNArgs(1),
		Example: "  mezzo state ls registry/agent/",
		RunE: func(c *cobra.Command, args []string) error {
			asJSON, err := o.json()
			if err != nil {
				return err
			}
			source, err := o.source()
			if err != nil {
				return err
			}
			all, err := variables(c.Context(), source)
			if err != nil {
				return err
			}
			list := []variable{}
			for _, v := range all {
				if strings.HasPrefix(v.Name, strings.Join(args, "")) {
					list = append(list, v)
				}
			}
			slices.SortFunc(list, func(a, b variable) int { return strings.Compare(a.Name, b.Name) })
			if asJSON {
				return printJSON(p.stdout, list)
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tVERSION\tBYTES")
			for _, v := range list {
				fmt.Fprintf(w, "%s\t%d\t%d\n", v.Name, v.Version, v.Bytes)
			}
			return w.Flush()
		},
	}
	o.add(c, true, true)
	return c
}

func stateGet(p process) *cobra.Command {
	o := &logOptions{p: p}
	c := &cobra.Command{
		Use: "get NAME", Short: "Print the value of a variable", Args: cobra.ExactArgs(1),
		Long:    "The registry's variables are printed as JSON, others as they are.",
		Example: "  mezzo state get registry/maintenance",
		RunE: func(c *cobra.Command, args []string) error {
			source, err := o.source()
			if err != nil {
				return err
			}
			all, err := variables(c.Context(), source)
			if err != nil {
				return err
			}
			v, ok := all[args[0]]
			if !ok {
				return fmt.Errorf("there is no variable %q: %w", args[0], errs.NotFound)
			}
			text := v.value
			if strings.HasPrefix(v.Name, registry.Prefix) {
				m, err := registry.Decode(registry.Change{Name: v.Name, Value: v.value})
				if err != nil {
					return err
				}
				if text, err = (protojson.MarshalOptions{Multiline: true, AllowPartial: true}).Marshal(m); err != nil {
					return err
				}
				text = append(text, '\n')
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
	o.add(c, true, true)
	return c
}
