package launch

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
)

// volumes fills the mounts and the directories of the sandbox behind them.
func volumes(p *Plan, vs []*v1.Volume) error {
	seen := make(map[string]bool)
	for i, v := range vs {
		m, dir, err := mount(p, v)
		if err != nil {
			return fmt.Errorf("container.volumes[%d] at %q: %w", i, v.GetContainerPath(), err)
		}
		if seen[m.Target] {
			return invalid("container.volumes[%d]: %q has a volume already", i, v.GetContainerPath())
		}
		seen[m.Target] = true
		p.Spec.Mounts = append(p.Spec.Mounts, m)
		if dir != "" {
			p.Dirs = append(p.Dirs, dir)
		}
	}
	return nil
}

// mount is one volume; dir is what it needs in the sandbox, if anything.
func mount(p *Plan, v *v1.Volume) (m containerizer.Mount, dir string, err error) {
	s := &p.Spec
	m.ReadOnly = v.GetMode() == v1.Volume_RO
	if m.Target, err = target(s, v.GetContainerPath()); err != nil {
		return m, "", err
	}
	if src := v.GetSource(); src.GetType() == v1.Volume_Source_SANDBOX_PATH && src.GetSandboxPath().GetType() == v1.Volume_Source_SandboxPath_PARENT {
		if p.parent == "" {
			return m, "", unsupported("source.sandbox_path.type PARENT: the task has no parent")
		}
		inParent, err := relative("source.sandbox_path.path", src.GetSandboxPath().GetPath())
		if err == nil && strings.Contains(inParent, "/") {
			// A task could put a link where the next one's mount goes through.
			return m, "", unsupported("source.sandbox_path.path %q: what tasks share is a directory right in the group's sandbox", inParent)
		}
		p.ParentDirs = append(p.ParentDirs, inParent)
		m.Source = filepath.Join(p.parent, inParent)
		return m, "", err
	}
	host, inSandbox, err := source(v)
	if err != nil {
		return m, "", err
	}
	if inSandbox == "" {
		m.Source = host
		return m, "", nil
	}
	m.Source = filepath.Join(s.Sandbox, inSandbox)
	return m, inSandbox, nil
}

// persistent mounts volumes that outlive the task.
func persistent(p *Plan, vs []Volume) error {
	p.Volumes = vs
	for _, v := range vs {
		at, err := target(&p.Spec, v.Container)
		if err != nil {
			return fmt.Errorf("persistent volume at %q: %w", v.Container, err)
		}
		for _, m := range p.Spec.Mounts {
			if m.Target == at {
				return invalid("persistent volume at %q: it has a volume already", v.Container)
			}
		}
		p.Spec.Mounts = append(p.Spec.Mounts, containerizer.Mount{Source: v.Host, Target: at, ReadOnly: v.ReadOnly, Own: !v.Shared})
	}
	return nil
}

// source is where a volume comes from: a path of the host, or a directory of
// the sandbox.
func source(v *v1.Volume) (host, inSandbox string, err error) {
	src := v.GetSource()
	switch {
	case v.GetImage() != nil:
		return "", "", unsupported("volumes from images are not supported")
	case src == nil && v.HostPath == nil:
		return "", "", invalid("neither host_path nor source is set")
	case src != nil && v.HostPath != nil:
		return "", "", invalid("both host_path and source are set")
	case src == nil && !path.IsAbs(v.GetHostPath()):
		// As in Mesos, a relative host_path is below the sandbox.
		inSandbox, err = relative("host_path", v.GetHostPath())
		return "", inSandbox, err
	case src == nil:
		host, err = absolute("host_path", v.GetHostPath())
		return host, "", err
	}
	switch src.GetType() {
	case v1.Volume_Source_HOST_PATH:
		if src.GetHostPath().GetMountPropagation().GetMode() != v1.MountPropagation_UNKNOWN {
			return "", "", unsupported("source.host_path.mount_propagation is not supported")
		}
		host, err = absolute("source.host_path.path", src.GetHostPath().GetPath())
		return host, "", err
	case v1.Volume_Source_SANDBOX_PATH:
		inSandbox, err = relative("source.sandbox_path.path", src.GetSandboxPath().GetPath())
		return "", inSandbox, err
	default:
		return "", "", unsupported("source.type %s is not supported", src.GetType())
	}
}

// target is where the container sees a volume; a relative path is below its
// sandbox.
func target(s *containerizer.Spec, p string) (string, error) {
	if !path.IsAbs(p) {
		rel, err := relative("container_path", p)
		if s.Image == "" {
			return filepath.Join(s.Sandbox, rel), err
		}
		return path.Join(containerizer.SandboxPath, rel), err
	}
	abs, err := absolute("container_path", p)
	if err != nil {
		return "", err
	}
	for _, kernel := range []string{"/dev", "/proc", "/sys"} {
		if abs == "/" || abs == kernel || strings.HasPrefix(abs, kernel+"/") {
			return "", invalid("container_path %q is the kernel's or above it", p)
		}
	}
	return abs, nil
}

// absolute takes a path as it is or refuses it.
func absolute(field, p string) (string, error) {
	if !path.IsAbs(p) || strings.ContainsRune(p, 0) || hasDotDot(p) {
		return "", invalid("%s %q is not an absolute path without ..", field, p)
	}
	return path.Clean(p), nil
}

// relative takes a path that stays below where it starts.
func relative(field, p string) (string, error) {
	c := path.Clean(p)
	if p == "" || path.IsAbs(p) || c == "." || strings.ContainsRune(p, 0) || hasDotDot(p) {
		return "", invalid("%s %q is not a path below the sandbox", field, p)
	}
	return c, nil
}

func hasDotDot(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}
