package wal

import "sync"

// batch is what waits to be written together: one append, or a truncation.
type batch struct {
	records  []Record
	sums     []uint32 // of the payloads
	bytes    int64    // in a segment
	sync     bool
	truncate bool
	below    uint64
	done     func(error)
	err      error
}

// queue holds batches in order, a bounded number of bytes of them.
type queue struct {
	mu      sync.Mutex
	work    sync.Cond
	room    sync.Cond
	batches []*batch
	bytes   int64
	limit   int64
	err     error // why nothing more is taken
}

func newQueue(limit int64) *queue {
	q := &queue{limit: limit}
	q.work.L, q.room.L = &q.mu, &q.mu
	return q
}

// put waits for room. An empty queue has room for any batch.
func (q *queue) put(b *batch) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && q.bytes > 0 && q.bytes+b.bytes > q.limit {
		q.room.Wait()
	}
	if q.err != nil {
		return q.err
	}
	q.batches = append(q.batches, b)
	q.bytes += b.bytes
	q.work.Signal()
	return nil
}

// take waits for batches and takes all there are, into a slice that take was
// given; none once the queue is closed and empty.
func (q *queue) take(into []*batch) []*batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && len(q.batches) == 0 {
		q.work.Wait()
	}
	out := q.batches
	q.batches, q.bytes = into[:0], 0
	q.room.Broadcast()
	return out
}

// close refuses what is put from now on with err. The first error stays.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.work.Broadcast()
	q.room.Broadcast()
}
