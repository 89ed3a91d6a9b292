//go:build root && linux

package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/isolatortest"

	"golang.org/x/sys/unix"
)

// Goal: the kernel does what the settings, the samples and the verdict say.
// Method: as root on a machine with cgroups v2, processes of this very binary
// in the leaf of prepared containers, born there as a runtime's would be.
//
//	CGO_ENABLED=0 go test -c -tags root ./isolator/cgroups2
//	./cgroups2.test -test.v      (on the machine)
//
// Waiting is generous: an emulated machine is up to 60 times slower.

const patience = 3 * time.Minute

// helperEnv makes this binary do something else than test.
const helperEnv = "MEZZO_TEST_HELPER"

func TestMain(m *testing.M) {
	if what := strings.Fields(os.Getenv(helperEnv)); len(what) > 0 {
		helper(what[0], what[1:])
	}
	os.Exit(m.Run())
}

// helper does what, says "ready" when it has, and stays.
func helper(what string, args []string) {
	switch what {
	case "spin":
		n, _ := strconv.Atoi(args[0])
		for range n {
			go func() {
				for x := uint64(1); x != 0; x *= 3 { // an odd number stays one
				}
			}()
		}
	case "eat": // bytes of anonymous memory
		n, _ := strconv.Atoi(args[0])
		eat(n)
	case "child-eats":
		cmd := helperCommand("eat " + args[0])
		if err := cmd.Run(); err != nil {
			fmt.Println("survived", err)
		}
	case "cache": // bytes of page cache, of a new file
		n, _ := strconv.ParseInt(args[0], 10, 64)
		f, _ := os.Create(args[1])
		_, _ = io.CopyN(f, zeros{}, n)
		_ = f.Sync()
	case "churn": // touch bytes of anonymous memory, for ever
		n, _ := strconv.Atoi(args[0])
		m, _ := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		fmt.Println("ready")
		for {
			for i := 0; i < n; i += 4096 {
				m[i]++
			}
		}
	case "forks": // until it can't
		n := 0
		for ; ; n++ {
			if err := helperCommand("nothing").Start(); err != nil {
				fmt.Println("refused", errors.Is(err, unix.EAGAIN), n)
				break
			}
		}
	case "bomb":
		for {
			_ = helperCommand("bomb").Start()
		}
	case "look":
		look(args)
		os.Exit(0)
	}
	fmt.Println("ready")
	for {
		_ = unix.Pause()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func eat(n int) {
	m, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; i < n; i += 4096 {
		m[i] = 1
	}
}

// look prints files, and whether they can be written.
func look(paths []string) {
	for _, p := range paths {
		data, err := os.ReadFile(p)
		fmt.Printf("%s: %s %v\n", p, strings.ReplaceAll(strings.TrimSpace(string(data)), "\n", "|"), err)
		if f, err := os.OpenFile(p, os.O_WRONLY, 0); err == nil {
			fmt.Printf("%s can be written\n", p)
			f.Close()
		}
	}
}

func helperCommand(what string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helperEnv+"="+what, "GOMAXPROCS=4")
	return cmd
}

// process is a helper in a container.
type process struct {
	cmd   *exec.Cmd
	out   *printed
	ended chan error
}

type printed struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *printed) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *printed) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func run(t *testing.T, i *Isolator, id isolator.ID, what string) *process {
	t.Helper()
	dir, err := os.Open(filepath.Join(i.root, string(id), leafName))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	p := &process{cmd: helperCommand(what), out: &printed{}, ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	p.cmd.WaitDelay = time.Second // children may hold the pipe
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p
}

// until polls, as all that is waited for here can be polled only.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}

func (p *process) ready(t *testing.T) {
	t.Helper()
	until(t, "helper is ready", func() bool {
		select {
		case err := <-p.ended:
			t.Fatalf("helper ended: %v: %s", err, p.out)
		default:
		}
		return strings.Contains(p.out.String(), "ready")
	})
}

// signal waits for the end and returns the signal that brought it, or 0.
func (p *process) signal(t *testing.T) syscall.Signal {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("helper did not end within %v: %s", patience, p.out)
	}
	if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		return s.Signal()
	}
	return 0
}

func (p *process) lives() bool {
	select {
	case err := <-p.ended:
		p.ended <- err
		return false
	default:
		return true
	}
}

// realIsolator hangs its tree at the root of the hierarchy and takes it away.
func realIsolator(t testing.TB) *Isolator {
	t.Helper()
	const top = "/sys/fs/cgroup/mezzo-test"
	t.Cleanup(func() { removeTree(t, top) })
	return newReal(t, Config{Root: top + "/tasks", Top: top})
}

func newReal(t testing.TB, c Config) *Isolator {
	t.Helper()
	i, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func removeTree(t testing.TB, top string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := kill(ctx, top); err != nil {
		t.Error(err)
	}
	if err := kernelTree().remove(ctx, top); err != nil {
		t.Error(err)
	}
}

func prepareReal(t testing.TB, i *Isolator, id isolator.ID, l isolator.Limits) isolator.Container {
	t.Helper()
	c := isolator.Container{ID: id, Limits: l}
	prepareIn(t, i, c)
	return c
}

func sampleOf(t testing.TB, i *Isolator, id isolator.ID) isolator.Usage {
	t.Helper()
	u := isolator.Usage{At: time.Now()}
	if err := i.Usage(t.Context(), id, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// counter reads one key of a flat-keyed file of a container.
func counter(t *testing.T, i *Isolator, path, key string) string {
	t.Helper()
	for line := range strings.Lines(content(t, filepath.Join(i.root, path))) {
		if k, v, _ := strings.Cut(strings.TrimSpace(line), " "); k == key {
			return v
		}
	}
	t.Fatalf("%s: no %s", path, key)
	return ""
}

func TestRootContract(t *testing.T) {
	const top = "/sys/fs/cgroup/mezzo-test"
	t.Cleanup(func() { removeTree(t, top) })
	isolatortest.Run(t, func(t *testing.T) isolator.Isolator { return newReal(t, Config{Root: top + "/tasks"}) })
}

func TestRootCPULimit(t *testing.T) {
	i := realIsolator(t)
	for _, tt := range []struct {
		id      isolator.ID
		milli   int64
		threads int
	}{{"half-1", 500, 1}, {"half-4", 500, 4}, {"tenth", 100, 1}} {
		t.Run(string(tt.id), func(t *testing.T) {
			prepareReal(t, i, tt.id, isolator.Limits{CPULimitMilli: tt.milli, MemLimitBytes: 256 * mib})
			p := run(t, i, tt.id, fmt.Sprintf("spin %d", tt.threads))
			p.ready(t)
			until(t, "it is throttled", func() bool { return sampleOf(t, i, tt.id).ThrottledPeriods > 3 })
			a := sampleOf(t, i, tt.id)
			until(t, "8 s have passed", func() bool { return sampleOf(t, i, tt.id).Periods > a.Periods+80 })
			b := sampleOf(t, i, tt.id)

			rate := (b.CPU - a.CPU).Seconds() / b.At.Sub(a.At).Seconds()
			want := float64(tt.milli) / 1000
			t.Logf("%.4f CPU of %.3f, %d of %d periods throttled, in the leaf %s of %s; pressure %+v", rate, want,
				b.ThrottledPeriods-a.ThrottledPeriods, b.Periods-a.Periods,
				counter(t, i, string(tt.id)+"/ctr/cpu.stat", "nr_throttled"), counter(t, i, string(tt.id)+"/ctr/cpu.stat", "nr_periods"), b.CPUPressure)
			if rate < 0.95*want || rate > 1.05*want {
				t.Errorf("got %.4f CPU, want %.3f within 5 %%", rate, want)
			}
			if share := float64(b.ThrottledPeriods-a.ThrottledPeriods) / float64(b.Periods-a.Periods); share < 0.8 {
				t.Errorf("throttled in %.2f of the periods, want nearly all: the domain does not count them", share)
			}
			if err := i.Kill(t.Context(), tt.id); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRootMemoryLimit(t *testing.T) {
	for _, tt := range []struct {
		name     string
		leaf     string // memory.max of the leaf, if changed
		ancestor string // memory.max of the root, if any
		want     isolator.Cause
		says     string
		oom      bool // in the domain's events; threads can meet it at the same time
	}{
		{"own limit, domain and leaf", "", "", isolator.CauseMemory, "memory limit 48 MiB exceeded: peak 4", true},
		{"own limit, the domain's", "max", "", isolator.CauseMemory, "memory limit 48 MiB exceeded: peak 4", true},
		{"own limit, the leaf's", "46137344", "", isolator.CauseMemory, "memory limit 48 MiB exceeded: peak 4", true},
		{"ancestor's limit", "", "33554432", isolator.CauseNodeMemory, "ran out of memory: peak ", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := realIsolator(t)
			prepareReal(t, i, "victim", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 48 * mib})
			prepareReal(t, i, "neighbour", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 48 * mib, MemRequestBytes: 48 * mib})
			if tt.leaf != "" {
				put(t, filepath.Join(i.root, "victim/ctr/memory.max"), tt.leaf)
			}
			neighbour := run(t, i, "neighbour", "eat 4194304")
			neighbour.ready(t)
			if tt.ancestor != "" {
				put(t, filepath.Join(i.root, "memory.max"), tt.ancestor)
			}
			parent := run(t, i, "victim", fmt.Sprintf("child-eats %d", 128*mib))
			if s := parent.signal(t); s != syscall.SIGKILL {
				t.Errorf("the parent of the process that ate ended by %v, want SIGKILL: the container must die whole: %s", s, parent.out)
			}
			until(t, "all are gone", func() bool { return sampleOf(t, i, "victim").Pids == 0 })
			if err := i.tree.rmdir(filepath.Join(i.root, "victim/ctr")); err != nil { // as runc does
				t.Error(err)
			}
			local, all := counter(t, i, "victim/memory.events.local", "oom"), counter(t, i, "victim/memory.events", "oom")
			if t.Logf("oom %s, of them %s local", all, local); (all != "0") != tt.oom {
				t.Errorf("memory.events: oom is %s, want some: %v", all, tt.oom)
			}
			l, err := i.Explain(t.Context(), "victim")
			if err != nil || l == nil || l.Cause != tt.want || !strings.Contains(l.Message, tt.says) {
				t.Errorf("Explain: got %+v, %v, want cause %d and %q", l, err, tt.want, tt.says)
			} else {
				t.Log(l.Message)
			}
			if u := sampleOf(t, i, "victim"); u.OOMKills == 0 || u.MemPeakBytes == 0 {
				t.Errorf("last sample: %+v", u)
			}
			if tt.ancestor != "" {
				return // the kernel may have chosen the neighbour, too
			}
			if !neighbour.lives() {
				t.Error("the neighbour died too")
			}
			if l, err := i.Explain(t.Context(), "neighbour"); l != nil || err != nil {
				t.Errorf("Explain of the neighbour: %v, %v", l, err)
			}
		})
	}
}

func TestRootPidsLimit(t *testing.T) {
	i := realIsolator(t)
	prepareReal(t, i, "forks", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 512 * mib, PidsLimit: 40})
	p := run(t, i, "forks", "forks")
	p.ready(t)
	if out := p.out.String(); !strings.Contains(out, "refused true") {
		t.Errorf("got %q, want EAGAIN", out)
	}
	if u := sampleOf(t, i, "forks"); u.Pids > 40 || u.Pids < 30 || u.PidsLimit != 40 {
		t.Errorf("got %d of %d processes and threads, want about 40 of 40", u.Pids, u.PidsLimit)
	}
}

func TestRootKillOfAForkBomb(t *testing.T) {
	i := realIsolator(t)
	prepareReal(t, i, "bomb", isolator.Limits{CPULimitMilli: 500, MemLimitBytes: 256 * mib, PidsLimit: 100})
	p := run(t, i, "bomb", "bomb")
	until(t, "it went off", func() bool { return sampleOf(t, i, "bomb").Pids > 50 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	start := time.Now()
	if err := i.Kill(ctx, "bomb"); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone after %v", time.Since(start))
	p.signal(t)
	if err := i.Cleanup(ctx, "bomb"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(i.root, "bomb")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestRootCleanupWaitsForTheLast(t *testing.T) {
	i := realIsolator(t)
	prepareReal(t, i, "busy", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 64 * mib})
	p := run(t, i, "busy", "nothing")
	p.ready(t)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := i.Cleanup(short, "busy"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Cleanup of a running container: got %v, want %v", err, context.DeadlineExceeded)
	}
	if !p.lives() {
		t.Error("Cleanup killed it")
	}
	done := make(chan error, 1)
	go func() { done <- i.Cleanup(t.Context(), "busy") }()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("Cleanup did not notice the exit")
	}
}

func TestRootUpdate(t *testing.T) {
	i := realIsolator(t)
	c := prepareReal(t, i, "c", isolator.Limits{CPULimitMilli: 500, MemLimitBytes: 96 * mib})
	set := func(mem int64) error {
		c.Limits.MemLimitBytes, c.Limits.CPULimitMilli = mem, 1000
		return i.Update(t.Context(), c)
	}
	cached := filepath.Join(t.TempDir(), "cached")
	p := run(t, i, "c", fmt.Sprintf("cache %d %s", 40*mib, cached))
	p.ready(t)
	before := sampleOf(t, i, "c")
	if before.MemCurrentBytes < 40*mib || before.MemWorkingSetBytes > 30*mib {
		t.Fatalf("want 40 MiB of page cache that is not in the working set, got %+v", before)
	}
	if err := set(24 * mib); err != nil {
		t.Errorf("shrink over page cache: %v", err)
	}
	if after := sampleOf(t, i, "c"); after.MemCurrentBytes > 24*mib {
		t.Errorf("uses %s of 24 MiB", bytesText(after.MemCurrentBytes))
	}
	for file, want := range map[string]string{"memory.max": "25165824", "ctr/memory.max": "25165824", "memory.high": "max", "cpu.max": "100000 100000", "ctr/cpu.max": "1000000 1000000"} {
		if got := content(t, filepath.Join(i.root, "c", file)); got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
	if err := set(128 * mib); err != nil {
		t.Errorf("grow: %v", err)
	}
	eater := run(t, i, "c", fmt.Sprintf("eat %d", 64*mib))
	eater.ready(t)
	if err := set(48 * mib); !errors.Is(err, errs.Conflict) {
		t.Errorf("shrink below anonymous memory: got %v, want %v", err, errs.Conflict)
	} else {
		t.Log(err)
	}
	if got := content(t, filepath.Join(i.root, "c/memory.max")); got != "134217728" {
		t.Errorf("memory.max after the refusal: got %s", got)
	}
	if !p.lives() || !eater.lives() {
		t.Error("the refused update killed")
	}
	if u := sampleOf(t, i, "c"); u.OOMKills != 0 {
		t.Errorf("%d kills", u.OOMKills)
	}
}

// swapOn gives the machine some swap for the time of a test.
func swapOn(t *testing.T, size int64) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "swap") // /tmp may be in memory
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "file")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(f, zeros{}, size)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"mkswap", "swapon"} {
		if out, err := exec.Command(tool, name).CombinedOutput(); err != nil {
			t.Skipf("no swap to be had: %s: %v: %s", tool, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("swapoff", name).CombinedOutput(); err != nil {
			t.Errorf("swapoff: %v: %s", err, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}

func TestRootSlowWriteEndsWithItsContext(t *testing.T) {
	swapOn(t, 256*mib)
	i := realIsolator(t)
	prepareReal(t, i, "c", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 256 * mib, SwapLimitBytes: isolator.Unlimited})
	for range 4 { // what is swapped out comes back at once, so reclaim never gives up
		run(t, i, "c", fmt.Sprintf("churn %d", 32*mib)).ready(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	err := writeSlow(ctx, filepath.Join(i.root, "c/memory.reclaim"), strconv.Itoa(64<<30))
	took := time.Since(start)
	t.Logf("returned %v after %v", err, took)
	if err != nil || took < time.Second || took > time.Minute {
		t.Errorf("got %v after %v, want nil after about 1 s", err, took)
	}
}

func TestRootSwapIsOffUnlessAsked(t *testing.T) {
	swapOn(t, 256*mib)
	i := realIsolator(t)
	prepareReal(t, i, "none", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 48 * mib})
	prepareReal(t, i, "some", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: 48 * mib, SwapLimitBytes: 128 * mib})
	if s := run(t, i, "none", fmt.Sprintf("eat %d", 96*mib)).signal(t); s != syscall.SIGKILL {
		t.Errorf("without swap: ended by %v, want SIGKILL", s)
	}
	run(t, i, "some", fmt.Sprintf("eat %d", 96*mib)).ready(t)
}

func TestRootGoneIsNotZero(t *testing.T) {
	i := realIsolator(t)
	prepareReal(t, i, "c", isolator.Limits{})
	sampleOf(t, i, "c") // opens the files
	if err := i.tree.remove(t.Context(), filepath.Join(i.root, "c")); err != nil {
		t.Fatal(err)
	}
	var u isolator.Usage
	if err := i.Usage(t.Context(), "c", &u); !errors.Is(err, errs.NotFound) {
		t.Errorf("Usage: got %+v, %v, want %v", u, err, errs.NotFound)
	}
	if _, err := i.Explain(t.Context(), "c"); !errors.Is(err, errs.NotFound) {
		t.Errorf("Explain: got %v, want %v", err, errs.NotFound)
	}
	if err := i.Update(t.Context(), isolator.Container{ID: "c"}); !errors.Is(err, errs.NotFound) {
		t.Errorf("Update: got %v, want %v", err, errs.NotFound)
	}
}

func TestRootManyAtOnce(t *testing.T) {
	i := realIsolator(t)
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			c := isolatortest.Container(isolator.ID(fmt.Sprintf("c%d", n)))
			for range 3 {
				if err := i.Prepare(t.Context(), c, isolatortest.Spec()); err != nil {
					t.Error(err)
				}
				var u isolator.Usage
				if err := i.Usage(t.Context(), c.ID, &u); err != nil {
					t.Error(err)
				}
				if err := i.Cleanup(t.Context(), c.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := content(t, i.root+"/memory.low"); got != "0" {
		t.Errorf("memory.low of the root: got %s, want 0", got)
	}
	if orphans, err := i.Recover(t.Context(), nil); len(orphans) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", orphans, err)
	}
}

func BenchmarkRootSample(b *testing.B) {
	i := realIsolator(b)
	prepareReal(b, i, "c", isolator.Limits{})
	var u isolator.Usage
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := i.Usage(ctx, "c", &u); err != nil {
			b.Fatal(err)
		}
	}
}
