package agent

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"mezzo/agent/core"
	"mezzo/agent/qos"
	"mezzo/agent/slack"
	"mezzo/agent/task"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/isolator"
	"mezzo/resources"
)

// oversubscription is what is allocated here and not used, offered again, and how
// it is taken back. Without estimator nothing is offered, without controller
// nothing is taken.
type oversubscription struct {
	estimator  *slack.Estimator
	controller *qos.Controller

	told   int64 // in 1/1000 CPU
	toldTo *conn
	toldAt time.Time
}

func newOversubscription(c Config) (o oversubscription) {
	if c.ResourceEstimator == EstimatorSlack {
		o.estimator = slack.New(slack.Config{Window: c.SlackWindow, Margin: c.SlackMargin})
	}
	if c.QoSController == QoSPressure {
		o.controller = qos.New(qos.Default())
	}
	return o
}

// observed is one container's sample beside the one before.
type observed struct {
	id            ids.ContainerID
	c             *container
	before, after isolator.Usage
}

// usedMilli is the use of CPUs between two samples, in 1/1000.
func usedMilli(before, after isolator.Usage) int64 {
	wall := after.At.Sub(before.At)
	if wall <= 0 || after.CPU < before.CPU {
		return 0
	}
	return int64(1000 * float64(after.CPU-before.CPU) / float64(wall))
}

// part is how much of the time between two samples a total grew.
func part(before, after isolator.Usage, grown time.Duration) float64 {
	wall := after.At.Sub(before.At)
	if wall <= 0 {
		return 0
	}
	return min(1, max(0, float64(grown)/float64(wall)))
}

// cpuWaits is the part of the time that something in the container waited for a
// CPU. What its own limit made it wait for is not the machine's fault.
func (o observed) cpuWaits() float64 {
	a, b := o.before.CPUPressure, o.after.CPUPressure
	if a == nil || b == nil {
		return 0
	}
	return part(o.before, o.after, b.SomeTotal-a.SomeTotal-(o.after.Throttled-o.before.Throttled))
}

func (o observed) memStalls() float64 {
	a, b := o.before.MemPressure, o.after.MemPressure
	if a == nil || b == nil {
		return 0
	}
	return part(o.before, o.after, b.FullTotal-a.FullTotal)
}

// oversubscribe follows from what a sweep found; nodeBefore is the node's sample
// before, nil if there is none.
func (l *loop) oversubscribe(all []observed, nodeBefore *isolator.Usage, s samples) {
	slices.SortFunc(all, func(a, b observed) int { return cmp.Compare(a.id, b.id) })
	if l.over.estimator != nil && nodeBefore != nil && s.nodeErr == nil {
		l.estimate(all, *nodeBefore, s)
	}
	if l.over.controller != nil {
		l.protect(all)
	}
}

// estimate measures slack and tells the master.
func (l *loop) estimate(all []observed, nodeBefore isolator.Usage, s samples) {
	now := s.node.Used.At
	sample := slack.Sample{CPUsMilli: 1000 * int64(s.node.CPUs), UsedMilli: usedMilli(nodeBefore, s.node.Used)}
	for _, o := range all {
		used := usedMilli(o.before, o.after)
		if o.c.limits.Revocable {
			sample.RevocableUsed += used
			continue
		}
		sample.Tasks = append(sample.Tasks, slack.Task{ID: string(o.id), GivenMilli: o.c.limits.CPURequestMilli, UsedMilli: used})
	}
	milli := l.over.estimator.Add(now, sample)
	anew := l.over.toldTo != l.conn // who forgot what was told
	if l.conn == nil || milli == l.over.told && !anew || !anew && now.Sub(l.over.toldAt) < l.cfg.OversubscribedResourcesInterval {
		return
	}
	l.over.told, l.over.toldTo, l.over.toldAt = milli, l.conn, now
	l.conn.send(&link.FromAgent{Message: &link.FromAgent_Oversubscribed{Oversubscribed: &link.Oversubscribed{Resources: revocableCPUs(milli).Proto()}}})
	l.log.Debug("oversubscribed", "cpus_milli", milli)
}

func revocableCPUs(milli int64) resources.Resources {
	if milli <= 0 {
		return resources.Resources{}
	}
	return resources.MustParse("cpus{REV}:" + strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64))
}

// protect throttles and ends tasks on revocable resources for the sake of others.
func (l *loop) protect(all []observed) {
	var tasks []qos.Task
	var now time.Time // of the samples
	for _, o := range all {
		if o.after.At.After(now) {
			now = o.after.At
		}
		tasks = append(tasks, qos.Task{
			ID: string(o.id), Name: o.c.name(o.id), Revocable: o.c.limits.Revocable,
			GivenMilli: o.c.limits.CPURequestMilli, UsedMilli: usedMilli(o.before, o.after),
			CPUWaits: o.cpuWaits(), MemStalls: o.memStalls(), MemBytes: o.after.MemCurrentBytes,
		})
	}
	for _, d := range l.over.controller.Add(now, tasks) {
		id := ids.ContainerID(d.ID)
		c := l.containers[id]
		if c == nil {
			continue
		}
		if d.Evict {
			l.log.Info("revocable task evicted", "container_id", id, "task", c.name(id), "why", d.Why)
			l.step(core.Evict{Container: id, End: task.End{
				Reason: v1.TaskStatus_REASON_CONTAINER_PREEMPTED.Enum(), Message: "Preempted, for it is on revocable resources: " + d.Why,
			}})
			continue
		}
		l.log.Info("revocable task throttled", "container_id", id, "task", c.name(id), "limit_milli", d.LimitMilli, "why", d.Why)
		c.throttleMilli = d.LimitMilli
		l.applyLimits(id, c)
	}
}

// name is a container's for people.
func (c *container) name(id ids.ContainerID) string {
	if c.task != "" {
		return string(c.task)
	}
	return string(id)
}

// wanted are a container's limits as they should be now.
func (c *container) wanted() isolator.Limits {
	l := c.limits
	if c.throttleMilli > 0 {
		l.CPULimitMilli = c.throttleMilli
		l.CPURequestMilli = min(l.CPURequestMilli, c.throttleMilli)
	}
	return l
}
