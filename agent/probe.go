package agent

import (
	"context"
	"time"

	"mezzo/agent/core"
	"mezzo/agent/launch"
	"mezzo/agent/probe"
	"mezzo/agent/prober"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/isolator"
)

const (
	// maxProbes may be under way at once.
	maxProbes = 64
	// maxProbe bounds an attempt that has no timeout of its own.
	maxProbe = time.Hour
	// maxSaid is how much of a command's words is told.
	maxSaid = 300
)

// probe makes one attempt of a task's check, in a worker.
func (l *loop) probe(e core.Probe) {
	l.workers.Go(func() {
		o := l.attempt(e)
		l.result(func() {
			l.step(core.Probed{Container: e.Container, Kind: e.Kind, Number: e.Attempt.Number, Outcome: o})
		})
	})
}

func (l *loop) attempt(e core.Probe) probe.Outcome {
	select {
	case l.probing <- struct{}{}:
		defer func() { <-l.probing }()
	case <-l.ctx.Done():
		return probe.Outcome{Why: "the agent ends"}
	}
	timeout := e.Attempt.Timeout
	if timeout <= 0 || timeout > maxProbe {
		timeout = maxProbe
	}
	ctx, cancel := context.WithTimeout(l.ctx, timeout)
	defer cancel()
	t := prober.Target{PID: e.PID, Run: func(ctx context.Context, c *v1.CommandInfo) (int, string, error) {
		return l.runCheck(ctx, e.Container, c)
	}}
	if e.Kind == core.HealthCheck {
		return prober.HealthCheck(ctx, t, e.Task.GetHealthCheck())
	}
	return prober.Check(ctx, t, e.Task.GetCheck())
}

// runCheck runs a check's command in the task's container.
func (l *loop) runCheck(ctx context.Context, id ids.ContainerID, c *v1.CommandInfo) (code int, said string, err error) {
	var out tail
	p, err := l.deps.Containers.Exec(ctx, isolator.ID(id), containerizer.ExecSpec{
		Shell: c.GetShell(), Value: c.GetValue(), Args: c.GetArguments(), Env: launch.Environment(c), User: c.GetUser(),
	}, containerizer.Streams{Stdout: &out, Stderr: &out})
	if err != nil {
		return 0, "", err
	}
	defer func() {
		if err := p.Close(context.WithoutCancel(ctx)); err != nil {
			l.log.Warn("end the command of a check", "container_id", id, "err", err)
		}
	}()
	code, unknown, err := p.Wait(ctx)
	if err == nil && unknown {
		code = -1
	}
	return code, out.String(), err
}
