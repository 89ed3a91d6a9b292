package containerizer

import (
	"context"
	"time"

	"mezzo/isolator"
)

// Spec is all a container is started from. Values are validated by Launch:
// errs.Invalid names what is wrong.
type Spec struct {
	ID     isolator.ID
	Labels map[string]string // kept with the container, for people who look at it

	// Image is a reference as images.ParseRef reads it ("busybox:1.36",
	// "registry:5000/a/b@sha256:…", "file:///path/image.tar"). Empty: the container
	// sees the host's file system.
	Image      string
	AlwaysPull bool // ask the registry even if the image is here

	// Shell runs Value by "/bin/sh -c"; otherwise Value is the program and Args
	// its whole argv (Mesos's rule). Without Value and without Shell the image's
	// ENTRYPOINT is run, with Args after it or, if there are none, its CMD; an
	// image without ENTRYPOINT gives the program by the first word of its CMD.
	//
	// Source: mesos, the table in isolators/docker/runtime.cpp.
	Shell bool
	Value string
	Args  []string

	Env        []string // KEY=VALUE, over the image's
	User       string   // name or uid, with :group or :gid; empty: the image's, or root
	WorkingDir string   // empty: the image's, or the sandbox
	Hostname   string   // empty: the host's

	// Sandbox is a host directory; the container sees it at SandboxPath and, on
	// the host's file system, at its own path. Launch gives it, and the Mounts whose
	// source is in it, to the container's user, and makes "stdout" and "stderr" in it.
	Sandbox string
	Mounts  []Mount

	// Fill puts what the command needs into the sandbox, for the container's user,
	// once the image is there and before the container is made; nil: nothing.
	// It is not part of what tells two Specs apart.
	Fill func(ctx context.Context, uid, gid uint32) error `json:"-"`

	Capabilities []string // added to the default set, "CAP_NET_ADMIN"
	Limits       isolator.Limits
	Group        *isolator.Group `json:",omitempty"` // nil: it is in none
	Within       isolator.ID     `json:",omitempty"` // the container it is nested in; empty: none
}

// SandboxPath is where a container with an image finds its sandbox.
const SandboxPath = "/mnt/mesos/sandbox"

// Mount binds a host path into the container.
type Mount struct {
	Source, Target string
	ReadOnly       bool
	Own            bool `json:",omitempty"` // it is given to the container's user, as the sandbox is
}

// Launched tells how a container was started.
type Launched struct {
	PID         uint32
	ImageDigest string // empty without an image
}

// Termination is how a container ended.
type Termination struct {
	Code       int       // exit code; 128+signal when killed by one
	At         time.Time // when, by the shim
	Unknown    bool      // the status was lost with its shim; Code means nothing
	Unstarted  bool      // its start was cut short, with what asked for it; Code is the runtime's
	Limitation *isolator.Limitation
	Usage      isolator.Usage // last sample, taken after the exit; zero if none can be had
}
