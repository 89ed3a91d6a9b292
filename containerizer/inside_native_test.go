package containerizer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mezzo/containerizer"
	"mezzo/images/imagetest"
	"mezzo/internal/errs"
)

// What a container sees, and what none is started from.

func TestImageConfig(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	const show = `echo "$0 $* | $(id -u):$(id -g):$(id -G | tr ' ' ,) | $PWD $HOME $A"`
	ref := b.newArchive(t, imagetest.Options{
		Entrypoint: []string{"/bin/sh", "-c", show}, Cmd: []string{"zero", "cmd"},
		Env: []string{"PATH=/bin", "A=image"}, User: "app", WorkingDir: "/home/app",
	})
	for _, tt := range []struct {
		name string
		edit func(*containerizer.Spec)
		want string
	}{
		{"as it is", func(*containerizer.Spec) {}, "zero cmd | 1000:1000:1000,2000 | /home/app /home/app image"},
		{"arguments", func(s *containerizer.Spec) { s.Args = []string{"0", "1", "2"} }, "0 1 2 | 1000:1000:1000,2000 | /home/app /home/app image"},
		{"user", func(s *containerizer.Spec) { s.User = "65534" }, "zero cmd | 65534:65534:65534 | /home/app /nonexistent image"},
		{"user and group", func(s *containerizer.Spec) { s.User = "5:6" }, "zero cmd | 5:6:6 | /home/app / image"},
		{"root", func(s *containerizer.Spec) { s.User = "root" }, "zero cmd | 0:0:0 | /home/app /root image"},
		{"environment", func(s *containerizer.Spec) { s.Env = []string{"A=spec", "HOME=/x"} }, "zero cmd | 1000:1000:1000,2000 | /home/app /x spec"},
		{"directory", func(s *containerizer.Spec) { s.WorkingDir = "/tmp" }, "zero cmd | 1000:1000:1000,2000 | /tmp /home/app image"},
		{"shell", func(s *containerizer.Spec) { s.Shell, s.Value = true, "echo sh" }, "sh"},
		{"program", func(s *containerizer.Spec) { s.Value, s.Args = "echo", []string{"its name", "a  b", "c"} }, "a  b c"},
	} {
		s := b.spec(t, "")
		s.Image, s.Shell = ref, false
		tt.edit(&s)
		if _, stdout, stderr := b.run(t, s); strings.TrimSpace(stdout) != tt.want {
			t.Errorf("%s: got %q, %q; want %q", tt.name, stdout, stderr, tt.want)
		}
	}
}

func TestInside(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	readOnly, mountedBelow := t.TempDir(), t.TempDir()
	below := filepath.Join(mountedBelow, "sub")
	if err := errors.Join(os.Mkdir(below, 0o755), syscall.Mount("tmpfs", below, "tmpfs", 0, "")); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(below, syscall.MNT_DETACH)
	for _, tt := range []struct {
		name, command string
		edit          func(*containerizer.Spec)
		want          string
	}{
		{"own processes", "echo /proc/[0-9]*", nil, "/proc/1"},
		{"sandbox is writable", "echo x > file && cat /mnt/mesos/sandbox/file", nil, "x"},
		{"sandbox is the user's", "echo x > file && cat file && stat -c %u . stdout", func(s *containerizer.Spec) { s.User = "app" }, "x\n1000\n1000"},
		{"standard streams by name", "echo x > /dev/stdout", func(s *containerizer.Spec) { s.User = "app" }, "x"},
		{"host name", "hostname", func(s *containerizer.Spec) { s.Hostname = "box" }, "box"},
		{"read-only mount", "touch /m/x 2>&1 | grep -o Read-only; ls -d /m", func(s *containerizer.Spec) {
			s.Mounts = []containerizer.Mount{{Source: readOnly, Target: "/m", ReadOnly: true}}
		}, "Read-only\n/m"},
		{"read-only below", "touch /m/sub/x 2>&1 | grep -o Read-only", func(s *containerizer.Spec) {
			s.Mounts = []containerizer.Mount{{Source: mountedBelow, Target: "/m", ReadOnly: true}}
		}, "Read-only"},
		{"part of the sandbox is the user's", "touch /m/x && stat -c %u /m", func(s *containerizer.Spec) {
			s.User, s.Mounts = "app", []containerizer.Mount{{Source: s.Sandbox + "/part", Target: "/m"}}
			if err := os.Mkdir(s.Sandbox+"/part", 0o755); err != nil {
				t.Fatal(err)
			}
		}, "1000"},
		{"name service", "head -c 5 /etc/resolv.conf | wc -c; touch /etc/hosts 2>&1 | grep -o Read-only", nil, "5\nRead-only"},
		{"no new privileges", "grep NoNewPrivs /proc/self/status", nil, "NoNewPrivs:\t1"},
		{"shared memory", "df -k /dev/shm | tail -1 | awk '{print $2}'", nil, "65536"},
		{"memory is killed in order", "cat /proc/self/oom_score_adj", nil, "0"},
	} {
		s := b.spec(t, tt.command)
		if tt.edit != nil {
			tt.edit(&s)
		}
		if _, stdout, stderr := b.run(t, s); strings.TrimSpace(stdout) != tt.want {
			t.Errorf("%s: got %q, %q; want %q", tt.name, stdout, stderr, tt.want)
		}
	}
}

// TestHost: without an image, the host's files at their places, in a container.
func TestHost(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	host := func(command string) containerizer.Spec {
		s := b.spec(t, command)
		s.Image = ""
		return s
	}
	s := host("echo $$; pwd; command -v runc; touch here && ls -l here | wc -l; cat /etc/hostname")
	_, stdout, stderr := b.run(t, s)
	name, _ := os.ReadFile("/etc/hostname")
	if lines := strings.Split(stdout, "\n"); len(lines) < 5 || lines[0] != "1" || lines[1] != s.Sandbox ||
		!strings.HasSuffix(lines[2], "/runc") || lines[3] != "1" || lines[4]+"\n" != string(name) {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(s.Sandbox, "here")); err != nil {
		t.Error(err)
	}
	hidden := filepath.Dir(b.daemon.Address())
	// Those of other agents are beside it.
	if _, stdout, _ := b.run(t, host("ls "+filepath.Dir(hidden)+" | wc -l")); stdout != "0\n" {
		t.Errorf("containerd's directory has %q entries for a container", stdout)
	}
	if _, _, stderr := b.run(t, host("touch /file")); !strings.Contains(stderr, "Read-only") {
		t.Errorf("a file in / was made, or %q", stderr)
	}
	s = host("id -u; touch mine; stat -c %U mine")
	s.User = "nobody"
	if _, stdout, stderr := b.run(t, s); stdout != "65534\nnobody\n" {
		t.Errorf("as nobody: %q, %q", stdout, stderr)
	}
	// Nothing of it is mounted where the host, or who cleans up there, sees it.
	s = host("sleep 1000")
	if _, err := b.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{b.dir, hidden} {
		if strings.Contains(string(mounts), dir) {
			t.Errorf("a mount below %s on the host:\n%s", dir, mounts)
		}
	}
	if err := b.Destroy(t.Context(), s.ID); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	for _, tt := range []struct {
		name  string
		edit  func(*containerizer.Spec)
		class error
		says  string
	}{
		{"command not in PATH", func(s *containerizer.Spec) { s.Shell, s.Value = false, "no-such-command" }, errs.NotFound, `"no-such-command"`},
		{"command not in image", func(s *containerizer.Spec) { s.Shell, s.Value = false, "/no/such/command" }, errs.NotFound, `"/no/such/command"`},
		{"command is a directory", func(s *containerizer.Spec) { s.Shell, s.Value = false, "/tmp" }, errs.Invalid, `"/tmp"`},
		{"command is a text", func(s *containerizer.Spec) { s.Shell, s.Value = false, "/etc/passwd" }, errs.Invalid, `"/etc/passwd"`},
		{"no image", func(s *containerizer.Spec) { s.Image = "file:///no/such/image.tar" }, errs.NotFound, "/no/such/image.tar"},
		{"bad image", func(s *containerizer.Spec) { s.Image = "NO" }, errs.Invalid, `"NO"`},
		{"no user", func(s *containerizer.Spec) { s.User = "somebody" }, errs.Invalid, `"somebody"`},
		{"user out of range", func(s *containerizer.Spec) { s.User = "4294967296" }, errs.Invalid, "4294967296"},
		{"no sandbox", func(s *containerizer.Spec) { s.Sandbox += "/none" }, errs.NotFound, "sandbox"},
		{"no mount", func(s *containerizer.Spec) { s.Mounts = []containerizer.Mount{{Source: "/none", Target: "/m"}} }, errs.NotFound, `"/none"`},
		{"containerd's socket", func(s *containerizer.Spec) {
			s.Mounts = []containerizer.Mount{{Source: b.daemon.Address(), Target: "/m"}}
		}, errs.Invalid, "belongs to containerd"},
		{"too long a label", func(s *containerizer.Spec) { s.Labels = map[string]string{"a": strings.Repeat("b", 5000)} }, errs.Invalid, "label"},
	} {
		s := b.spec(t, "true")
		tt.edit(&s)
		_, err := b.Launch(t.Context(), s)
		if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), string(s.ID)) {
			t.Errorf("%s: got %v; want class %v, saying %s", tt.name, err, tt.class, tt.says)
		}
	}
}

// TestOutput: all of much output arrives, and a full disk loses some of it but
// does not stop the container.
func TestOutput(t *testing.T) {
	b := newBench(t)
	defer b.wantNothingLeft(t)
	const much = 8 << 20
	s := b.spec(t, fmt.Sprintf("head -c %d /dev/zero; head -c %d /dev/zero >&2; echo end", much, much))
	if _, stdout, stderr := b.run(t, s); len(stdout) != much+4 || len(stderr) != much {
		t.Errorf("%d bytes on stdout, %d on stderr", len(stdout), len(stderr))
	}
	s = b.spec(t, fmt.Sprintf("head -c %d /dev/zero; exit 4", much))
	if err := syscall.Mount("tmpfs", s.Sandbox, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(s.Sandbox, syscall.MNT_DETACH) })
	end, stdout, _ := b.run(t, s)
	if end.Code != 4 || len(stdout) > 1<<20 {
		t.Errorf("end %+v after %d bytes", end, len(stdout))
	}
}
