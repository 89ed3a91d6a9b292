package cli

import (
	"context"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
)

func psCommand(d Deps) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List tasks",
		Args:  none,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also tasks that have ended")
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, _ []string) error {
		t, raw, err := loadTasks(ctx, op)
		if err != nil {
			return err
		}
		if o.json() {
			return op.print(raw)
		}
		shown := t.active
		if all {
			shown = t.all()
		}
		return psTable(d, t, shown, all)
	})
}

func psTable(d Deps, t *tasks, shown []*v1.Task, all bool) error {
	columns := []string{"TASK", "STATE", "AGE", "CPUS", "MEM", "AGENT", "FRAMEWORK"}
	if all {
		columns = append(columns, "MESSAGE")
	}
	w := newTable(d.Stdout, columns...)
	for _, x := range shown {
		cells := []string{
			x.GetTaskId().GetValue(),
			stateName(x.GetState()) + health(last(x)),
			age(d.Now(), seconds(started(x))),
			cpus(scalar(x.GetResources(), "cpus")),
			mib(scalar(x.GetResources(), "mem")),
			t.hostname(x.GetAgentId()),
			t.frameworks[x.GetFrameworkId().GetValue()].GetFrameworkInfo().GetName(),
		}
		if all {
			cells = append(cells, oneLine(last(x).GetMessage()))
		}
		w.row(cells...)
	}
	return w.flush()
}
