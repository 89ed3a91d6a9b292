package failover

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mezzo/images/imagetest"
	"mezzo/test/native"
)

var (
	deaths     = flag.Int("deaths", 20, "how often agent or containerd are killed")
	deathsSeed = flag.Uint64("deaths-seed", 0, "when they are; 0: at other times in each run")
)

// TestAgents: goal, that an agent, its containerd, or both at once may die at any
// moment: tasks that run go on, each short one runs once and has one end, and
// nothing is left over; method, a framework that counts, and tasks that note on the
// host that they ran.
func TestAgents(t *testing.T) {
	dieAtRandom(t, false)
}

// TestShims: goal, that whatever holds a task may die, with the agent or without:
// each task still has one end, none runs twice, and nothing is left over; method,
// as TestAgents, where shims and tasks are killed as well.
func TestShims(t *testing.T) {
	dieAtRandom(t, true)
}

// dieAtRandom kills agent and containerd; mortal: and what holds the tasks.
func dieAtRandom(t *testing.T, mortal bool) {
	t.Helper()
	if os.Getuid() != 0 {
		native.Skip(t, "containerd needs root")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		native.Skip(t, "containerd is not installed")
	}
	seed := *deathsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-deaths-seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir, err := os.MkdirTemp("", "mezzo") // short: a unix socket's path must fit 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	archive, runs := filepath.Join(dir, "busybox.tar"), filepath.Join(dir, "runs")
	if err := imagetest.WriteBusybox(archive, imagetest.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(runs, 0o777); err != nil {
		t.Fatal(err)
	}
	addr := addresses(t, 1)
	launchMasters(t, addr).leader()
	work := dir + "/a"
	agent := launch(t, "agent", "--ip=127.0.0.1", "--port=0", "--master="+addr[0], "--work_dir="+work, "--isolation=none", "--containerd=private",
		"--resources=cpus:8;mem:4096", "--registration_backoff_factor=50ms")
	t.Cleanup(func() { endContainerd(t, agent, work) })
	f := newFramework(t, addr[0], "file://"+archive)
	f.runs, f.mortal = runs, mortal
	f.launchLong(3)
	f.begin()
	again := func() {
		agent.kill()
		agent.start()
	}
	for round := range *deaths {
		pause := time.After(time.Duration(rng.Int64N(int64(700 * time.Millisecond))))
		f.progress(fmt.Sprintf("death %d", round))
		<-pause
		if mortal {
			killSome(rng, shims(work))
			if rng.IntN(3) == 0 {
				killSome(rng, processes("sleep 100000; : of "+runs))
			}
		}
		switch rng.IntN(4) {
		case 0:
			killContainerd(t, work)
		case 1:
			killContainerd(t, work)
			again()
		case 2:
			if !mortal {
				again()
			}
		default:
			again()
		}
	}
	f.finish(3)
	f.check()
	t.Logf("%d launches failed", f.unlaunched)
	checkRuns(t, f, runs)
	until(t, "no container is left", func() bool { return len(shims(work)) == 0 && len(processes("of "+runs)) == 0 })
}

// killSome kills one of pids, or two.
func killSome(rng *rand.Rand, pids []int) {
	for range min(len(pids), 1+rng.IntN(2)) {
		_ = syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL) // it may have ended
	}
}

// checkRuns: each task that is said to be finished ran once, the others no more
// than that.
func checkRuns(t *testing.T, f *framework, runs string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, x := range f.tasks {
		if x.long {
			continue
		}
		ran, err := os.ReadFile(filepath.Join(runs, id))
		n := bytes.Count(ran, []byte("\n"))
		finished := x.end.GetState().String() == "TASK_FINISHED"
		if n > 1 || finished && n == 0 {
			t.Errorf("task %s ran %d times (%v) and ended as %v", id, n, err, x.end)
		}
	}
}

// processes are those whose command line has all words in it.
func processes(words ...string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		line, err := os.ReadFile(d + "/cmdline")
		if err != nil || len(line) == 0 {
			continue // gone, or the kernel's
		}
		has := true
		for _, w := range words {
			has = has && strings.Contains(string(line), w)
		}
		if pid, err := strconv.Atoi(filepath.Base(d)); err == nil && has {
			pids = append(pids, pid)
		}
	}
	return pids
}

// containerd of a work_dir: the daemon's configuration is in it.
func containerd(work string) []int { return processes("containerd", work+"/containerd/config.toml") }

// shims of a work_dir: they are told where the containerd is.
func shims(work string) []int {
	sum := sha256.Sum256([]byte(work + "/containerd"))
	return processes("containerd-shim", "/run/mezzo/"+hex.EncodeToString(sum[:6]))
}

func killContainerd(t *testing.T, work string) {
	t.Helper()
	pids := containerd(work)
	if len(pids) == 0 {
		t.Log("no containerd runs just now")
	}
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
}

// endContainerd stops what outlives the agent.
func endContainerd(t *testing.T, agent *process, work string) {
	agent.signal(syscall.SIGTERM)
	<-agent.done
	killContainerd(t, work)
	for _, pid := range shims(work) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
