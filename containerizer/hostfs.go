package containerizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// A container on the host's file system has a root of its own: an almost empty
// directory, read-only in the container, into which each directory of the
// host's root is bound. The root itself is never bound to a place on the host,
// since whoever cleans up there would delete the host; and not recursively,
// since each container would then hold the mounts of all others.

// kernelDirs are filled by the kernel, for each container anew.
var kernelDirs = []string{"/proc", "/sys", "/dev"}

// makeHostRoot makes the directory: mount points and links, no files.
func makeHostRoot(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			err = os.Mkdir(name, 0o755)
		case e.Type()&fs.ModeSymlink != 0:
			var to string
			if to, err = os.Readlink("/" + e.Name()); err == nil {
				err = os.Symlink(to, name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeHostRoot takes it away again, and nothing that is not empty.
func removeHostRoot(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(dir)
}

// hostMounts binds the directories of the host's root, and the file systems
// mounted below them that hold files of somebody.
func hostMounts(hidden []string) ([]specs.Mount, error) {
	entries, err := os.ReadDir("/")
	if err != nil {
		return nil, fmt.Errorf("read the host's root: %w", err)
	}
	var list []specs.Mount
	for _, e := range entries {
		if p := "/" + e.Name(); e.IsDir() && !ofKernel(p) {
			list = append(list, bindOnly(p))
		}
	}
	below, err := mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) {
		return !boundBelow(i, hidden), false
	})
	if err != nil {
		return nil, fmt.Errorf("read the host's mounts: %w", err)
	}
	for _, i := range below {
		list = append(list, bindOnly(i.Mountpoint))
	}
	return list, nil
}

// boundBelow says whether a mount below the root's own directories is bound;
// those themselves are anyway.
func boundBelow(i *mountinfo.Info, hidden []string) bool {
	p := i.Mountpoint
	return strings.Count(p, "/") >= 2 && !ofKernel(p) && !withinAny(p, hidden) && holdsFiles(i) && !passing(p)
}

func ofKernel(p string) bool { return withinAny(p, kernelDirs) }

// holdsFiles tells a file system of a device, of memory or of the network from
// those that the kernel or containers make by the thousand.
func holdsFiles(i *mountinfo.Info) bool {
	switch i.FSType {
	case "tmpfs", "nfs", "nfs4", "cifs", "ceph", "9p", "virtiofs", "zfs", "glusterfs":
		return true
	case "overlay", "squashfs":
		return false
	}
	return strings.HasPrefix(i.Source, "/") || strings.HasPrefix(i.FSType, "fuse.")
}

// passing tells a mount that some containerd made for a moment, to unpack or
// look into an image (its client names them so): it may be gone before runc has
// bound it, which would end the launch.
func passing(p string) bool { return strings.HasPrefix(filepath.Base(p), "containerd-mount") }

// bindOnly binds one file system without those mounted in it.
func bindOnly(p string) specs.Mount {
	return specs.Mount{Destination: p, Type: "bind", Source: p, Options: []string{"bind", "rprivate"}}
}
