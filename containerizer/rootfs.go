package containerizer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/containerd/containerd/v2/core/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/internal/errs"
)

// snapshot is the root file system of a container with an image.
type snapshot []mount.Mount

// hostRoot is the directory that stands for the host's root in a container.
type hostRoot string

// root is where containerd mounts a snapshot, relative to the bundle.
func (snapshot) root() *specs.Root { return &specs.Root{Path: "rootfs"} }

func (h hostRoot) root() *specs.Root { return &specs.Root{Path: string(h), Readonly: true} }

func (s snapshot) accounts(ctx context.Context) (passwd, group []byte, err error) {
	err = mount.WithReadonlyTempMount(ctx, s, func(dir string) error {
		passwd, group, err = readAccounts(dir)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the image's accounts: %w", err)
	}
	return passwd, group, nil
}

func (hostRoot) accounts(context.Context) (passwd, group []byte, err error) { return readAccounts("/") }

func readAccounts(dir string) (passwd, group []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	if passwd, err = readFile(root, "etc/passwd"); err != nil {
		return nil, nil, err
	}
	group, err = readFile(root, "etc/group")
	return passwd, group, err
}

// maxAccounts bounds a file that an image brings.
const maxAccounts = 4 << 20

// readFile reads a file that anybody may have put there: it neither leaves the
// root by links nor waits for a pipe. A missing file is empty.
func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxAccounts {
		return nil, fmt.Errorf("/%s is %v of %d bytes: %w", name, st.Mode().Type(), st.Size(), errs.Invalid)
	}
	return io.ReadAll(io.LimitReader(f, maxAccounts))
}
