package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/internal/errs"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want [3]int
		ok   bool
	}{
		{"1.1.5+ds1", [3]int{1, 1, 5}, true},
		{"v2.4.2", [3]int{2, 4, 2}, true},
		{"1.4.0-rc.3", [3]int{1, 4, 0}, true},
		{"1.6.20~ds1", [3]int{1, 6, 20}, true},
		{"1.2", [3]int{}, false},
		{"", [3]int{}, false},
		{"a.b.c", [3]int{}, false},
		{"1.-2.3", [3]int{}, false},
	} {
		got, ok := parseVersion(tt.in)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseVersion(%q) = %v, %v; want %v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestRuncWarning(t *testing.T) {
	for version, warned := range map[string]bool{
		"": true, "1.1.5+ds1": true, "1.2.7": true, "1.2.8": false, "1.3.2": true,
		"1.3.3": false, "1.4.0": false, "2.0.0": false, "something": false,
	} {
		if got := runcWarning(version) != ""; got != warned {
			t.Errorf("runcWarning(%q): warned %v, want %v", version, got, warned)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	dir := t.TempDir()
	silent := filepath.Join(dir, "file")
	if err := os.WriteFile(silent, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		cfg  Config
		want error
		says string
	}{
		{"no socket", Config{Address: filepath.Join(dir, "no.sock")}, errs.NotFound, "no such socket"},
		{"not a socket", Config{Address: silent}, errs.Unavailable, "does not answer"},
		{"relative directory", Config{Dir: "x"}, errs.Invalid, "not absolute"},
		{"nothing to start", Config{Address: Private, Dir: dir, Binary: "no-such-containerd"}, errs.NotFound, "apt install containerd"},
		{"one that dies", Config{Address: Private, Dir: dir, Binary: "/bin/false"}, errs.Unavailable, "ended at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Cleanup(func() { os.RemoveAll(newPlaces(dir).run) })
			_, err := Connect(context.Background(), tt.cfg, quiet())
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v; want class %v and %q", err, tt.want, tt.says)
			}
		})
	}
}

// TestPrivate starts a private containerd, finds it again as a restarted agent
// would, and stops it through the second connection.
func TestPrivate(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "containerd needs root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		skip(t, err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12))
	t.Cleanup(func() { os.RemoveAll(newPlaces(dir).run) })
	first, err := Connect(ctx, Config{Address: Private, Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Stop(ctx)
	if !first.Private() || first.Version().Containerd == "" {
		t.Errorf("got private %v, version %+v", first.Private(), first.Version())
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}

	second, err := Connect(ctx, Config{Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if second.proc != nil {
		t.Error("the second Connect started another containerd")
	}
	if err := second.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := second.Stop(ctx); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	<-first.proc.done
}

// TestKeep: a private containerd that dies is started again.
func TestKeep(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "containerd needs root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		skip(t, err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	t.Cleanup(func() { os.RemoveAll(newPlaces(dir).run) })
	d, err := Connect(ctx, Config{Address: Private, Dir: dir, Keep: true}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first, err := owner(d.Address())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Kill(ctx); err != nil {
		t.Error(err)
	}
	// The first call may still go to the one that was killed.
	for err = d.answer(ctx); err != nil && ctx.Err() == nil; err = d.answer(ctx) {
		pause(ctx, 10*time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
	if second, err := owner(d.Address()); err != nil || second == first {
		t.Errorf("pid %d, %v; was %d", second, err, first)
	}
	if err := d.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("MEZZO_TEST_REQUIRED") != "" {
		t.Fatalf("required, but: %s", why)
	}
	t.Skip(why)
}
