package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/quota"
	"mezzo/internal/spell"
)

func quotaCommand(d Deps) *cobra.Command {
	return family(&cobra.Command{
		Use:     "quota",
		Short:   "Show and change what roles are guaranteed and limited to",
		Long:    "Show and change what roles, each with all below it, are guaranteed and limited to.",
		Example: quotaSetExample + "\n  mezzo quota ls\n  mezzo quota rm eng",
	}, quotaListCommand(d), quotaGetCommand(d), quotaSetCommand(d), quotaRemoveCommand(d))
}

const quotaSetLong = `Set the guarantee or the limit of a role with all below it, or both.

The guarantee is kept free for the role, the limit is the most that it may
consume. Each replaces the one before as a whole; the one that is not given
stays as it is, and an empty one is taken away. A limit of 0 is one: what is not
named is not limited. Offers that stand in the way are taken back; tasks go on.

mem and disk are in MiB, or have a unit. Quote amounts: the shell takes a
semicolon for its own. What the cluster as it is can't keep to is refused with
the figures, unless --force is given.`

const quotaSetExample = `  mezzo quota set eng --guarantee='cpus:10;mem:1024' --limit=cpus:20
  mezzo quota set eng --limit='cpus:20;mem:64GiB'
  mezzo quota set eng --guarantee=''`

func quotaSetCommand(d Deps) *cobra.Command {
	var guarantee, limit string
	var force bool
	cmd := &cobra.Command{
		Use:               "set ROLE",
		Short:             "Set the guarantee or the limit of a role, or both",
		Long:              quotaSetLong,
		Example:           quotaSetExample,
		Args:              arguments(aRole, 1, 1),
		ValidArgsFunction: completeArguments(d, 1, roleNames),
	}
	cmd.Flags().StringVar(&guarantee, "guarantee", "", "`amounts` that are kept free for the role; none if empty")
	cmd.Flags().StringVar(&limit, "limit", "", "`amounts` that the role may consume at most; no limit if empty")
	cmd.Flags().BoolVar(&force, "force", false, "also if the cluster as it is can't keep to it")
	for _, flag := range []string{"guarantee", "limit"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		config := &quota.QuotaConfig{Role: &args[0]}
		part := func(flag, text string, into *map[string]*v1.Value_Scalar, old func(*roleQuota) map[string]float64) (err error) {
			if cmd.Flags().Changed(flag) {
				*into, err = parseAmounts(flag, text)
				return err
			}
			known, err := loadQuotas(ctx, op)
			if err != nil {
				return err
			}
			if q := quotaOf(known, args[0]); q != nil {
				*into = wireAmounts(old(q))
			}
			return nil
		}
		if !cmd.Flags().Changed("guarantee") && !cmd.Flags().Changed("limit") {
			return fmt.Errorf("quota of role %q: give --guarantee, --limit or both; see `%s --help`", args[0], cmd.CommandPath())
		}
		if err := errors.Join(
			part("guarantee", guarantee, &config.Guarantees, func(q *roleQuota) map[string]float64 { return q.Guarantee }),
			part("limit", limit, &config.Limits, func(q *roleQuota) map[string]float64 { return q.Limit }),
		); err != nil {
			return err
		}
		if err := updateQuota(ctx, op, force, config); err != nil {
			return fmt.Errorf("set quota of role %q: %w", args[0], err)
		}
		return printQuota(ctx, d, op, o, args[0], withoutQuota(args[0]))
	})
}

// updateQuota replaces the quota of some roles, all or none.
func updateQuota(ctx context.Context, op *operator, force bool, configs ...*quota.QuotaConfig) error {
	_, err := op.call(ctx, &master.Call{
		Type:        master.Call_UPDATE_QUOTA.Enum(),
		UpdateQuota: &master.Call_UpdateQuota{Force: &force, QuotaConfigs: configs},
	})
	var status *statusError
	if errors.As(err, &status) && status.status == http.StatusConflict {
		return fmt.Errorf("%w; --force does it all the same", err)
	}
	return err
}

func wireAmounts(q map[string]float64) map[string]*v1.Value_Scalar {
	out := make(map[string]*v1.Value_Scalar, len(q))
	for name, v := range q {
		out[name] = &v1.Value_Scalar{Value: proto.Float64(v)}
	}
	return out
}

func quotaGetCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:               "get ROLE",
		Short:             "Show the quota of a role and what it consumes",
		Example:           "  mezzo quota get eng",
		Args:              arguments(aRole, 1, 1),
		ValidArgsFunction: completeArguments(d, 1, quotaRoles),
	}, func(ctx context.Context, op *operator, o *options, args []string) error {
		return printQuota(ctx, d, op, o, args[0], nil)
	})
}

func quotaListCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the quota of all roles that have any, and what they consume",
		Args:    none,
	}, func(ctx context.Context, op *operator, o *options, _ []string) error {
		known, err := loadQuotas(ctx, op)
		if err != nil {
			return err
		}
		if o.json() {
			return op.printAny(known)
		}
		return quotaTable(d, known...)
	})
}

func quotaRemoveCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:               "rm ROLE...",
		Aliases:           []string{"remove"},
		Short:             "Take quota away from roles, from all that are named or none",
		Example:           "  mezzo quota rm eng",
		Args:              arguments(aRole, 1, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, quotaRoles),
	}, func(ctx context.Context, op *operator, o *options, args []string) error {
		known, err := loadQuotas(ctx, op)
		if err != nil {
			return err
		}
		var configs []*quota.QuotaConfig
		for _, name := range args {
			if quotaOf(known, name) == nil {
				return noQuota(name, known)
			}
			configs = append(configs, &quota.QuotaConfig{Role: &name})
		}
		if err := updateQuota(ctx, op, false, configs...); err != nil {
			return fmt.Errorf("remove quota: %w", err)
		}
		for _, name := range args {
			if o.json() {
				err = op.printAny(withoutQuota(name))
			} else {
				_, err = fmt.Fprintf(d.Stdout, "%s\tREMOVED\n", name)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// printQuota shows the quota of one role; without any, that is instead, an error
// if nil.
func printQuota(ctx context.Context, d Deps, op *operator, o *options, name string, instead *roleQuota) error {
	known, err := loadQuotas(ctx, op)
	if err != nil {
		return err
	}
	q := quotaOf(known, name)
	if q == nil {
		q = instead
	}
	switch {
	case q == nil:
		return noQuota(name, known)
	case o.json():
		return op.printAny(q)
	}
	return quotaTable(d, q)
}

func quotaTable(d Deps, list ...*roleQuota) error {
	w := newTable(d.Stdout, "ROLE", "GUARANTEE", "LIMIT", "CONSUMED")
	for _, q := range list {
		w.row(q.Role, amountsText(q.Guarantee), amountsText(q.Limit), amountsText(q.Consumed))
	}
	return w.flush()
}

// loadQuotas asks for the quota of all roles that have any.
func loadQuotas(ctx context.Context, op *operator) ([]*roleQuota, error) {
	list, _, err := loadRoles(ctx, op)
	known := []*roleQuota{}
	for i := range list {
		if list[i].Quota != nil {
			known = append(known, list[i].Quota)
		}
	}
	return known, err
}

func quotaOf(known []*roleQuota, name string) *roleQuota {
	if i := slices.IndexFunc(known, func(q *roleQuota) bool { return q.Role == name }); i >= 0 {
		return known[i]
	}
	return nil
}

func withoutQuota(name string) *roleQuota {
	return &roleQuota{name, map[string]float64{}, map[string]float64{}, map[string]float64{}}
}

// noQuota is the error for a role without quota.
func noQuota(name string, known []*roleQuota) error {
	var names []string
	for _, q := range known {
		names = append(names, q.Role)
	}
	if guess := spell.Closest(name, names); guess != "" {
		return fmt.Errorf("role %q: has no quota; did you mean %s? `mezzo quota ls` lists all", name, guess)
	}
	return fmt.Errorf("role %q: has no quota; `mezzo quota ls` lists which have, `mezzo quota set` gives it", name)
}

func quotaRoles(ctx context.Context, op *operator) ([]cobra.Completion, error) {
	known, err := loadQuotas(ctx, op)
	var out []cobra.Completion
	for _, q := range known {
		out = append(out, q.Role)
	}
	return out, err
}
