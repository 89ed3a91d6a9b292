package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/api/mesos/v1/master"
)

const scheduleExample = `  mezzo maintenance schedule host1 host2 --start=2h --duration=30m`

func scheduleCommand(d Deps) *cobra.Command {
	var start string
	var lasts time.Duration
	var force bool
	cmd := &cobra.Command{
		Use:   "schedule [MACHINE...]",
		Short: "Schedule maintenance of machines, or show what is scheduled",
		Long: `Schedule maintenance of machines, all that are named or none. It replaces what
was scheduled of them; other machines stay as they are. Without MACHINE the
schedule is shown.

The schedule is read first and then replaced: when two operators change it at
once, the later one counts.

` + machineLong,
		Example: scheduleExample + `
  mezzo maintenance schedule host1 --start='2026-01-31 22:00'
  mezzo maintenance schedule`,
		Args:              arguments("", 0, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, machineHosts),
	}
	cmd.Flags().StringVar(&start, "start", "0s", "`when` it begins: a time, or how long from now")
	cmd.Flags().DurationVar(&lasts, "duration", 0, "how long it lasts; unknown unless given")
	cmd.Flags().BoolVar(&force, "force", false, "also machines on which no agent runs")
	for _, flag := range []string{"start", "duration"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		if len(args) == 0 {
			if cmd.Flags().Changed("start") || cmd.Flags().Changed("duration") || force {
				return fmt.Errorf("no MACHINE is given: `mezzo agents` lists where agents run; usage: %s", cmd.UseLine())
			}
			return printSchedule(ctx, d, op, o)
		}
		from, err := parseTime(start, d.Now())
		if err != nil {
			return fmt.Errorf("--start %q: %w", start, err)
		}
		w := &maintenance.Window{Unavailability: &v1.Unavailability{Start: &v1.TimeInfo{Nanoseconds: proto.Int64(from.UnixNano())}}}
		if cmd.Flags().Changed("duration") {
			if lasts <= 0 {
				return fmt.Errorf("--duration %v: want a positive time", lasts)
			}
			w.Unavailability.Duration = &v1.DurationInfo{Nanoseconds: proto.Int64(lasts.Nanoseconds())}
		}
		m, err := loadMachines(ctx, op)
		if err != nil {
			return err
		}
		if w.MachineIds, err = m.toSchedule(args, force); err != nil {
			return err
		}
		if err := updateSchedule(ctx, op, append(without(m.windows, w.MachineIds), w)); err != nil {
			return fmt.Errorf("schedule maintenance of %s: %w", namesOf(w.MachineIds), err)
		}
		return printSchedule(ctx, d, op, o)
	})
}

// toSchedule finds the machines that refs mean, each once; with force also those
// that nothing is known of.
func (m *machines) toSchedule(refs []string, force bool) ([]*v1.MachineID, error) {
	var out []*v1.MachineID
	for _, ref := range refs {
		id, err := m.find(ref)
		if errors.Is(err, errNoMachine) {
			if !force {
				return nil, m.unknown(ref, "--force schedules it all the same")
			}
			id, err = parseMachine(ref)
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(other *v1.MachineID) bool { return machineName(other) == machineName(id) }) {
			out = append(out, id)
		}
	}
	return out, nil
}

// parseTime reads a time, or how long it is from now.
func parseTime(text string, now time.Time) (time.Time, error) {
	d, err := time.ParseDuration(text)
	t := now.Add(d)
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if err != nil {
			t, err = time.ParseInLocation(layout, text, now.Location())
		}
	}
	switch {
	case err != nil:
		return t, errors.New("want a time, as in '2026-01-31 22:00' or 2026-01-31T22:00:00Z, or how long from now, as in 2h")
	case t.Before(time.Unix(0, 0)) || t.Year() > 2261: // nanoseconds have no more room
		return t, fmt.Errorf("year %d: want one from 1970 to 2261", t.Year())
	}
	return t, nil
}

// without is windows less some machines.
func without(windows []*maintenance.Window, ids []*v1.MachineID) []*maintenance.Window {
	var out []*maintenance.Window
	for _, w := range windows {
		left := &maintenance.Window{Unavailability: w.GetUnavailability()}
		for _, id := range w.GetMachineIds() {
			if !slices.ContainsFunc(ids, func(other *v1.MachineID) bool { return machineName(other) == machineName(id) }) {
				left.MachineIds = append(left.MachineIds, id)
			}
		}
		if len(left.GetMachineIds()) > 0 {
			out = append(out, left)
		}
	}
	return out
}

func updateSchedule(ctx context.Context, op *operator, windows []*maintenance.Window) error {
	_, err := op.call(ctx, &master.Call{
		Type:                      master.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(),
		UpdateMaintenanceSchedule: &master.Call_UpdateMaintenanceSchedule{Schedule: &maintenance.Schedule{Windows: windows}},
	})
	return err
}

func namesOf(ids []*v1.MachineID) string {
	var names []string
	for _, id := range ids {
		names = append(names, machineName(id))
	}
	return strings.Join(names, ", ")
}

// printSchedule shows the windows, the earliest first.
func printSchedule(ctx context.Context, d Deps, op *operator, o *options) error {
	resp, err := op.get(ctx, master.Call_GET_MAINTENANCE_SCHEDULE)
	if err != nil {
		return err
	}
	if o.json() {
		return op.print(resp.GetGetMaintenanceSchedule().GetSchedule())
	}
	windows := resp.GetGetMaintenanceSchedule().GetSchedule().GetWindows()
	slices.SortStableFunc(windows, func(a, b *maintenance.Window) int {
		return cmp.Compare(a.GetUnavailability().GetStart().GetNanoseconds(), b.GetUnavailability().GetStart().GetNanoseconds())
	})
	w := newTable(d.Stdout, "START", "BEGINS", "LASTS", "MACHINES")
	for _, win := range windows {
		away := win.GetUnavailability()
		w.row(startText(away), begins(d.Now(), away), lastsText(away), namesOf(win.GetMachineIds()))
	}
	return w.flush()
}

func startText(u *v1.Unavailability) string { return nanos(u.GetStart()).UTC().Format(time.RFC3339) }

// begins is how far a start is from now.
func begins(now time.Time, u *v1.Unavailability) string {
	start := nanos(u.GetStart())
	if start.After(now) {
		return "in " + age(start, now)
	}
	return strings.Replace(age(now, start)+" ago", "now ago", "now", 1)
}

func lastsText(u *v1.Unavailability) string {
	if u.GetDuration() == nil {
		return ""
	}
	return time.Duration(u.GetDuration().GetNanoseconds()).String()
}

func clearCommand(d Deps) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "clear {MACHINE... | --all}",
		Short: "Take machines that are not down out of the schedule",
		Long: `Take machines that are not down out of the schedule, all that are named or none:
frameworks are offered them as any other. What is down is brought back by
` + "`mezzo maintenance stop`" + `.

` + machineLong,
		Example: `  mezzo maintenance clear host1
  mezzo maintenance clear --all`,
		Args:              arguments(aMachine, 0, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, plannedMachines(false)),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all machines that are not down")
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		switch {
		case all && len(args) > 0:
			return fmt.Errorf("clear: give MACHINE or --all, not both; see `%s --help`", cmd.CommandPath())
		case !all && len(args) == 0:
			return fmt.Errorf("no %s, or --all clears all; usage: %s", aMachine, cmd.UseLine())
		}
		m, err := loadMachines(ctx, op)
		if err != nil {
			return err
		}
		var ids []*v1.MachineID
		for _, x := range m.scheduled {
			if all && !x.down {
				ids = append(ids, x.id)
			}
		}
		meant, err := m.planned(args)
		if err != nil {
			return err
		}
		for _, x := range meant {
			if x.down {
				return fmt.Errorf("machine %s: is down; `mezzo maintenance stop` brings it back and takes it out of the schedule", machineName(x.id))
			}
			ids = append(ids, x.id)
		}
		if len(ids) > 0 {
			if err := updateSchedule(ctx, op, without(m.windows, ids)); err != nil {
				return fmt.Errorf("clear maintenance of %s: %w", namesOf(ids), err)
			}
		}
		return printMoved(ctx, d, op, o, ids, "CLEARED")
	})
}
