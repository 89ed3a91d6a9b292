package containerizer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mezzo/containerizer"
	"mezzo/internal/errs"
)

// shared is a buffer that is read while it is written.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestExec: goal, that a further process does what it would do in a shell of the
// container, and leaves nothing; method, real processes in one container.
func TestExec(t *testing.T) {
	b := newBench(t)
	s := b.spec(t, "sleep 1000")
	s.Env = []string{"COLOR=blue"}
	if _, err := b.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sh := func(script string) containerizer.ExecSpec { return containerizer.ExecSpec{Shell: true, Value: script} }
	run := func(t *testing.T, spec containerizer.ExecSpec, in io.Reader) (code int, stdout, stderr string) {
		t.Helper()
		var out, errOut shared
		x, err := b.Exec(ctx, s.ID, spec, containerizer.Streams{Stdin: in, Stdout: &out, Stderr: &errOut})
		if err != nil {
			t.Fatal(err)
		}
		code, unknown, err := x.Wait(ctx)
		if err != nil || unknown {
			t.Fatal(unknown, err)
		}
		if err := x.Close(ctx); err != nil {
			t.Error(err)
		}
		return code, out.String(), errOut.String()
	}
	big := strings.Repeat("0123456789abcde\n", 40_000)
	for _, row := range []struct {
		name           string
		spec           containerizer.ExecSpec
		in             io.Reader
		code           int
		stdout, stderr string
	}{
		{"streams and code", sh("echo out; echo err >&2; exit 7"), nil, 7, "out\n", "err\n"},
		{"no input", sh("cat; echo end"), nil, 0, "end\n", ""},
		{"input", sh("cat"), strings.NewReader("a\nb\n"), 0, "a\nb\n", ""},
		{"much of it", sh("cat"), strings.NewReader(big), 0, big, ""},
		{"environment", containerizer.ExecSpec{Shell: true, Value: "echo $COLOR $MORE; pwd; id -u", Env: []string{"MORE=x"}, WorkingDir: "/bin", User: "app"}, nil, 0, "blue x\n/bin\n1000\n", ""},
		{"killed", sh("kill -9 $$"), nil, 137, "", ""},
		{"what it left behind", sh("sleep 1000 & echo done"), nil, 0, "done\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, stdout, stderr := run(t, row.spec, row.in)
			if code != row.code || stdout != row.stdout || stderr != row.stderr {
				t.Errorf("code %d, stdout of %d bytes %.60q, stderr %.60q", code, len(stdout), stdout, stderr)
			}
		})
	}

	t.Run("no such command", func(t *testing.T) {
		_, err := b.Exec(ctx, s.ID, containerizer.ExecSpec{Value: "nonesuch"}, containerizer.Streams{})
		if command := (*containerizer.CommandError)(nil); !errors.As(err, &command) || command.Code != 127 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("terminal", func(t *testing.T) {
		var out shared
		in, keys := io.Pipe()
		x, err := b.Exec(ctx, s.ID, containerizer.ExecSpec{Value: "sh", TTY: &containerizer.Window{Rows: 33, Columns: 111}}, containerizer.Streams{Stdin: in, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(keys, "stty size\n")
		await(t, func() bool { return strings.Contains(out.String(), "33 111") })
		if err := x.Resize(ctx, containerizer.Window{Rows: 44, Columns: 122}); err != nil {
			t.Error(err)
		}
		fmt.Fprint(keys, "stty size; exit 4\n")
		if code, _, err := x.Wait(ctx); code != 4 || err != nil || !strings.Contains(out.String(), "44 122") {
			t.Errorf("code %d, %v, %q", code, err, out.String())
		}
		keys.Close()
		if err := x.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("signal and close", func(t *testing.T) {
		var out shared
		x, err := b.Exec(ctx, s.ID, sh("trap 'echo got it' USR1; echo up; while :; do sleep 0.1; done"), containerizer.Streams{Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { return out.String() == "up\n" })
		if err := x.Signal(ctx, syscall.SIGUSR1); err != nil {
			t.Error(err)
		}
		await(t, func() bool { return strings.Contains(out.String(), "got it") })
		for range 2 {
			if err := x.Close(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("many", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				var out shared
				x, err := b.Exec(ctx, s.ID, sh(fmt.Sprint("echo ", i)), containerizer.Streams{Stdout: &out})
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := x.Wait(ctx); err != nil || out.String() != fmt.Sprintln(i) {
					t.Errorf("process %d wrote %q, %v", i, out.String(), err)
				}
				if err := x.Close(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("the container ends", func(t *testing.T) {
		x, err := b.Exec(ctx, s.ID, sh("sleep 1000"), containerizer.Streams{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Signal(ctx, s.ID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		if code, unknown, err := x.Wait(ctx); err != nil || !unknown && code != 137 {
			t.Errorf("code %d, %v, %v", code, unknown, err)
		}
		if err := x.Close(ctx); err != nil {
			t.Error(err)
		}
		if _, err := b.Wait(ctx, s.ID); err != nil {
			t.Error(err)
		}
		if _, err := b.Exec(ctx, s.ID, sh("true"), containerizer.Streams{}); !errors.Is(err, errs.Conflict) {
			t.Errorf("in an ended container: %v", err)
		}
	})
	if left, err := os.ReadDir(filepath.Join(b.dir, "state", "exec")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := b.Destroy(ctx, s.ID); err != nil {
		t.Error(err)
	}
}
