package containerizer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/internal/errs"
)

// newSpec makes the OCI spec before the isolators edit it: what the container
// sees and what it runs. What it may do and use is theirs, package security's
// first of all.
//
// ctx carries the namespace that the library puts into the cgroup's path.
func newSpec(ctx context.Context, s *Spec, c *ocispec.ImageConfig, who account, hidden []string) (*specs.Spec, error) {
	args, err := argv(s, c)
	if err != nil {
		return nil, err
	}
	cwd, err := workingDir(s, c)
	if err != nil {
		return nil, err
	}
	if s, err = resolved(s, hidden); err != nil {
		return nil, err
	}
	o, err := oci.GenerateSpec(ctx, nil, &containers.Container{ID: string(s.ID)})
	if err != nil {
		return nil, fmt.Errorf("make spec: %w", err)
	}
	o.Hostname = s.Hostname
	o.Process.Args, o.Process.Env, o.Process.Cwd = args, environ(s, c, who.home), cwd
	o.Process.User = who.User
	o.Linux.Namespaces = slices.DeleteFunc(o.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.NetworkNamespace // it is the host's
	})
	o.Linux.MaskedPaths = append(o.Linux.MaskedPaths, maskedIn(s, hidden)...)
	o.Mounts, err = mounts(s, o.Mounts, hidden)
	return o, err
}

// resolved is s with the links in its mounts' sources followed, as the runtime
// would: what they lead to is what is mounted.
func resolved(s *Spec, hidden []string) (*Spec, error) {
	r := *s
	r.Mounts = slices.Clone(s.Mounts)
	for i := range r.Mounts {
		m := &r.Mounts[i]
		to, err := filepath.EvalSymlinks(m.Source)
		if errors.Is(err, fs.ErrNotExist) {
			err = errs.NotFound
		}
		if err != nil {
			return nil, fmt.Errorf("mount source %q: %w", m.Source, err)
		}
		m.Source = to
		if err := m.validate(hidden); err != nil {
			return nil, err
		}
	}
	return &r, nil
}

// mounts are the kernel's file systems, the sandbox, the files of name service,
// and what the Spec asks for.
func mounts(s *Spec, defaults []specs.Mount, hidden []string) ([]specs.Mount, error) {
	// An image may have files in /run, a host surely has.
	list := slices.DeleteFunc(defaults, func(m specs.Mount) bool { return m.Destination == "/run" })
	list = append(list, specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
		Options: []string{"ro", "nosuid", "noexec", "nodev"},
	})
	sandbox := SandboxPath
	if s.Image == "" {
		host, err := hostMounts(hidden)
		if err != nil {
			return nil, err
		}
		// The kernel's file systems come after, over what is bound.
		list = append(host, list...)
		sandbox = s.Sandbox
	} else {
		for _, file := range []string{"/etc/resolv.conf", "/etc/hosts"} {
			if _, err := os.Stat(file); err == nil {
				list = append(list, bind(file, file, true))
			}
		}
	}
	list = append(list, bind(s.Sandbox, sandbox, false))
	for _, m := range s.Mounts {
		if err := checkMountPoint(s, m); err != nil {
			return nil, err
		}
		list = append(list, bind(m.Source, m.Target, m.ReadOnly))
	}
	return list, nil
}

func bind(source, target string, readOnly bool) specs.Mount {
	m := specs.Mount{Destination: target, Type: "bind", Source: source, Options: []string{"rbind", "rprivate"}}
	if readOnly {
		m.Options = append(m.Options, "ro", "rro") // rro: and what is mounted below
	}
	return m
}

// checkMountPoint keeps the runtime from making the target on the host's file
// system: that would change the host.
func checkMountPoint(s *Spec, m Mount) error {
	if s.Image != "" || within(m.Target, s.Sandbox) {
		return nil
	}
	if _, err := os.Stat(m.Target); err != nil {
		return invalid("mount target %q is not there on the host, whose file system the container sees: %v", m.Target, err)
	}
	return nil
}

// maskedIn are the hidden directories where the container would see them.
func maskedIn(s *Spec, hidden []string) []string {
	var masked []string
	for _, dir := range hidden {
		if s.Image == "" {
			masked = append(masked, dir)
		}
		for _, m := range s.Mounts {
			if within(dir, m.Source) {
				masked = append(masked, path.Join(m.Target, dir[len(m.Source):]))
			}
		}
	}
	return masked
}
