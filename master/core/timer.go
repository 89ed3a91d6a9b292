package core

import (
	"cmp"
	"container/heap"
	"time"
)

// timer calls fire once its time has come.
type timer struct {
	at    time.Time
	seq   uint64 // order of making, for timers of the same time
	fire  func()
	index int // in the heap; -1 once out of it
}

// timers is a heap, the earliest first.
type timers []*timer

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	return cmp.Or(t[i].at.Compare(t[j].at), cmp.Compare(t[i].seq, t[j].seq)) < 0
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

func (t *timers) Push(x any) {
	added := x.(*timer)
	added.index = len(*t)
	*t = append(*t, added)
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	x.index = -1
	return x
}

// after plans fire for now+d.
func (c *Core) after(d time.Duration, fire func()) *timer {
	c.timerSeq++
	t := &timer{at: c.now.Add(d), seq: c.timerSeq, fire: fire}
	heap.Push(&c.timers, t)
	return t
}

// cancel forgets t; nil and a timer that fired are fine.
func (c *Core) cancel(t *timer) {
	if t != nil && t.index >= 0 {
		heap.Remove(&c.timers, t.index)
	}
}

// fireTimers calls what is due.
func (c *Core) fireTimers() {
	for len(c.timers) > 0 && !c.timers[0].at.After(c.now) {
		heap.Pop(&c.timers).(*timer).fire()
	}
}
