package containerizer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"mezzo/internal/errs"
)

// TestArgv is Mesos's table of command, arguments and image.
func TestArgv(t *testing.T) {
	none := &ocispec.ImageConfig{}
	cmd := &ocispec.ImageConfig{Cmd: []string{"cmd0", "cmd1"}}
	entry := &ocispec.ImageConfig{Entrypoint: []string{"entry0", "entry1"}}
	both := &ocispec.ImageConfig{Entrypoint: entry.Entrypoint, Cmd: cmd.Cmd}
	for _, tt := range []struct {
		name string
		s    Spec
		c    *ocispec.ImageConfig
		want string // empty: refused
	}{
		{"nothing", Spec{}, none, ""},
		{"cmd", Spec{}, cmd, "cmd0 cmd1"},
		{"entry", Spec{}, entry, "entry0 entry1"},
		{"both", Spec{}, both, "entry0 entry1 cmd0 cmd1"},
		{"args, nothing", Spec{Args: []string{"a", "b"}}, none, ""},
		{"args, cmd", Spec{Args: []string{"a", "b"}}, cmd, "cmd0 a b"},
		{"args, entry", Spec{Args: []string{"a", "b"}}, entry, "entry0 entry1 a b"},
		{"args, both", Spec{Args: []string{"a", "b"}}, both, "entry0 entry1 a b"},
		{"value", Spec{Value: "v"}, both, "v"},
		{"value, args", Spec{Value: "v", Args: []string{"a", "b"}}, both, "v b"},
		{"shell", Spec{Shell: true, Value: "v w", Args: []string{"a"}}, both, "/bin/sh -c v w"},
		{"a NUL", Spec{}, &ocispec.ImageConfig{Cmd: []string{"a\x00"}}, ""},
	} {
		got, err := argv(&tt.s, tt.c)
		if tt.want == "" {
			if !errors.Is(err, errs.Invalid) {
				t.Errorf("%s: got %q, %v; want class %v", tt.name, got, err, errs.Invalid)
			}
		} else if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	if got := both.Entrypoint[:cap(both.Entrypoint)]; len(got) != 2 {
		t.Errorf("the image's words have grown: %q", got)
	}
}

func TestEnviron(t *testing.T) {
	got := environ(&Spec{Env: []string{"B=spec", "D=", "B=last"}},
		&ocispec.ImageConfig{Env: []string{"PATH=/bin", "A=a=b", "B=image", "noequals", "=x", "C=\x00"}}, "/home")
	want := []string{"PATH=/bin", "HOME=/home", "A=a=b", "B=last", "D="}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWorkingDir(t *testing.T) {
	for _, tt := range []struct{ spec, image, ref, want string }{
		{"", "", "busybox", SandboxPath},
		{"", "/image", "busybox", "/image"},
		{"/spec", "/image", "busybox", "/spec"},
		{"", "", "", "/sandbox"},
		{"", "relative", "busybox", ""},
		{"", "/proc/self/fd/8", "busybox", ""},
		{"", "/x/../proc/self/fd/8/", "busybox", ""},
		{"", "//dev", "busybox", ""},
	} {
		got, err := workingDir(&Spec{WorkingDir: tt.spec, Image: tt.ref, Sandbox: "/sandbox"}, &ocispec.ImageConfig{WorkingDir: tt.image})
		if (err != nil) != (tt.want == "") || err == nil && got != tt.want {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}

func TestFindAccount(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:100:app:/home/app:/bin/sh\nbig:x:4294967296:0::/:\nnone:x:4294967295:0::/:\n"
	const group = "root:x:0:\nusers:x:100:\nextra:x:2000:app,other\nbig:x:4294967297:\n"
	for name, want := range map[string]account{
		"app":       {specs.User{UID: 1000, GID: 100, AdditionalGids: []uint32{2000}}, "/home/app"},
		"1000":      {specs.User{UID: 1000, GID: 100, AdditionalGids: []uint32{2000}}, "/home/app"},
		"1000:5":    {specs.User{UID: 1000, GID: 5}, "/home/app"},
		"app:users": {specs.User{UID: 1000, GID: 100}, "/home/app"},
		"77":        {specs.User{UID: 77}, "/"},
		"77:78":     {specs.User{UID: 77, GID: 78}, "/"},
	} {
		got, err := findAccount(name, []byte(passwd), []byte(group))
		if d := cmp.Diff(want, got, cmp.AllowUnexported(account{})); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, d)
		}
	}
	for _, name := range []string{"nobody", "big", "none", "app:big", "app:nogroup", "4294967296", "99999999999999999999", "-1", ":", "app:", ":users", "0:0:0"} {
		if got, err := findAccount(name, []byte(passwd), []byte(group)); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: got %+v, %v; want class %v", name, got, err, errs.Invalid)
		}
	}
}

func FuzzFindAccount(f *testing.F) {
	f.Add("app", []byte("app:x:1000:100:app:/home/app:/bin/sh\n"), []byte("g:x:1:app\n"))
	f.Add("0:g", []byte(":::::\n\n#"), []byte("g:x:4294967295:\n"))
	f.Add("a:b:c", []byte("a"), []byte(""))
	f.Fuzz(func(t *testing.T, name string, passwd, group []byte) {
		if _, err := findAccount(name, passwd, group); err != nil && !errors.Is(err, errs.Invalid) {
			t.Fatalf("class of %v", err)
		}
	})
}

func TestValidate(t *testing.T) {
	good := func() Spec {
		return Spec{ID: "c-1", Image: "busybox", Sandbox: "/sandbox", Env: []string{"A=" + strings.Repeat("b", 128<<10-3)}, Mounts: []Mount{{Source: "/data", Target: "/data"}}}
	}
	ok := good()
	if err := ok.validate([]string{"/hidden"}); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Spec){
		"no id":        func(s *Spec) { s.ID = "" },
		"id is a path": func(s *Spec) { s.ID = "../x" },
		"long id": func(s *Spec) {
			s.ID = "x" + ok.ID + "-" + "0123456789012345678901234567890123456789012345678901234567890123456789012345"
		},
		"bad reference":           func(s *Spec) { s.Image = "a b" },
		"relative sandbox":        func(s *Spec) { s.Sandbox = "x" },
		"unclean sandbox":         func(s *Spec) { s.Sandbox = "/x/../y" },
		"hidden sandbox":          func(s *Spec) { s.Sandbox = "/hidden/x" },
		"shell without command":   func(s *Spec) { s.Shell = true },
		"nothing to run":          func(s *Spec) { s.Image = "" },
		"NUL in value":            func(s *Spec) { s.Value = "a\x00" },
		"NUL in args":             func(s *Spec) { s.Args = []string{"\x00"} },
		"long value":              func(s *Spec) { s.Value = strings.Repeat("x", 128<<10) },
		"long word":               func(s *Spec) { s.Args = []string{strings.Repeat("x", 128<<10)} },
		"long variable":           func(s *Spec) { s.Env = []string{"A=" + strings.Repeat("x", 128<<10-2)} },
		"environment without =":   func(s *Spec) { s.Env = []string{"A"} },
		"environment without key": func(s *Spec) { s.Env = []string{"=A"} },
		"relative working dir":    func(s *Spec) { s.WorkingDir = "x" },
		"working dir in proc":     func(s *Spec) { s.WorkingDir = "/proc/1/cwd" },
		"mount over proc":         func(s *Spec) { s.Mounts[0].Target = "/proc" },
		"mount in sys":            func(s *Spec) { s.Mounts[0].Target = "/sys/fs" },
		"mount over dev":          func(s *Spec) { s.Mounts[0].Target = "/dev/null" },
		"mount over root":         func(s *Spec) { s.Mounts[0].Target = "/" },
		"relative target":         func(s *Spec) { s.Mounts[0].Target = "x" },
		"unclean target":          func(s *Spec) { s.Mounts[0].Target = "/x/../proc" },
		"relative source":         func(s *Spec) { s.Mounts[0].Source = "x" },
		"hidden source":           func(s *Spec) { s.Mounts[0].Source = "/hidden" },
		"source in hidden":        func(s *Spec) { s.Mounts[0].Source = "/hidden/x.sock" },
	} {
		s := good()
		edit(&s)
		if err := s.validate([]string{"/hidden"}); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v; want class %v", name, err, errs.Invalid)
		}
	}
}

// TestNewSpec: the parts that other tests see only from inside a container.
func TestNewSpec(t *testing.T) {
	ctx := namespaces.WithNamespace(t.Context(), "mezzo")
	s := Spec{
		ID: "c1", Image: "busybox", Value: "true", Sandbox: t.TempDir(), Hostname: "box",
		Mounts: []Mount{{Source: "/", Target: "/host", ReadOnly: true}},
	}
	got, err := newSpec(ctx, &s, &ocispec.ImageConfig{}, superuser, []string{"/run/secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range got.Linux.Namespaces {
		if n.Type == specs.NetworkNamespace {
			t.Error("a network of its own")
		}
	}
	var masked bool
	for _, p := range got.Linux.MaskedPaths {
		masked = masked || p == "/host/run/secret"
	}
	if !masked {
		t.Errorf("masked %q; a hidden directory is seen through a mount", got.Linux.MaskedPaths)
	}
	last := got.Mounts[len(got.Mounts)-1]
	if d := cmp.Diff(specs.Mount{Destination: "/host", Type: "bind", Source: "/", Options: []string{"rbind", "rprivate", "ro", "rro"}}, last); d != "" {
		t.Errorf("mount (-want +got):\n%s", d)
	}
	if got.Hostname != "box" || got.Linux.CgroupsPath != "/mezzo/c1" {
		t.Errorf("host name %q, cgroup %q", got.Hostname, got.Linux.CgroupsPath)
	}
}

// TestHiddenBehindLinks: a link is no way around what containers must not see,
// on either side.
func TestHiddenBehindLinks(t *testing.T) {
	dir := t.TempDir()
	secret, link := filepath.Join(dir, "run", "secret"), filepath.Join(dir, "link")
	if err := os.MkdirAll(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("run", link); err != nil {
		t.Fatal(err)
	}
	ctx := namespaces.WithNamespace(t.Context(), "mezzo")
	for _, hidden := range []string{secret, link + "/secret"} {
		hidden := withTargets([]string{hidden})
		s := Spec{ID: "c1", Image: "busybox", Value: "true", Sandbox: dir, Mounts: []Mount{{Source: link + "/secret", Target: "/m"}}}
		if _, err := newSpec(ctx, &s, &ocispec.ImageConfig{}, superuser, hidden); !errors.Is(err, errs.Invalid) {
			t.Errorf("%q: a mount of it: got %v; want class %v", hidden, err, errs.Invalid)
		}
		s.Mounts[0].Source = link
		got, err := newSpec(ctx, &s, &ocispec.ImageConfig{}, superuser, hidden)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(got.Linux.MaskedPaths, "/m/secret") {
			t.Errorf("%q: a mount above it masks %q", hidden, got.Linux.MaskedPaths)
		}
	}
}

func TestExplainRuntime(t *testing.T) {
	const prefix = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
	for text, want := range map[string]struct {
		class error
		says  string
	}{
		`exec: "foo": executable file not found in $PATH: unknown`:   {errs.NotFound, `command "foo" is not in the container's PATH`},
		`exec: "foo": stat foo: no such file or directory: unknown`:  {errs.NotFound, `command "foo" is not in the container`},
		`exec: "foo": permission denied: unknown`:                    {errs.Invalid, `command "foo" is there but cannot be run`},
		`exec: "foo": is a directory: unknown`:                       {errs.Invalid, `command "foo" is there but cannot be run`},
		`mkdir /x: no space left on device`:                          {errs.Exhausted, "the disk of containers is full"},
		`error mounting "/x": no such file or directory`:             {nil, "create process"},
		`exec: "other": executable file not found in $PATH: unknown`: {nil, "create process"},
	} {
		err := explainRuntime(errors.New(prefix+text), "foo")
		if want.class != nil && !errors.Is(err, want.class) || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v; want class %v and %q", text, err, want.class, want.says)
		}
	}
}

func TestSignalsKept(t *testing.T) {
	for text, want := range map[string]uint64{
		"Name:\tsh\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004002\n": 0x4003,
		"": 0,
	} {
		if got, err := signalsKept(strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%q: got %x, %v; want %x", text, got, err, want)
		}
	}
	if _, err := signalsKept(strings.NewReader("SigIgn: x\n")); !errors.Is(err, errs.Corrupt) {
		t.Errorf("got %v", err)
	}
}
