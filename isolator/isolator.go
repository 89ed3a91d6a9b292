package isolator

import (
	"context"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ID identifies a container on its agent.
type ID string

// Unlimited as a limit means that no ceiling is set.
const Unlimited int64 = -1

// Limits is what a container is guaranteed and what it may use at most.
//
// Units: CPU in 1/1000 CPU, memory in bytes.
type Limits struct {
	CPURequestMilli int64
	CPULimitMilli   int64 // Unlimited: none; 0: nothing was asked, the isolator's minimum
	MemRequestBytes int64
	MemLimitBytes   int64 // Unlimited: none; 0: nothing was asked, the isolator's minimum
	SwapLimitBytes  int64 // 0: no swap
	PidsLimit       int64 // Unlimited: none; 0: the isolator's default
	Revocable       bool  // first to be squeezed
}

// Container is what isolators are told about a container.
type Container struct {
	ID           ID
	Limits       Limits
	Capabilities []string // asked for on top of the default set, "CAP_NET_ADMIN"
	Group        *Group   `json:",omitempty"` // nil: it is in none
	// Within is the container that this one is nested in, and whose limits hold for
	// both together; empty: it is in none. It has to outlive this one.
	Within ID `json:",omitempty"`
}

// Group is what several containers are in: it may use what its members may, in
// sum, and a little more of its own. It is there as long as one of them is.
type Group struct {
	ID  ID     // of no container
	Own Limits // beyond the members'; of it, 0 is nothing
	// Guest says of a member that it adds nothing to the sum.
	Guest bool `json:",omitempty"`
}

// Isolator guards one kind of resource or boundary. Implementations are safe
// for concurrent use; calls that change one container come one at a time.
type Isolator interface {
	Name() string
	// Prepare sets up the host for c and edits the OCI spec it will start with.
	// Repeatable while nothing runs in the container. After an error call Cleanup.
	Prepare(ctx context.Context, c Container, s *specs.Spec) error
	// Cleanup removes what Prepare made, once the container's processes are gone;
	// it waits for the last of them until ctx ends. Repeatable; unknown id: nil.
	Cleanup(ctx context.Context, id ID) error
}

// Optional abilities of an Isolator, found once by NewSet.
type (
	// Updater changes the limits of a running container. It refuses with
	// errs.Conflict, and changes nothing, where the new limits would kill it.
	Updater interface {
		Update(ctx context.Context, c Container) error
	}
	// Reporter fills its part of a sample; pressures that are set are reused.
	// Gone or unknown containers: errs.NotFound, never zeros.
	Reporter interface {
		Usage(ctx context.Context, id ID, u *Usage) error
	}
	// Explainer says, after the exit and before Cleanup, whether a limit ended
	// the container; nil: none did. Read from counters that outlive the process.
	Explainer interface {
		Explain(ctx context.Context, id ID) (*Limitation, error)
	}
	// Killer ends every process of a container at once (cgroup.kill) and waits
	// until they are gone or ctx ends. Nothing there to kill: nil.
	Killer interface {
		Kill(ctx context.Context, id ID) error
	}
	// Recoverer adopts the known containers after a restart of the agent and
	// returns what it found besides, to be killed and cleaned up.
	Recoverer interface {
		Recover(ctx context.Context, known []Container) (orphans []ID, err error)
	}
)

// Cause says which limit ended a container.
type Cause int

// Causes.
const (
	CauseMemory     Cause = iota + 1 // the container's own memory limit
	CauseNodeMemory                  // an ancestor or the node ran out of memory
	CauseOther
)

// Limitation is the verdict on a container that a limit ended.
type Limitation struct {
	Cause   Cause
	Message string // for people: limit, peak, what was killed
}

// Pressure is one PSI file; averages in percent of wall time.
type Pressure struct {
	SomeAvg10, SomeAvg60 float64
	SomeTotal            time.Duration
	FullAvg10, FullAvg60 float64
	FullTotal            time.Duration
}

// Usage is one sample of a container's counters. Rates are the reader's to
// compute from two samples. Nil pressure: the kernel has none.
type Usage struct {
	At time.Time

	CPU, CPUUser, CPUSystem   time.Duration
	Periods, ThrottledPeriods uint64
	Throttled                 time.Duration
	CPUPressure               *Pressure

	// MemPeakBytes 0: the kernel does not tell.
	MemCurrentBytes, MemPeakBytes, MemWorkingSetBytes uint64
	MemAnonBytes, MemFileBytes, MemKernelBytes        uint64
	OOMEvents, OOMKills                               uint64
	MemPressure                                       *Pressure

	Pids, PidsLimit uint64 // PidsLimit 0: none
	IOPressure      *Pressure
}
