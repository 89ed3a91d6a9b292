package commands

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mezzo/test/native"
)

// testExec: a command beside a task sees what the task sees, and is told apart
// from it.
func testExec(t *testing.T, c *native.Cluster) {
	r := run(t, c, "run", "--detach", "--name=host", "--env=COLOR=blue", "--image="+c.Image, "--", "sh", "-c", "echo mine > file; while :; do echo tick; sleep 0.2; done")
	if r.code != 0 {
		t.Fatalf("run: %+v", r)
	}
	task := strings.TrimSpace(r.stdout)
	sh := func(script string) []string { return []string{task, "--", "sh", "-c", script} }
	for _, tc := range []struct {
		name           string
		args           []string
		stdin          string
		code           int
		stdout, stderr string
	}{
		{"what the task has", sh("cat file; echo $COLOR; pwd"), "", 0, "mine\nblue\n/mnt/mesos/sandbox\n", ""},
		{"streams and code", sh("echo out; echo err >&2; exit 9"), "", 9, "out\n", "err\n"},
		{"stdin", append([]string{"-i"}, sh("cat; echo end")...), "one\ntwo\n", 0, "one\ntwo\nend\n", ""},
		{"no stdin", sh("cat; echo end"), "one\n", 0, "end\n", ""},
		{"environment and user", append([]string{"--env=A=b", "--user=1000:1000"}, sh("echo $A $(id -u)")...), "", 0, "b 1000\n", ""},
		{"much", sh("yes | head -c 3000000 | tail -c 4"), "", 0, "\ny\n", ""},
		{"by name", []string{"host", "echo", "hi"}, "", 0, "hi\n", ""},
		{"no such command", []string{task, "--", "nonesuch"}, "", 127, "", "is not in the container"},
		{"a directory", []string{task, "--", "/etc"}, "", 126, "", "cannot be run"},
		{"no such task", []string{"nonesuch", "true"}, "", 125, "", "nonesuch"},
		{"no command", []string{task}, "", 125, "", "COMMAND"},
		{"no terminal", append([]string{"-t"}, sh("true")...), "", 125, "", "no terminal"},
		{"killed", sh("kill -9 $$"), "", 137, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := prepare(t, c, append([]string{"exec"}, tc.args...)...)
			b.Stdin = strings.NewReader(tc.stdin)
			if err := b.Start(); err != nil {
				t.Fatal(err)
			}
			r := finish(t, b)
			if r.code != tc.code || !strings.HasSuffix(r.stdout, tc.stdout) || tc.stdout == "" && r.stdout != "" || !strings.Contains(r.stderr, tc.stderr) {
				t.Errorf("exit code %d, want %d; stdout %q; stderr:\n%s", r.code, tc.code, tail(r.stdout), r.stderr)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		b := begin(t, c, append([]string{"exec"}, sh("trap 'echo bye; exit 5' INT; echo up; while :; do sleep 0.05; done")...)...)
		until(t, "it is up", func() bool { return b.stdout.String() == "up\n" })
		if err := b.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if r := finish(t, b); r.code != 5 || r.stdout != "up\nbye\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("attach", func(t *testing.T) {
		b := begin(t, c, "attach", task)
		until(t, "it ticks", func() bool { return strings.Contains(b.stdout.String(), "tick\ntick\n") })
		if r := run(t, c, "kill", "--grace=0s", task); r.code != 0 {
			t.Errorf("kill: %+v", r)
		}
		if r := finish(t, b); r.code != 0 {
			t.Errorf("got %+v", r)
		}
	})
}

// testTerminal: with -it the command has a terminal of this one's size, and gets
// every key. Method: script(1) plays the person's terminal.
func testTerminal(t *testing.T, c *native.Cluster) {
	if _, err := exec.LookPath("script"); err != nil {
		native.Skip(t, "script(1) is not installed: "+err.Error())
	}
	r := run(t, c, "run", "--detach", "--name=shell", "--image="+c.Image, "--", "sleep", "1000")
	if r.code != 0 {
		t.Fatalf("run: %+v", r)
	}
	task := strings.TrimSpace(r.stdout)
	inner := prepare(t, c, "exec", "-it", task, "sh")
	keys, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	defer typed.Close()
	var screen output
	cmd := exec.CommandContext(t.Context(), "script", "-qec", "stty rows 30 cols 99; "+strings.Join(inner.Args, " "), "/dev/null")
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = inner.Env, keys, &screen, &screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "a prompt", func() bool { return strings.Contains(screen.String(), "# ") })
	for _, step := range []struct{ typed, shows string }{
		{"stty size\r", "30 99"},
		// Not the echo of what is typed: until the shell has left its line editor, a
		// Ctrl-C is a key like any other.
		{"echo $((60+3)); sleep 1000\r", "63"},
		{"\x03", "^C"},
		{"echo $((40+2)); tty\r", "42"},
	} {
		if _, err := typed.Write([]byte(step.typed)); err != nil {
			t.Fatal(err)
		}
		until(t, step.shows, func() bool { return strings.Contains(screen.String(), step.shows) })
	}
	if _, err := typed.Write([]byte("exit 6\r")); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 6 {
		t.Errorf("exit code %d, %v; screen:\n%s", code, err, screen.String())
	}
	if r := run(t, c, "kill", "--grace=0s", task); r.code != 0 {
		t.Errorf("kill: %+v", r)
	}
}
