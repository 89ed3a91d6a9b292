package master

import (
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
)

// Bounds of what waits to be written, counted in protobuf.
const (
	// maxQueueBytes may wait for one peer: the answer to a framework that asks for
	// its 200,000 tasks at once.
	maxQueueBytes = 64 << 20
	// maxQueuesBytes may wait for all together. Beyond it, who has more than
	// fairQueueBytes gets no more.
	maxQueuesBytes = 256 << 20
	fairQueueBytes = 1 << 20
	// batchBytes, or little more, are on their way from the queue to the peer.
	batchBytes = 256 << 10
)

// queue is what waits to be written to one peer. The loop puts in and closes;
// the peer's own goroutine takes out, and cuts it when it ends.
type queue[M any] struct {
	size  func(M) int   // in bytes
	all   *atomic.Int64 // bytes in all queues
	wake  chan struct{} // holds one token while there is something to take
	ended chan struct{} // closed when the queue is

	mu      sync.Mutex
	waiting []M
	bytes   int
	closed  bool
	err     error // why, if there is something to say
}

func newQueue[M proto.Message](all *atomic.Int64) *queue[M] {
	return newQueueOf(all, func(m M) int { return proto.Size(m) })
}

// newQueueOf is newQueue for what has another size.
func newQueueOf[M any](all *atomic.Int64, size func(M) int) *queue[M] {
	return &queue[M]{size: size, all: all, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// push adds m. It is false if m does not fit; a queue that is empty takes
// anything, a closed one too (and forgets it).
func (q *queue[M]) push(m M) bool {
	size := q.size(m)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	most := maxQueueBytes
	if q.all.Load()+int64(size) > maxQueuesBytes {
		most = fairQueueBytes
	}
	if q.bytes > 0 && q.bytes+size > most {
		return false
	}
	q.waiting = append(q.waiting, m)
	q.count(size)
	q.signal()
	return true
}

// count needs mu held.
func (q *queue[M]) count(size int) {
	q.bytes += size
	q.all.Add(int64(size))
}

// close ends the queue after what waits in it.
func (q *queue[M]) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end(err)
}

// cut ends the queue at once: what waits in it is lost.
func (q *queue[M]) cut(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = nil
	q.count(-q.bytes)
	q.end(err)
}

// end needs mu held; the first reason stays.
func (q *queue[M]) end(err error) {
	if !q.closed {
		q.closed, q.err = true, err
		close(q.ended)
		q.signal()
	}
}

func (q *queue[M]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// reason is why the queue ended, if it did and there is something to say.
func (q *queue[M]) reason() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// take returns the oldest of what waits; closed says that nothing will come
// after it.
func (q *queue[M]) take() (batch []M, closed bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && size < batchBytes {
		size += q.size(q.waiting[n])
		n++
	}
	batch = slices.Clone(q.waiting[:n])
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	q.count(-size)
	if len(q.waiting) > 0 {
		q.signal()
		return batch, false, nil
	}
	q.waiting = nil
	return batch, q.closed, q.err
}
