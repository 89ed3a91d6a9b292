package master

import (
	"sync"

	"google.golang.org/protobuf/proto"
)

// maxQueueBytes bounds what may wait for one peer, counted in protobuf. It has
// room for the answer to a framework that asks for its 200,000 tasks at once.
const maxQueueBytes = 64 << 20

// queue is what waits to be written to one peer. The loop puts in and closes;
// the peer's own goroutine takes out.
type queue[M proto.Message] struct {
	wake  chan struct{} // holds one token while there is something to take
	ended chan struct{} // closed when the queue is

	mu      sync.Mutex
	waiting []M
	bytes   int
	closed  bool
	err     error // why, if there is something to say
}

func newQueue[M proto.Message]() *queue[M] {
	return &queue[M]{wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// push adds m. It is false if m does not fit; a queue that is empty takes
// anything, a closed one too (and forgets it).
func (q *queue[M]) push(m M) bool {
	size := proto.Size(m)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	if q.bytes > 0 && q.bytes+size > maxQueueBytes {
		return false
	}
	q.waiting, q.bytes = append(q.waiting, m), q.bytes+size
	q.signal()
	return true
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
	q.waiting, q.bytes = nil, 0
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

// take returns all that waits; closed says that nothing will come after it.
func (q *queue[M]) take() (batch []M, closed bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.waiting, q.bytes = q.waiting, nil, 0
	return batch, q.closed, q.err
}
