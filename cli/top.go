package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mezzo/api/mesos/v1/master"
	"mezzo/api/usage"
)

func topCommand(d Deps) *cobra.Command {
	var once, all bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what is allocated beside what is used, per node and task",
		Args:  none,
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once instead of refreshing (so it is when stdout is no terminal)")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also tasks that have ended")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two refreshes")
	cmd.Long = cmd.Short + ".\n\nIn a terminal it is shown anew until q or Ctrl-C is pressed; any other key shows it anew at once."
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, _ []string) error {
		if interval < 100*time.Millisecond {
			return fmt.Errorf("--interval %v: want at least 100ms", interval)
		}
		show := func(w io.Writer) error {
			resp, err := op.get(ctx, master.Call_GET_USAGE)
			if err != nil {
				return err
			}
			if o.json() {
				return op.print(resp.GetGetUsage())
			}
			return topTables(w, resp.GetGetUsage(), all)
		}
		if d.Terminal == nil || once || o.json() {
			return show(d.Stdout)
		}
		return watch(ctx, d.Terminal, d.Stdout, interval, show)
	})
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func topTables(w io.Writer, c *usage.Cluster, all bool) error {
	hosts := make(map[string]string)
	nodes := newTable(w, "NODE", "CPUS", "ALLOCATED", "USED", "MEM", "ALLOCATED", "USED", "CPU PRESSURE", "MEM PRESSURE")
	for _, a := range c.GetAgents() {
		hosts[a.GetAgentId().GetValue()] = a.GetHostname()
		u := a.GetUsed()
		nodes.row(a.GetHostname(),
			cpus(scalar(a.GetTotal(), "cpus")), cpus(scalar(a.GetAllocated(), "cpus")), given(u.GetCpu() != nil && u.Cpu.RateCpus != nil, cpus(u.GetCpu().GetRateCpus())),
			mib(scalar(a.GetTotal(), "mem")), mib(scalar(a.GetAllocated(), "mem")), given(u.GetMemory() != nil, size(float64(u.GetMemory().GetWorkingSetBytes()))),
			pressure(u.GetCpu().GetPressure()), pressure(u.GetMemory().GetPressure()))
	}
	if err := nodes.flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)

	list := slices.Clone(c.GetTasks())
	slices.SortStableFunc(list, func(a, b *usage.TaskUsage) int {
		return cmp.Compare(rank(a), rank(b)) // else as the master ordered them
	})
	tasks := newTable(w, "TASK", "STATE", "CPUS", "LIMIT", "USED", "THROTTLED", "MEM", "LIMIT", "USED", "PEAK", "OOM", "NODE")
	for _, t := range list {
		cpu, mem := t.GetUsed().GetCpu(), t.GetUsed().GetMemory()
		running := !terminal(t.GetState())
		if !running && !all {
			continue
		}
		tasks.row(t.GetTaskId().GetValue(), stateName(t.GetState()),
			cpus(scalar(t.GetAllocated(), "cpus")),
			given(cpu != nil, ceiling(cpu != nil && cpu.LimitCpus != nil, cpus(cpu.GetLimitCpus()))),
			given(running && cpu != nil && cpu.RateCpus != nil, cpus(cpu.GetRateCpus())),
			given(running && cpu != nil && cpu.ThrottledShare != nil, percent(cpu.GetThrottledShare())),
			mib(scalar(t.GetAllocated(), "mem")),
			given(mem != nil, ceiling(mem != nil && mem.LimitBytes != nil, size(float64(mem.GetLimitBytes())))),
			given(running && mem != nil, size(float64(mem.GetWorkingSetBytes()))),
			given(mem.GetPeakBytes() > 0, size(float64(mem.GetPeakBytes()))),
			given(mem != nil, fmt.Sprint(mem.GetOomKills())),
			cmp.Or(hosts[t.GetAgentId().GetValue()], t.GetAgentId().GetValue()))
	}
	if err := tasks.flush(); err != nil || len(c.GetExecutors()) == 0 {
		return err
	}
	fmt.Fprintln(w)
	executors := newTable(w, "EXECUTOR, WITH ITS TASKS", "CPUS", "LIMIT", "USED", "MEM", "LIMIT", "USED", "PEAK", "OOM", "NODE")
	for _, x := range c.GetExecutors() {
		cpu, mem := x.GetUsed().GetCpu(), x.GetUsed().GetMemory()
		executors.row(x.GetExecutorId().GetValue(),
			cpus(scalar(x.GetAllocated(), "cpus")),
			ceiling(cpu.GetLimitCpus() > 0, cpus(cpu.GetLimitCpus())),
			given(cpu != nil && cpu.RateCpus != nil, cpus(cpu.GetRateCpus())),
			mib(scalar(x.GetAllocated(), "mem")),
			ceiling(mem.GetLimitBytes() > 0, size(float64(mem.GetLimitBytes()))),
			size(float64(mem.GetWorkingSetBytes())),
			given(mem.GetPeakBytes() > 0, size(float64(mem.GetPeakBytes()))),
			fmt.Sprint(mem.GetOomKills()),
			cmp.Or(hosts[x.GetAgentId().GetValue()], x.GetAgentId().GetValue()))
	}
	return executors.flush()
}

// rank puts running tasks before ended ones.
func rank(t *usage.TaskUsage) int {
	if terminal(t.GetState()) {
		return 1
	}
	return 0
}

// given is s, or nothing where there was nothing to measure.
func given(ok bool, s string) string {
	if !ok {
		return ""
	}
	return s
}

// ceiling is s, or "none" for what has no upper limit.
func ceiling(ok bool, s string) string {
	if !ok {
		return "none"
	}
	return s
}

func pressure(p *usage.Pressure) string {
	return given(p != nil, percent(p.GetSomeAvg10()/100))
}
