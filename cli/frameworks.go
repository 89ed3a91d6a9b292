package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mezzo/api/mesos/v1/master"
)

func frameworksCommand(d Deps) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "frameworks",
		Short: "List frameworks, what they use and what they hold in offers",
		Long: `List frameworks, what they use and what they hold in offers.

CPUS and MEM are used by tasks. OFFERS are those that a framework has neither
accepted nor declined; OFFERED is what is in them, which nobody else can use
meanwhile, and OLDEST how long it holds the first. Who gets nothing is told why
by mezzo explain.`,
		Args: none,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also frameworks that have ended")
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, _ []string) error {
		resp, err := op.get(ctx, master.Call_GET_FRAMEWORKS)
		if err != nil {
			return err
		}
		if o.json() {
			return op.print(resp.GetGetFrameworks())
		}
		w := newTable(d.Stdout, "NAME", "STATE", "ROLES", "CPUS", "MEM", "OFFERS", "OFFERED", "OLDEST", "AGE", "FRAMEWORK")
		rows := func(fs []*master.Response_GetFrameworks_Framework, ended bool) {
			slices.SortFunc(fs, func(a, b *master.Response_GetFrameworks_Framework) int {
				return cmp.Compare(a.GetFrameworkInfo().GetId().GetValue(), b.GetFrameworkInfo().GetId().GetValue())
			})
			for _, f := range fs {
				w.row(f.GetFrameworkInfo().GetName(), frameworkState(f, ended), frameworkRoles(f),
					cpus(scalar(f.GetAllocatedResources(), "cpus")), mib(scalar(f.GetAllocatedResources(), "mem")),
					strconv.Itoa(len(f.GetOffers())), amountsText(scalars(f.GetOfferedResources())), age(d.Now(), nanos(f.GetOldestOfferTime())), age(d.Now(), nanos(f.GetRegisteredTime())), f.GetFrameworkInfo().GetId().GetValue())
			}
		}
		rows(resp.GetGetFrameworks().GetFrameworks(), false)
		if all {
			rows(resp.GetGetFrameworks().GetCompletedFrameworks(), true)
		}
		return w.flush()
	})
}

func frameworkNames(f *master.Response_GetFrameworks_Framework) (id, name string) {
	return f.GetFrameworkInfo().GetId().GetValue(), f.GetFrameworkInfo().GetName()
}

// findFramework returns the one that ref means, which must not have ended.
func findFramework(ctx context.Context, op *operator, ref string) (*master.Response_GetFrameworks_Framework, error) {
	resp, err := op.get(ctx, master.Call_GET_FRAMEWORKS)
	if err != nil {
		return nil, err
	}
	live, ended := resp.GetGetFrameworks().GetFrameworks(), resp.GetGetFrameworks().GetCompletedFrameworks()
	if len(meant(ref, live, frameworkNames)) == 0 && len(meant(ref, ended, frameworkNames)) > 0 {
		return nil, fmt.Errorf("framework %q: has ended", ref)
	}
	return pick("framework", ref, "`mezzo frameworks`", live, frameworkNames)
}

func frameworkState(f *master.Response_GetFrameworks_Framework, ended bool) string {
	switch {
	case ended:
		return "ENDED"
	case left(f):
		return "DETACHED"
	case !f.GetConnected():
		return "DISCONNECTED"
	case !f.GetActive():
		return "INACTIVE"
	}
	return "ACTIVE"
}

func frameworkRoles(f *master.Response_GetFrameworks_Framework) string {
	info := f.GetFrameworkInfo()
	if len(info.GetRoles()) > 0 {
		return strings.Join(info.GetRoles(), ",")
	}
	return info.GetRole()
}
