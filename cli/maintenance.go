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
	"mezzo/api/mesos/v1/allocator"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/api/mesos/v1/master"
)

func maintenanceCommand(d Deps) *cobra.Command {
	return family(&cobra.Command{
		Use:   "maintenance",
		Short: "Take machines out of service for a while",
		Long:  "Take machines out of service for a while.\n\n" + maintenanceLong,
		Example: scheduleExample + `
  mezzo maintenance status
  mezzo maintenance start host1
  mezzo maintenance stop host1`,
	}, scheduleCommand(d), maintenanceStatusCommand(d), startCommand(d), stopCommand(d), clearCommand(d))
}

const maintenanceLong = `A machine is scheduled first: frameworks are told when it will be away, in their
offers, and those that have something there are asked to leave. That moves no
task: ` + "`mezzo drain`" + ` does. When maintenance is started, agents on the machine are
shut down with all their tasks, and refused until it is stopped.`

const machineLong = "MACHINE is a host name, an address, or both as HOST/IP; or an agent that runs\nthere, by its id or the beginning of it."

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
				return nil, fmt.Errorf("%w; --force schedules it all the same", err)
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
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		t, err := time.ParseInLocation(layout, text, now.Location())
		switch {
		case err != nil:
		case t.Before(time.Unix(0, 0)) || t.Year() > 2261: // nanoseconds have no more room
			return t, fmt.Errorf("year %d: want one from 1970 to 2261", t.Year())
		default:
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time, as in '2026-01-31 22:00' or 2026-01-31T22:00:00Z, or how long from now, as in 2h")
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

func maintenanceStatusCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:   "status",
		Short: "Show which machines are scheduled or down, what runs there, and what frameworks answered",
		Long: `Show the machines of the schedule. DRAINING: frameworks are asked to leave; DOWN:
in maintenance. ANSWERS are what frameworks last said of leaving; none before
they did. -o json prints GET_MAINTENANCE_STATUS.`,
		Args: none,
	}, func(ctx context.Context, op *operator, o *options, _ []string) error {
		if o.json() {
			return printMaintenance(ctx, op)
		}
		m, err := loadMachines(ctx, op)
		if err != nil {
			return err
		}
		t, _, err := loadTasks(ctx, op)
		if err != nil {
			return err
		}
		w := newTable(d.Stdout, "MACHINE", "STATE", "START", "BEGINS", "LASTS", "AGENTS", "TASKS", "ANSWERS")
		for _, x := range m.scheduled {
			agents := map[string]bool{}
			for _, a := range m.agents {
				if sameMachine(x.id, machineOf(a)) {
					agents[agentID(a)] = true
				}
			}
			running := 0
			for _, task := range t.active {
				if agents[task.GetAgentId().GetValue()] {
					running++
				}
			}
			w.row(machineName(x.id), machineState(x), startText(x.away), begins(d.Now(), x.away), lastsText(x.away),
				fmt.Sprint(len(agents)), fmt.Sprint(running), answersText(t, x.answers))
		}
		return w.flush()
	})
}

func answersText(t *tasks, list []*allocator.InverseOfferStatus) string {
	var out []string
	for _, s := range list {
		who := s.GetFrameworkId().GetValue()
		if f := t.frameworks[who]; f.GetFrameworkInfo().GetName() != "" {
			who = f.GetFrameworkInfo().GetName()
		}
		said := "none"
		if s.GetStatus() != allocator.InverseOfferStatus_UNKNOWN {
			said = s.GetStatus().String()
		}
		out = append(out, who+": "+said)
	}
	return strings.Join(out, ", ")
}

// printMaintenance prints GET_MAINTENANCE_STATUS.
func printMaintenance(ctx context.Context, op *operator) error {
	resp, err := op.get(ctx, master.Call_GET_MAINTENANCE_STATUS)
	if err != nil {
		return err
	}
	return op.print(resp.GetGetMaintenanceStatus().GetStatus())
}

func startCommand(d Deps) *cobra.Command {
	return moveCommand(d, move{
		verb: "start", down: false, done: "DOWN",
		short: "Take machines down: shut their agents down with all tasks, and refuse them",
		long:  "The machines must be scheduled. `mezzo drain` ends tasks in their own time before.",
		call: func(ids []*v1.MachineID) *master.Call {
			return &master.Call{Type: master.Call_START_MAINTENANCE.Enum(), StartMaintenance: &master.Call_StartMaintenance{Machines: ids}}
		},
	})
}

func stopCommand(d Deps) *cobra.Command {
	return moveCommand(d, move{
		verb: "stop", down: true, done: "UP",
		short: "Bring machines back: admit their agents again, and take them out of the schedule",
		long:  "Agents have to be started on the machines, if nothing does that by itself.",
		call: func(ids []*v1.MachineID) *master.Call {
			return &master.Call{Type: master.Call_STOP_MAINTENANCE.Enum(), StopMaintenance: &master.Call_StopMaintenance{Machines: ids}}
		},
	})
}

// move is a change of scheduled machines.
type move struct {
	verb, done  string
	down        bool // what the machines must be
	short, long string
	call        func([]*v1.MachineID) *master.Call
}

func moveCommand(d Deps, v move) *cobra.Command {
	return command(d, &cobra.Command{
		Use:               v.verb + " MACHINE...",
		Short:             v.short,
		Long:              v.short + ".\nAll that are named, or none. " + v.long + "\n\n" + machineLong,
		Example:           "  mezzo maintenance " + v.verb + " host1",
		Args:              arguments(aMachine, 1, math.MaxInt),
		ValidArgsFunction: completeArguments(d, math.MaxInt, plannedMachines(v.down)),
	}, func(ctx context.Context, op *operator, o *options, args []string) error {
		m, err := loadMachines(ctx, op)
		if err != nil {
			return err
		}
		meant, err := m.planned(args)
		if err != nil {
			return err
		}
		var ids []*v1.MachineID
		for _, x := range meant {
			switch {
			case x.down && !v.down:
				return fmt.Errorf("machine %s: is down already; `mezzo maintenance stop` ends it", machineName(x.id))
			case !x.down && v.down:
				return fmt.Errorf("machine %s: is not down; `mezzo maintenance clear` takes it out of the schedule", machineName(x.id))
			}
			ids = append(ids, x.id)
		}
		if _, err := op.call(ctx, v.call(ids)); err != nil {
			return fmt.Errorf("%s maintenance of %s: %w", v.verb, namesOf(ids), err)
		}
		return printMoved(ctx, d, op, o, ids, v.done)
	})
}

func printMoved(ctx context.Context, d Deps, op *operator, o *options, ids []*v1.MachineID, done string) error {
	if o.json() {
		return printMaintenance(ctx, op)
	}
	for _, id := range ids {
		if _, err := fmt.Fprintf(d.Stdout, "%s\t%s\n", machineName(id), done); err != nil {
			return err
		}
	}
	return nil
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
