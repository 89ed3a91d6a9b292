package containerizer

import (
	"context"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/images"
	"mezzo/isolator"
)

// engine is what the containerizer needs of the program that holds containers:
// containerd, or a fake in tests.
//
// Errors have a class of package errs where one fits; of what is not there,
// errs.NotFound.
type engine interface {
	// image returns an image that is here and unpacked.
	image(ctx context.Context, ref string, p images.Policy, report func(images.Progress)) (images.Image, error)
	// prepare makes a root file system for a container and keeps img as long.
	// What an earlier try left is replaced.
	prepare(ctx context.Context, id isolator.ID, img images.Image) (rootfs, error)
	// create makes a container whose process waits to be started.
	create(ctx context.Context, n creation) (pid uint32, err error)
	start(ctx context.Context, id isolator.ID) error
	// wait returns the exit of a container that was created, any number of times.
	// Neither a restart of the engine nor one of this process is in its way.
	wait(ctx context.Context, id isolator.ID) (exit, error)
	// startCut tells of a container that has ended whether its start began and was
	// never finished.
	startCut(id isolator.ID) bool
	// kill signals the first process or, for one that would not notice, does what
	// the signal's default is. One that has ended is no error.
	kill(ctx context.Context, id isolator.ID, sig int) error
	// exec starts a further process in a container that runs, described by what
	// describe makes of its first one.
	exec(ctx context.Context, rec record, describe func(*specs.Process) (*specs.Process, error), s Streams) (process, error)
	// remove takes away what prepare and create made; its processes are gone.
	// Repeatable.
	remove(ctx context.Context, id isolator.ID) error
	// list returns the containers that create made with these labels, and what
	// prepare made without a container after it.
	list(ctx context.Context, owner string) ([]record, error)
	find(ctx context.Context, id isolator.ID) (record, error)
	usage(ctx context.Context, id isolator.ID) (isolator.Usage, error)
	// diskUsage is what the container wrote over its image, in bytes.
	diskUsage(ctx context.Context, id isolator.ID) (int64, error)
}

// rootfs is a container's root file system before its start.
type rootfs interface {
	// root is what the OCI spec says of it.
	root() *specs.Root
	// accounts reads /etc/passwd and /etc/group; what is missing is empty.
	accounts(ctx context.Context) (passwd, group []byte, err error)
}

// creation is what a container is created from.
type creation struct {
	id     isolator.ID
	image  string // full form; empty: none
	spec   *specs.Spec
	labels map[string]string
	output string // URI of both streams
}

// record is what an engine knows of a container.
type record struct {
	id     isolator.ID
	labels map[string]string
	state  state
	pid    uint32
}

// state is where a container's process is in its life.
type state int

const (
	absent  state = iota // no process: never created, or lost
	created              // waits to be started
	running
	stopped
)

// exit is the end of a container's first process.
type exit struct {
	code    int
	at      time.Time
	unknown bool // nobody knows code
}
