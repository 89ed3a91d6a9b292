package cli

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

func weightsCommand(d Deps) *cobra.Command {
	return family(&cobra.Command{
		Use:     "weights",
		Short:   "Show and change how much roles are due beside others",
		Long:    weightsLong,
		Example: weightsExample + "\n  mezzo weights ls",
	}, weightsListCommand(d), weightsSetCommand(d))
}

const weightsLong = `A role of weight 2 is due twice the share of a sibling of weight 1, which all
have that nothing was said of. Weights are from 0.001 up, exact to three digits.
The next offers follow; nothing that is used or offered is taken back.`

const weightsExample = `  mezzo weights set eng=2.5 ops=0.5`

func weightsSetCommand(d Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set ROLE=WEIGHT...",
		Short:   "Set the weights of roles, of all that are named or none",
		Long:    "Set the weights of roles, of all that are named or none.\n\n" + weightsLong,
		Example: weightsExample,
		Args:    arguments(aWeight, 1, math.MaxInt),
	}
	complete := completeArguments(d, math.MaxInt, roleNames)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		named := make([]string, len(args))
		for i, a := range args {
			named[i], _, _ = strings.Cut(a, "=")
		}
		found, directive := complete(cmd, named, typed)
		for i := range found {
			found[i] += "="
		}
		return found, directive | cobra.ShellCompDirectiveNoSpace
	}
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		call := &master.Call_UpdateWeights{}
		var named []string
		for _, a := range args {
			at := strings.LastIndexByte(a, '=') // a role may have one
			name := a[:max(at, 0)]
			v, err := strconv.ParseFloat(a[at+1:], 64)
			if at < 0 || err != nil {
				return fmt.Errorf("set weight: %q: want ROLE=WEIGHT, as in eng=2.5", a)
			}
			call.WeightInfos = append(call.WeightInfos, &v1.WeightInfo{Role: &name, Weight: &v})
			named = append(named, name)
		}
		_, err := op.call(ctx, &master.Call{Type: master.Call_UPDATE_WEIGHTS.Enum(), UpdateWeights: call})
		if err != nil {
			return fmt.Errorf("set weight of %s: %w", strings.Join(named, ", "), err)
		}
		return printWeights(ctx, d, op, o, named)
	})
}

func weightsListCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the weights that were set; all others are 1",
		Args:    none,
	}, func(ctx context.Context, op *operator, o *options, _ []string) error {
		return printWeights(ctx, d, op, o, nil)
	})
}

// printWeights shows the weights that are not 1, and those of the roles named.
func printWeights(ctx context.Context, d Deps, op *operator, o *options, named []string) error {
	resp, err := op.get(ctx, master.Call_GET_WEIGHTS)
	if err != nil {
		return err
	}
	if o.json() {
		return op.print(resp.GetGetWeights())
	}
	weights := map[string]float64{}
	for _, name := range named {
		weights[name] = 1
	}
	for _, info := range resp.GetGetWeights().GetWeightInfos() {
		weights[info.GetRole()] = info.GetWeight()
	}
	w := newTable(d.Stdout, "ROLE", "WEIGHT")
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		w.row(name, weightText(weights[name]))
	}
	return w.flush()
}
