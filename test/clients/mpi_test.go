package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mezzo/test/native"
)

// TestMPI: three ranks on two agents, by Debian's mpich: `mezzo mpirun`, and the
// example framework of the docs.
func TestMPI(t *testing.T) {
	for _, tool := range []string{"mpicc", "mpiexec.hydra"} {
		if _, err := exec.LookPath(tool); err != nil {
			native.Skip(t, tool+" is not installed")
		}
	}
	dir := t.TempDir()
	hello, example := filepath.Join(dir, "hello"), filepath.Join(dir, "mpi")
	run(t, exec.CommandContext(deadline(t), "mpicc", "-Wall", "-Werror", "-o", hello, "testdata/mpi/hello.c"))
	run(t, exec.CommandContext(deadline(t), "go", "build", "-o", example, "mezzo/docs/mpi"))
	// An agent has room for two ranks.
	c := native.Start(t, "--agents=2", "--resources=cpus:2;mem:512")

	mpirun := func(args ...string) (string, int) {
		return patiently(t, func(ctx context.Context) *exec.Cmd {
			return c.Command(ctx, "mpirun", append([]string{"--address=127.0.0.1"}, args...)...)
		})
	}
	check := func(what, out string, code, want int) {
		t.Helper()
		places := map[string]bool{}
		for _, m := range regexp.MustCompile(`rank \d of 3: sum 6, parent (\S+)`).FindAllStringSubmatch(out, -1) {
			places[m[1]] = true
		}
		if got := strings.Count(out, "of 3: sum 6"); got != 3 || code != want || len(places) != 2 {
			t.Errorf("%s: code %d, want %d; %d ranks in %d tasks, want 3 in 2:\n%s", what, code, want, got, len(places), out)
		}
	}
	out, code := mpirun("-n", "3", hello)
	check("mpirun", out, code, 0)
	out, code = mpirun("-n", "3", hello, "7")
	check("mpirun of a program that fails", out, code, 7)
	out, code = mpirun("--ppn=1", "-n", "2", hello)
	if code != 0 || strings.Count(out, "of 2: sum 3") != 2 || !strings.Contains(out, "1 ranks sent to") {
		t.Errorf("one rank per agent: code %d\n%s", code, out)
	}
	out, code = patiently(t, func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, example, "--master="+c.Master, "--address=127.0.0.1", "-n", "3", hello, "5")
	})
	check("the example", out, code, 5)

	if out, code := mpirun("-n", "0", hello); code != 125 || !strings.Contains(out, "-n 0") {
		t.Errorf("no ranks: code %d\n%s", code, out)
	}
	if out, code := mpirun("-n", "1", "--mpiexec=/none", hello); code != 125 || !strings.Contains(out, "apt install mpich") {
		t.Errorf("no mpiexec: code %d\n%s", code, out)
	}
	if out, code := mpirun("-n", "2", filepath.Join(dir, "none")); code == 0 || !strings.Contains(out, "none") {
		t.Errorf("no program: code %d\n%s", code, out)
	}
	if out := c.Run(t, "--", "true"); out != "" { // all is free again
		t.Error(out)
	}
}

// patiently runs an MPI program once more when it hangs: the ranks of Debian 12's MPICH
// 4.0.2 do so in MPI_Finalize, in UCX, now and then when they speak by TCP (16 of 30
// runs by mpiexec alone with UCX_TLS=tcp,self). The interrupt ends all of it.
func patiently(t *testing.T, command func(context.Context) *exec.Cmd) (out string, code int) {
	t.Helper()
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		cmd := command(ctx)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 15 * time.Second
		text, _ := cmd.CombinedOutput()
		hung := ctx.Err() != nil
		cancel()
		if out, code = string(text), cmd.ProcessState.ExitCode(); !hung {
			return out, code
		}
		t.Logf("%v hung:\n%s", cmd.Args, out)
	}
	t.Fatal("the program hangs each time")
	return out, code
}
