package mpich

// Goal: what mpiexec asks for is started, and what it and the ranks say and how they
// end comes through. Method: the real one, whose commands a shell runs here, and
// stand-ins that do as they should not.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mezzo/internal/errs"
)

func require(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	why := program + " is not installed (test/deps.sh native)"
	if os.Getenv("MEZZO_TEST_REQUIRED") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// script is an mpiexec that says something else.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mpiexec")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestJob(t *testing.T) {
	require(t, "mpiexec.hydra")
	for _, tt := range []struct {
		program []string
		code    int
		says    string // how often
		times   int
	}{
		{[]string{"/bin/echo", "a rank"}, 0, "a rank\n", 3},
		{[]string{"/bin/sh", "-c", "exit 7"}, 7, "", 0},
	} {
		var out, stderr bytes.Buffer
		j, err := Start(t.Context(), Config{
			Ranks: []int{2, 1}, Address: "127.0.0.1", WorkDir: "/", Program: tt.program,
			Stdout: &out, Stderr: &stderr,
		})
		if err != nil {
			t.Fatal(err)
		}
		var ran sync.WaitGroup
		for _, command := range j.Commands {
			ran.Go(func() { _ = exec.Command("sh", "-c", command).Run() })
		}
		code, err := j.Wait()
		ran.Wait()
		if code != tt.code || err != nil || tt.says != "" && strings.Count(out.String(), tt.says) != tt.times {
			t.Errorf("%v: code %d, %v, %q, %q", tt.program, code, err, &out, &stderr)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	program := []string{"/bin/true"}
	for name, tt := range map[string]struct {
		cfg   Config
		class error
	}{
		"no program":      {Config{Ranks: []int{1}}, errs.Invalid},
		"no hosts":        {Config{Program: program}, errs.Invalid},
		"no ranks":        {Config{Ranks: []int{1, 0}, Program: program}, errs.Invalid},
		"a flag":          {Config{Ranks: []int{1}, Program: []string{"-launcher"}}, errs.Invalid},
		"no mpiexec":      {Config{Mpiexec: "/none/mpiexec", Ranks: []int{1}, Program: program}, errs.NotFound},
		"ends at once":    {Config{Mpiexec: script(t, "exit 3"), Ranks: []int{1}, Program: program}, errs.Unavailable},
		"something else":  {Config{Mpiexec: script(t, "echo hello; exec sleep 1000"), Ranks: []int{1}, Program: program}, errs.Unavailable},
		"too few":         {Config{Mpiexec: script(t, "echo HYDRA_LAUNCH_END; exec sleep 1000"), Ranks: []int{1}, Program: program}, errs.Unavailable},
		"a line too long": {Config{Mpiexec: script(t, "yes | tr -d '\\n' | head -c 100000; exec sleep 1000"), Ranks: []int{1}, Program: program}, errs.Unavailable},
	} {
		if _, err := Start(t.Context(), tt.cfg); !errors.Is(err, tt.class) {
			t.Errorf("%s: %v, want %v", name, err, tt.class)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	j, err := Start(ctx, Config{Mpiexec: script(t, "echo HYDRA_LAUNCH: true; echo HYDRA_LAUNCH_END; exec sleep 1000"), Ranks: []int{1}, Program: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if code, err := j.Wait(); err == nil {
		t.Errorf("code %d of a job that was killed", code)
	}
}

func FuzzReadCommands(f *testing.F) {
	f.Add("HYDRA_LAUNCH: a b\nHYDRA_LAUNCH_END\nrank 0\n")
	f.Add("HYDRA_LAUNCH: a")
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := readCommands(bufio.NewReaderSize(strings.NewReader(text), maxLine))
		if err != nil && !errors.Is(err, errs.Unavailable) || err == nil && !strings.Contains(text, lastLine) || len(commands) > strings.Count(text, launchLine) {
			t.Fatalf("%q: %q, %v", text, commands, err)
		}
	})
}
