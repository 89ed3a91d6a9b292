package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"mezzo/agent/meter"
	"mezzo/agent/nested"
	"mezzo/api/ids"
	"mezzo/api/link"
	"mezzo/api/usage"
	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/node"
)

// sweepTimeout bounds one sweep; the next waits for its end.
const sweepTimeout = 30 * time.Second

// samples is what a sweep found.
type samples struct {
	containers map[ids.ContainerID]isolator.Usage // groups and nested ones too
	node       node.Sample
	nodeErr    error
}

// sweep samples every running container and the node, and reports them.
func (l *loop) sweep() {
	if l.sweeping {
		return
	}
	l.sweeping = true
	running, groups := []ids.ContainerID(nil), make(map[ids.ContainerID]bool)
	for id, c := range l.containers {
		if c.running {
			running = append(running, id)
		}
		if c.running && c.group != "" && !groups[c.group] {
			groups[c.group] = true
			running = append(running, c.group)
		}
	}
	for _, n := range l.nested.All() {
		if n.State == nested.Running {
			running = append(running, n.Name)
		}
	}
	l.workers.Go(func() {
		s := l.sample(running)
		l.result(func() {
			l.sweeping = false
			l.swept(s)
		})
	})
}

// sample reads the kernel's counters, in a worker. A container that can't be
// sampled (gone meanwhile, or not isolated) is left out.
func (l *loop) sample(running []ids.ContainerID) samples {
	ctx, cancel := context.WithTimeout(l.ctx, sweepTimeout)
	defer cancel()
	s := samples{containers: make(map[ids.ContainerID]isolator.Usage, len(running))}
	for _, id := range running {
		u, err := l.deps.Containers.Usage(ctx, isolator.ID(id))
		switch {
		case err == nil:
			s.containers[id] = u
		case errors.Is(err, errs.NotFound), errors.Is(err, errs.Unsupported), ctx.Err() != nil:
		default:
			l.log.Debug("sample a container", "container_id", id, "err", err)
		}
	}
	s.node, s.nodeErr = node.Read(os.DirFS("/proc"))
	return s
}

// swept keeps the samples and sends them.
func (l *loop) swept(s samples) {
	report := &link.Usage{All: true}
	nodeBefore, all := l.node, []observed(nil)
	if s.nodeErr != nil {
		l.log.Warn("sample the node", "err", s.nodeErr)
	} else {
		report.Node = meter.Node(l.node, s.node)
		l.node = &s.node.Used
	}
	clear(l.others)
	for id, u := range s.containers {
		if l.containers[id] == nil {
			l.others[id] = &u
		}
		if c := l.containers[id]; c != nil && c.running {
			if c.last != nil {
				all = append(all, observed{id, c, *c.last, u})
			}
			report.Containers = append(report.Containers, c.sampled(id, u))
		}
	}
	if l.reports.due(time.Now(), l.cfg.UsageInterval) {
		l.sendUsage(report)
	}
	l.oversubscribe(all, nodeBefore, s)
}

// lastSample keeps and sends what a container used in all, taken at its end.
func (l *loop) lastSample(id ids.ContainerID, c *container, u isolator.Usage) {
	if !u.At.IsZero() {
		l.sendUsage(&link.Usage{Containers: []*usage.ContainerUsage{c.sampled(id, u)}})
	}
}

// sampled takes a new sample in and returns its report.
func (c *container) sampled(id ids.ContainerID, u isolator.Usage) *usage.ContainerUsage {
	r := meter.Container(c.last, u, c.limits)
	r.FrameworkId, r.TaskId, r.ContainerId = c.framework.Proto(), c.task.Proto(), id.Proto()
	if c.executor != "" {
		r.ExecutorId = c.executor.Proto()
	}
	c.last = &u
	return r
}

func (l *loop) sendUsage(u *link.Usage) {
	if l.conn != nil {
		l.conn.send(&link.FromAgent{Message: &link.FromAgent_Usage{Usage: u}})
	}
}
