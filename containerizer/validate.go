package containerizer

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/pkg/identifiers"

	"mezzo/images"
	"mezzo/internal/errs"
)

// validate refuses what no container can be started from. Whatever ends up in a
// path, a label or an argument list is looked at here, once.
func (s *Spec) validate(hidden []string) error {
	if err := identifiers.Validate(string(s.ID)); err != nil {
		return invalid("container id %q: %v", s.ID, err)
	}
	if s.Image != "" {
		if _, err := images.ParseRef(s.Image); err != nil {
			return err
		}
	}
	if !cleanAbs(s.Sandbox) {
		return invalid("sandbox %q is not a clean absolute path", s.Sandbox)
	}
	if withinAny(s.Sandbox, hidden) {
		return invalid("sandbox %q is in a directory that containers do not see", s.Sandbox)
	}
	if s.WorkingDir != "" {
		if err := checkWorkingDir(s.WorkingDir); err != nil {
			return err
		}
	}
	for _, m := range s.Mounts {
		if err := m.validate(hidden); err != nil {
			return err
		}
	}
	return s.validateCommand()
}

// maxWord is the longest word of a command line or environment that the kernel
// takes, in bytes.
//
// Source: execve(2), MAX_ARG_STRLEN, which has room for a zero byte.
const maxWord = 32*4096 - 1

func (s *Spec) validateCommand() error {
	switch {
	case s.Shell && s.Value == "":
		return invalid("a shell is to run, but no command is given to it")
	case s.Image == "" && s.Value == "":
		return invalid("there is neither a command nor an image that has one")
	}
	for _, word := range append([]string{s.Value, s.User, s.Hostname}, s.Args...) {
		switch {
		case strings.ContainsRune(word, 0):
			return invalid("%q has a NUL in it", word)
		case len(word) > maxWord:
			return invalid("command: a word of %d bytes is longer than the kernel takes, %d", len(word), maxWord)
		}
	}
	for _, kv := range s.Env {
		key, _, ok := strings.Cut(kv, "=")
		switch {
		case !ok || key == "" || strings.ContainsRune(kv, 0):
			return invalid("environment: %q is not NAME=value", kv)
		case len(kv) > maxWord:
			return invalid("environment: %.100q with its value has %d bytes, more than the kernel takes, %d", key, len(kv), maxWord)
		}
	}
	return nil
}

// validate keeps user mounts away from what runc and the kernel rely on in a
// container, and from the sockets of whoever is root here.
//
// Source: CVE-2025-31133, CVE-2025-52565, CVE-2025-52881.
func (m Mount) validate(hidden []string) error {
	switch {
	case !cleanAbs(m.Source):
		return invalid("mount source %q is not a clean absolute path", m.Source)
	case !cleanAbs(m.Target):
		return invalid("mount target %q is not a clean absolute path", m.Target)
	case m.Target == "/":
		return invalid("mount target %q would cover the whole container", m.Target)
	}
	if ofKernel(m.Target) {
		return invalid("mount target %q is in a directory that the kernel fills", m.Target)
	}
	if withinAny(m.Source, hidden) {
		return invalid("mount source %q belongs to containerd", m.Source)
	}
	return nil
}

// checkWorkingDir refuses directories that lead out of the container through a
// descriptor that the runtime left open. Images name theirs, so it is input.
//
// Source: CVE-2024-21626.
func checkWorkingDir(dir string) error {
	if !path.IsAbs(dir) || strings.ContainsRune(dir, 0) {
		return invalid("working directory %q is not an absolute path", dir)
	}
	if ofKernel(path.Clean(dir)) {
		return invalid("working directory %q is in a directory that the kernel fills", dir)
	}
	return nil
}

// within tells whether p is dir or lies below it; both are clean.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

func withinAny(p string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return within(p, dir) })
}

func cleanAbs(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errs.Invalid)...)
}
