package updates

import (
	"fmt"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// Retry times of an update that is not acknowledged (mesos slave/constants.hpp).
const (
	FirstRetry = 10 * time.Second
	LastRetry  = 10 * time.Minute
)

// UUID identifies an update.
type UUID [16]byte

// ParseUUID reads the 16 bytes of the wire.
func ParseUUID(b []byte) (UUID, error) {
	if len(b) != len(UUID{}) {
		return UUID{}, fmt.Errorf("uuid of %d bytes, not %d: %w", len(b), len(UUID{}), errs.Invalid)
	}
	return UUID(b), nil
}

// Update is one status of a task. The Status is never changed once added.
type Update struct {
	UUID     UUID
	Status   *v1.TaskStatus
	Terminal bool // none follows
}

// Stream is the updates of one task. The zero value is empty and ready.
//
// Concurrency: none; one owner.
type Stream struct {
	queue []Update          // not acknowledged, oldest first
	seen  map[UUID]struct{} // in queue and acked
	acked []UUID            // the newest, oldest first
	ended bool              // the terminal update was added

	retry time.Duration // after the next sending of the head; 0: never sent
	due   time.Time     // of the head; zero: at once
}

// Add appends u. A uuid that was seen before is not fresh and changes nothing.
//
// Errors: errs.Conflict after a terminal update.
func (s *Stream) Add(u Update) (fresh bool, err error) {
	if _, ok := s.seen[u.UUID]; ok {
		return false, nil
	}
	if s.ended {
		return false, fmt.Errorf("update %x after the terminal one: %w", u.UUID, errs.Conflict)
	}
	if s.seen == nil {
		s.seen = make(map[UUID]struct{})
	}
	s.seen[u.UUID] = struct{}{}
	s.queue = append(s.queue, u)
	s.ended = u.Terminal
	return true, nil
}

// Seen tells whether an update with that uuid was added, as far as it is
// remembered.
func (s *Stream) Seen(id UUID) bool {
	_, ok := s.seen[id]
	return ok
}

// Ack takes the head away.
//
// Errors: errs.Exists if id was acknowledged before (a repeated sending was
// answered twice), errs.Conflict if it is not yet its turn, errs.NotFound if it
// was never added. Nothing changes then.
func (s *Stream) Ack(id UUID) error {
	if len(s.queue) > 0 && s.queue[0].UUID == id {
		s.queue = s.queue[1:]
		s.remember(id)
		s.Rewind()
		return nil
	}
	if _, ok := s.seen[id]; !ok {
		return fmt.Errorf("acknowledge update %x: %w", id, errs.NotFound)
	}
	for _, u := range s.queue {
		if u.UUID == id {
			return fmt.Errorf("acknowledge update %x before the one ahead: %w", id, errs.Conflict)
		}
	}
	return fmt.Errorf("acknowledge update %x: %w", id, errs.Exists)
}

// Supersede takes the newest update away if it was never sent and says the same
// state as what is to be added after it: of news that nobody reads, the newest
// will do.
func (s *Stream) Supersede(state v1.TaskState) {
	n := len(s.queue) - 1
	if n < 1 || s.ended || s.queue[n].Status.GetState() != state {
		return
	}
	delete(s.seen, s.queue[n].UUID)
	s.queue = s.queue[:n:n]
}

// maxAcked is how many acknowledged updates are remembered: repetitions come
// soon, and the stream of a task that tells its health for years must not grow.
const maxAcked = 256

func (s *Stream) remember(id UUID) {
	s.acked = append(s.acked, id)
	if len(s.acked) > maxAcked {
		delete(s.seen, s.acked[0])
		s.acked = s.acked[1:]
	}
}

// Saved is a Stream to be kept elsewhere.
type Saved struct {
	Queue []Update
	Acked []UUID
	Ended bool
}

// Save returns what it shares with s, not to be changed.
func (s *Stream) Save() Saved { return Saved{s.queue, s.acked, s.ended} }

// Restore makes a stream that goes on where another was saved; its head is due.
func Restore(from Saved) Stream {
	s := Stream{queue: from.Queue, ended: from.Ended, seen: make(map[UUID]struct{})}
	for _, u := range from.Queue {
		s.seen[u.UUID] = struct{}{}
	}
	for _, id := range from.Acked {
		s.seen[id] = struct{}{}
		s.remember(id)
	}
	return s
}

// Due returns the head if it is time to send it, and plans the next sending.
func (s *Stream) Due(now time.Time) (Update, bool) {
	if len(s.queue) == 0 || now.Before(s.due) {
		return Update{}, false
	}
	s.retry = min(max(2*s.retry, FirstRetry), LastRetry)
	s.due = now.Add(s.retry)
	return s.queue[0], true
}

// NextWake is when Due will have the head; the zero time stands for at once.
func (s *Stream) NextWake() (time.Time, bool) { return s.due, len(s.queue) > 0 }

// Rewind makes the head due at once, as for a new connection.
func (s *Stream) Rewind() { s.retry, s.due = 0, time.Time{} }

// Hasten makes the head due no later than at. It takes along what is Latest.
func (s *Stream) Hasten(at time.Time) {
	if len(s.queue) > 0 && at.Before(s.due) {
		s.due = at
	}
}

// Latest is the newest update that is not acknowledged.
func (s *Stream) Latest() (Update, bool) {
	if len(s.queue) == 0 {
		return Update{}, false
	}
	return s.queue[len(s.queue)-1], true
}

// Closed says that the terminal update is acknowledged.
func (s *Stream) Closed() bool { return s.ended && len(s.queue) == 0 }

// Pending is how many updates are not acknowledged.
func (s *Stream) Pending() int { return len(s.queue) }

// Head is the update to be acknowledged next.
func (s *Stream) Head() (Update, bool) {
	if len(s.queue) == 0 {
		return Update{}, false
	}
	return s.queue[0], true
}
