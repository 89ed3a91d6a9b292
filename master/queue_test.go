package master

// Goal: what waits for peers is bounded, for each and for all together, and comes
// out whole and in order. Method: a queue alone, messages of a known size.

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mezzo/api/link"
)

func sized(n int) *link.FromMaster {
	return &link.FromMaster{Message: &link.FromMaster_Shutdown{Shutdown: &link.Shutdown{Message: strings.Repeat("x", n)}}}
}

// fill pushes megabytes until q takes no more, and returns how many it took.
func fill(q *agentQueue) (n int) {
	for m := sized(1<<20 - 100); q.push(m); n++ {
	}
	return n
}

func TestQueueBounds(t *testing.T) {
	var all atomic.Int64
	one := newQueue[*link.FromMaster](&all)
	if n := fill(one); n != maxQueueBytes>>20 {
		t.Errorf("one queue takes %d MiB", n)
	}
	var more []*agentQueue
	taken := maxQueueBytes >> 20
	for range 10 {
		more = append(more, newQueue[*link.FromMaster](&all))
		taken += fill(more[len(more)-1])
	}
	if most := (maxQueuesBytes + 10*fairQueueBytes) >> 20; taken > most {
		t.Errorf("all queues take %d MiB, more than %d", taken, most)
	}
	modest := newQueue[*link.FromMaster](&all)
	for range 1000 {
		if !modest.push(sized(100)) {
			t.Fatal("who lets little wait must wait for those who let much")
		}
	}
	for _, q := range append(more, one, modest) {
		q.cut(nil)
	}
	if left := all.Load(); left != 0 {
		t.Errorf("%d bytes are left of nothing", left)
	}
}

func TestQueueOrder(t *testing.T) {
	var all atomic.Int64
	q := newQueue[*link.FromMaster](&all)
	const count = 10_000
	for i := range count {
		m := sized(100)
		m.GetShutdown().Message = strconv.Itoa(i) + m.GetShutdown().GetMessage()
		q.push(m)
	}
	why := errors.New("why")
	q.close(why)
	next := 0
	for range q.wake {
		batch, closed, err := q.take()
		for _, m := range batch {
			if !strings.HasPrefix(m.GetShutdown().GetMessage(), strconv.Itoa(next)+"x") {
				t.Fatalf("%.10s instead of %d", m.GetShutdown().GetMessage(), next)
			}
			next++
		}
		if closed != (next == count) || closed != (err != nil) {
			t.Fatalf("after %d: closed %v, %v", next, closed, err)
		}
		if closed {
			break
		}
	}
	if left := all.Load(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}
