package containerizer

import (
	"time"

	"mezzo/isolator"
)

// Spec is all a container is started from. Values are validated by Launch:
// errs.Invalid names what is wrong.
type Spec struct {
	ID     isolator.ID
	Labels map[string]string // kept with the container, returned by Recover

	// Image is a reference ("busybox:1.36", "registry:5000/a/b@sha256:…"). Empty:
	// the container sees the host's file system.
	Image string

	// Shell runs Value by "/bin/sh -c"; otherwise Value is the program and Args
	// its whole argv (Mesos's rule). Without Value and without Shell the image's
	// ENTRYPOINT is run, with Args[1:] (or its CMD when Args is empty).
	Shell bool
	Value string
	Args  []string

	Env        []string // KEY=VALUE, over the image's
	User       string   // name or uid[:gid]; empty: the image's, or root
	WorkingDir string   // empty: the image's, or the sandbox
	Hostname   string

	// Sandbox is a host directory; the container sees it at SandboxPath and, on
	// the host's file system, at its own path. It holds "stdout" and "stderr".
	Sandbox string
	Mounts  []Mount

	Capabilities []string // added to the default set, "CAP_NET_ADMIN"
	Limits       isolator.Limits
}

// SandboxPath is where a container with an image finds its sandbox.
const SandboxPath = "/mnt/mesos/sandbox"

// Mount binds a host path into the container.
type Mount struct {
	Source, Target string
	ReadOnly       bool
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
	Limitation *isolator.Limitation
	Usage      isolator.Usage // last sample, taken after the exit
}
