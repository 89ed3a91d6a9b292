package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"mezzo/agent/launch"
	"mezzo/api/checkpoint"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
	"mezzo/resources"
)

// recover takes over what an earlier agent on this work_dir left, before run.
// Its containers that are nobody's any more are destroyed: one that resists does
// not keep the agent from its work. After a reboot all of them are.
func (l *loop) recover(ctx context.Context) error {
	start := time.Now()
	r := l.recovered
	l.recovered = recovered{}
	if err := l.core.Reserve(r.converted); err != nil {
		return err
	}
	r.Rebooted = l.home.saved.BootID != "" && l.home.saved.BootID != l.bootID
	var known []isolator.ID
	for i := range r.Tasks {
		t := &r.Tasks[i]
		t.What = launch.Describe(t.Task.GetInfo())
		if limits, err := launch.Limits(t.Task.GetInfo()); err == nil { // else it was refused for them
			t.Limits = limits
		}
		if mayExist(t.Life) && !r.Rebooted {
			known = append(known, isolator.ID(t.Task.GetContainerId()))
		}
	}
	frameworks := make(map[string]*v1.FrameworkInfo)
	for _, f := range r.Frameworks {
		frameworks[f.GetInfo().GetId().GetValue()] = f.GetInfo()
	}
	for i := range r.Executors {
		x := &r.Executors[i]
		x.What, x.Limits, _ = l.planExecutor(frameworks[x.Executor.GetFrameworkId().GetValue()], x.Executor.GetInfo()) // it was planned before
		if x.Executor.GetHeld() && !r.Rebooted {
			known = append(known, isolator.ID(x.Executor.GetContainerId()))
		}
	}
	around := make(map[ids.ContainerID]bool)
	for _, id := range known {
		around[ids.ContainerID(id)] = true
	}
	for _, x := range r.Executors {
		if x.Executor.GetGroup() {
			around[ids.ContainerID(x.Executor.GetContainerId())] = !r.Rebooted
		}
	}
	kept := r.nested
	if r.Rebooted {
		kept = nil
		for _, n := range r.nested {
			l.journal.note(n.Name, nil, func() {})
		}
	}
	known = append(known, l.recoverNested(kept, around)...)
	taken, orphans, err := l.deps.Containers.Recover(ctx, known)
	if err != nil {
		return fmt.Errorf("recover containers: %w", err)
	}
	found := make(map[string]bool, len(taken))
	for _, id := range taken {
		found[string(id)] = true
	}
	for i := range r.Tasks {
		r.Tasks[i].Found = found[r.Tasks[i].Task.GetContainerId()]
	}
	for i := range r.Executors {
		r.Executors[i].Found = found[r.Executors[i].Executor.GetContainerId()]
	}
	l.resumeNested(found)
	now, up := time.Now(), sinceBoot()
	for i := range r.Tasks {
		life := r.Tasks[i].Life
		life.Deadline = deadlineNow(life.GetDeadline(), life.GetLeft(), now, up)
	}
	for _, x := range r.Executors {
		x.Executor.Deadline = deadlineNow(x.Executor.GetDeadline(), x.Executor.GetLeft(), now, up)
	}
	effects, problems := l.core.Recover(now, r.Recovered)
	l.recoveryErrors += len(problems)
	for _, p := range problems {
		if l.cfg.Strict {
			return fmt.Errorf("%w; %s", p, cure)
		}
		l.log.Error("part of the checkpoint is lost", "err", p)
	}
	l.recovering = effects
	if err := l.fits(); err != nil {
		return err
	}
	if err := l.removeOrphans(ctx, orphans); err != nil {
		return err
	}
	if len(r.Tasks)+len(orphans) > 0 {
		l.log.Info("recovered", "tasks", len(r.Tasks), "containers", len(taken), "orphans", len(orphans), "rebooted", r.Rebooted, "took", time.Since(start))
	}
	return nil
}

// mayExist tells whether there may be a container to go on with.
func mayExist(life *checkpoint.Life) bool { return life.GetHeld() && life.GetCompleted() == 0 }

// fits refuses to offer less than what runs needs.
func (l *loop) fits() error {
	total, err := resources.FromProto(l.core.View().Agent.GetResources())
	if err != nil {
		return fmt.Errorf("read the agent's resources: %w", err)
	}
	return l.core.Fits(total)
}

func (l *loop) removeOrphans(ctx context.Context, orphans []isolator.ID) error {
	resisting := make([]bool, len(orphans))
	var g errgroup.Group
	g.SetLimit(maxLaunches)
	for i, id := range orphans {
		g.Go(func() error {
			if err := l.remove(ctx, id); err != nil {
				l.log.Warn("orphan container left behind", "container_id", id, "err", err)
				resisting[i] = true
				return ctx.Err()
			}
			l.log.Info("orphan container destroyed", "container_id", id)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("recover containers: %w", err)
	}
	for i, id := range orphans {
		if resisting[i] {
			l.resisting = append(l.resisting, id)
		}
	}
	return nil
}
