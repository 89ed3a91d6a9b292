package cli

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/allocator"
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
		Long:              v.short + ".\nAll that are named, or none.\n\n" + v.long + "\n\n" + machineLong,
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
