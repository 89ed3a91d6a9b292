//go:build root && linux

package projquota

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
)

const mib = 1 << 20

// mountQuota makes a file system with project quotas.
func mountQuota(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil { // for whom fill writes as
		t.Fatal(err)
	}
	img, at := filepath.Join(dir, "img"), filepath.Join(dir, "m")
	for _, c := range [][]string{
		{"modprobe", "-a", "loop", "quota_v2"}, {"truncate", "-s", "200M", img}, {"mkfs.ext4", "-q", "-O", "project,quota", img},
		{"mkdir", at}, {"mount", "-o", "loop,prjquota", img, at},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, out)
		}
	})
	return at
}

// fill writes a file as somebody without CAP_SYS_RESOURCE, whom ext4 would let.
func fill(path string, bytes int) error {
	cmd := exec.Command("dd", "if=/dev/zero", "of="+path, fmt.Sprintf("bs=%d", bytes), "count=1", "status=none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "quota exceeded") {
		return unix.EDQUOT
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func sandbox(t *testing.T, root, name string) string {
	t.Helper()
	dir := filepath.Join(root, name)
	sub := filepath.Join(dir, "sub")
	if err := errors.Join(os.MkdirAll(sub, 0o777), os.Chmod(sub, 0o777), os.Chmod(dir, 0o777), fill(filepath.Join(dir, "there"), mib)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRootLimit: a directory takes what it may and no more, another is not
// concerned, and ids of what is gone are given again.
func TestRootLimit(t *testing.T) {
	root := mountQuota(t)
	p, err := Open(root, Range{100, 101})
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := sandbox(t, root, "a"), sandbox(t, root, "b"), sandbox(t, root, "c")
	if err := errors.Join(p.Limit(a, 4*mib), p.Limit(b, 40*mib)); err != nil {
		t.Fatal(err)
	}
	if err := p.Limit(c, mib); !errors.Is(err, errs.Exhausted) {
		t.Errorf("a third of two ids: %v", err)
	}
	if err := fill(filepath.Join(a, "sub", "fits"), 2*mib); err != nil {
		t.Error(err)
	}
	if err := fill(filepath.Join(a, "sub", "more"), 3*mib); !errors.Is(err, unix.EDQUOT) {
		t.Errorf("over the limit: got %v, want EDQUOT", err)
	}
	if err := fill(filepath.Join(b, "much"), 30*mib); err != nil {
		t.Errorf("the other directory: %v", err)
	}
	// As another process would, which knows nothing.
	p, err = Open(root, Range{100, 101})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Limit(a, 20*mib), fill(filepath.Join(a, "sub", "more"), 3*mib)); err != nil {
		t.Errorf("after its limit grew: %v", err)
	}
	if err := errors.Join(os.RemoveAll(b), p.Limit(c, 3*mib)); err != nil {
		t.Errorf("an id whose directory is gone: %v", err)
	}
	if err := fill(filepath.Join(c, "much"), 3*mib); !errors.Is(err, unix.EDQUOT) {
		t.Errorf("over the limit of before: got %v, want EDQUOT", err)
	}
	if err := p.Limit(a, 0); !errors.Is(err, errs.Invalid) {
		t.Errorf("no limit: %v", err)
	}
}

func TestRootUnsupported(t *testing.T) {
	if _, err := Open("/proc", DefaultRange); !errors.Is(err, errs.Unsupported) {
		t.Errorf("a file system without: %v", err)
	}
	if _, err := Open(t.TempDir(), Range{}); !errors.Is(err, errs.Invalid) {
		t.Errorf("no range: %v", err)
	}
}
