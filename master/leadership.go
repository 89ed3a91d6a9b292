package master

import (
	"context"
	"iter"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/master/registry"
)

// Contender is how a master comes to lead.
type Contender interface {
	// Contend makes this master known as info, and returns once it leads, with
	// all from before at hand. Errors: ctx's, or what will never work.
	Contend(ctx context.Context, info *v1.MasterInfo) (Reign, error)
	// Alone says that there are no other masters: it leads at once.
	Alone() bool
	// Replicas is how many replicas of the log vote, and whether this one takes
	// part.
	Replicas() (voters int, recovered bool)
	// Leader is the address, host:port, of who leads; "" if nobody is known to.
	Leader() string
}

// Reign is a time in which this master leads, and surely no other.
type Reign interface {
	// Context ends when it is over.
	Context() context.Context
	// Until is up to when it lasts in any case. It moves on by itself.
	Until() time.Time
	// Load is all that masters before kept.
	Load() iter.Seq2[registry.Change, error]
	// Commit makes changes durable, in the order of the calls, and calls done, in
	// that order. An error says that nobody knows, and ends the reign. May block,
	// until ctx ends.
	Commit(ctx context.Context, changes []registry.Change, done func(error))
	// SizeBytes is of all that is kept, names and values.
	SizeBytes() int64
	// Resign ends it, so that another may lead at once.
	Resign()
}

// forever is the reign of a master that contends with nobody and keeps nothing,
// for tests and trials.
type forever struct{ ctx context.Context }

func (f forever) Context() context.Context { return f.ctx }
func (forever) Until() time.Time           { return time.Now().Add(time.Hour) }
func (forever) Load() iter.Seq2[registry.Change, error] {
	return func(func(registry.Change, error) bool) {}
}
func (forever) Commit(_ context.Context, _ []registry.Change, done func(error)) { done(nil) }
func (forever) SizeBytes() int64                                                { return 0 }
func (forever) Resign()                                                         {}
