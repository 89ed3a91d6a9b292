package cgroups2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/isolatortest"

	"github.com/containerd/cgroups/v3"
	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Goal: everything but the kernel: what is written where, which errors come
// out, what is left behind. Method: directories in which mkdir makes the files
// that a kernel would; their contents are those of testdata.

const fakeControllers = "cpu memory pids\n"

func fakeTree(t testing.TB) tree {
	t.Helper()
	top := t.TempDir()
	f := tree{
		top: top,
		mkdir: func(path string) error {
			if err := os.Mkdir(path, 0o755); err != nil {
				return err
			}
			fillCgroup(t, path)
			return nil
		},
		rmdir: func(path string) error {
			entries, err := os.ReadDir(path)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if !e.IsDir() {
					if err := os.Remove(filepath.Join(path, e.Name())); err != nil {
						return err
					}
				}
			}
			return os.Remove(path)
		},
	}
	fillCgroup(t, top)
	return f
}

func fillCgroup(t testing.TB, dir string) {
	files := map[string]string{
		"cgroup.controllers": fakeControllers, "cgroup.subtree_control": fakeControllers, "cgroup.procs": "",
		"cgroup.events": "populated 0\nfrozen 0\n", "cgroup.kill": "",
		"cpu.weight": "100\n", "cpu.max": "max 100000\n", "cpu.max.burst": "0\n",
		"memory.low": "0\n", "memory.high": "max\n", "memory.max": "max\n", "memory.swap.max": "max\n", "memory.oom.group": "0\n",
	}
	for _, name := range []string{"cpu.stat", "memory.stat", "memory.current", "memory.peak", "memory.events", "pids.current", "pids.max", "cpu.pressure", "memory.pressure", "io.pressure"} {
		files[name] = string(file(t, name))
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func fakeHost() Host {
	return Host{CPUs: 4, PageBytes: 4096, Controllers: strings.Fields(fakeControllers)}
}

func fakeIsolator(t testing.TB) *Isolator {
	t.Helper()
	tree := fakeTree(t)
	i, err := newIn(tree, fakeHost(), Config{Root: tree.top + "/mezzo/tasks", Top: tree.top + "/mezzo"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func prepareIn(t testing.TB, i *Isolator, c isolator.Container) *specs.Spec {
	t.Helper()
	s := isolatortest.Spec()
	if err := i.Prepare(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func put(t testing.TB, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestContractInFakeTree(t *testing.T) {
	tree := fakeTree(t)
	isolatortest.Run(t, func(t *testing.T) isolator.Isolator {
		i, err := newIn(tree, fakeHost(), Config{Root: tree.top + "/tasks"})
		if err != nil {
			t.Fatal(err)
		}
		return i
	})
}

func TestPrepareWritesDomainAndLeaf(t *testing.T) {
	i := fakeIsolator(t)
	s := prepareIn(t, i, isolatortest.Container("c1"))
	dir := filepath.Join(i.root, "c1")
	for path, want := range map[string]string{
		"cpu.weight": "50", "cpu.max": "50000 100000", "pids.max": "4096", "memory.max": "67108864",
		"memory.low": "67108864", "memory.swap.max": "0", "memory.oom.group": "1",
		"ctr/cpu.max": "500000 1000000", "ctr/cpu.max.burst": "500000", "ctr/memory.max": "67108864",
		"ctr/memory.oom.group": "1", "ctr/cpu.weight": "100", "ctr/memory.low": "0",
	} {
		if got := content(t, filepath.Join(dir, path)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	want := &specs.Linux{
		CgroupsPath: "/mezzo/tasks/c1/ctr",
		Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}},
		Namespaces:  []specs.LinuxNamespace{{Type: specs.CgroupNamespace}},
	}
	if d := cmp.Diff(want, s.Linux); d != "" {
		t.Errorf("spec (-want +got):\n%s", d)
	}
	m := s.Mounts[len(s.Mounts)-1]
	if m.Destination != "/sys/fs/cgroup" || m.Type != "cgroup" || m.Options[0] != "ro" {
		t.Errorf("last mount: got %+v, want cgroups, read-only", m)
	}
}

func TestPrepareClearsLimitsOfTheSpec(t *testing.T) {
	i := fakeIsolator(t)
	s := isolatortest.Spec()
	limit := int64(1)
	s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	s.Linux.Resources.Unified = map[string]string{"memory.high": "1"}
	s.Linux.CgroupsPath = "/mezzo-namespace/c1"
	if err := i.Prepare(t.Context(), isolatortest.Container("c1"), s); err != nil {
		t.Fatal(err)
	}
	if r := s.Linux.Resources; r.Memory != nil || r.Unified != nil || len(r.Devices) != 1 {
		t.Errorf("resources: got %+v, want the device rules alone", r)
	}
}

func TestPrepareNamesFileAndValue(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(dir string) error
		class error
		says  []string
	}{
		{"file missing", func(dir string) error { return os.Remove(dir + "/memory.oom.group") }, errs.Unsupported, []string{"memory.oom.group", `"1"`}},
		{"file is not writable", func(dir string) error {
			return errors.Join(os.Remove(dir+"/cpu.max"), os.Mkdir(dir+"/cpu.max", 0o755))
		}, nil, []string{"cpu.max", `"50000 100000"`}},
		{"value not kept", func(dir string) error {
			return errors.Join(os.Remove(dir+"/pids.max"), os.Symlink("/dev/null", dir+"/pids.max"))
		}, errs.Conflict, []string{"pids.max", `"4096"`, `keeps ""`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := fakeIsolator(t)
			mkdir := i.tree.mkdir
			i.tree.mkdir = func(path string) error { return errors.Join(mkdir(path), tt.spoil(path)) }
			err := i.Prepare(t.Context(), isolatortest.Container("c1"), isolatortest.Spec())
			if err == nil || (tt.class != nil && !errors.Is(err, tt.class)) {
				t.Fatalf("got %v, want %v", err, tt.class)
			}
			for _, word := range tt.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %s", err, word)
				}
			}
			if tt.class == nil {
				return
			}
			if err := i.Cleanup(t.Context(), "c1"); err != nil {
				t.Errorf("Cleanup after it: %v", err)
			}
			if _, err := os.Stat(filepath.Join(i.root, "c1")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the domain is left behind: %v", err)
			}
		})
	}
}

func TestIDsStayBelowTheRoot(t *testing.T) {
	i := fakeIsolator(t)
	for _, id := range []isolator.ID{"", ".", "..", "a/b", "../../escape", "nul\x00", "line\n", isolator.ID(strings.Repeat("x", 256))} {
		errPrepare := i.Prepare(t.Context(), isolatortest.Container(id), isolatortest.Spec())
		for call, err := range map[string]error{"Prepare": errPrepare, "Kill": i.Kill(t.Context(), id), "Cleanup": i.Cleanup(t.Context(), id)} {
			if !errors.Is(err, errs.Invalid) {
				t.Errorf("%s(%q): got %v, want %v", call, id, err, errs.Invalid)
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	tree := fakeTree(t)
	for _, c := range []Config{
		{}, {Root: "/tmp"}, {Root: tree.top}, {Root: tree.top + "/../x"}, {Root: tree.top + "/a", Top: tree.top + "/b"},
		{Root: tree.top + "/a", Top: tree.top}, {Root: tree.top + "/ab", Top: tree.top + "/a"},
	} {
		if _, err := newIn(tree, fakeHost(), c); !errors.Is(err, errs.Invalid) {
			t.Errorf("%+v: got %v, want %v", c, err, errs.Invalid)
		}
	}
}

func TestEnableGoesLevelByLevel(t *testing.T) {
	tree := fakeTree(t)
	dir := tree.top + "/a/b"
	if err := tree.make(dir); err != nil {
		t.Fatal(err)
	}
	put(t, tree.top+"/cgroup.subtree_control", "")
	for _, d := range []string{tree.top + "/a", dir} {
		put(t, d+"/cgroup.controllers", "")
		put(t, d+"/cgroup.subtree_control", "")
	}
	if err := tree.enable(dir, "memory"); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{tree.top, tree.top + "/a", dir} {
		if got := content(t, d+"/cgroup.subtree_control"); got != "+memory" {
			t.Errorf("%s: got %q, want +memory", d, got)
		}
	}
	if err := tree.enable(dir, "rdma"); !errors.Is(err, errs.Unsupported) {
		t.Errorf("rdma: got %v, want %v", err, errs.Unsupported)
	}
}

func TestUsage(t *testing.T) {
	i := fakeIsolator(t)
	prepareIn(t, i, isolatortest.Container("c1"))
	dir := filepath.Join(i.root, "c1")
	var u isolator.Usage
	if err := i.Usage(t.Context(), "c1", &u); err != nil {
		t.Fatal(err)
	}
	if u.MemPeakBytes != 21319680 || u.Pids != 1 || u.PidsLimit != 4096 || u.CPUPressure.SomeAvg10 != 11.21 || u.IOPressure == nil {
		t.Errorf("got %+v", u)
	}
	put(t, dir+"/memory.events", "oom 1\noom_kill 2\n")
	put(t, dir+"/pids.max", "max\n")
	if err := i.Usage(t.Context(), "c1", &u); err != nil || u.OOMEvents != 1 || u.OOMKills != 2 || u.PidsLimit != 0 {
		t.Errorf("later: got %+v, %v", u, err)
	}
	put(t, dir+"/memory.current", "many\n")
	if err := i.Usage(t.Context(), "c1", &u); !errors.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), "memory.current") {
		t.Errorf("with a bad file: got %v, want %v", err, errs.Corrupt)
	}
}

func TestUsageOnKernelsThatLackFiles(t *testing.T) {
	i := fakeIsolator(t)
	prepareIn(t, i, isolatortest.Container("c1"))
	for _, f := range []string{"memory.peak", "cpu.pressure", "memory.pressure", "io.pressure"} {
		if err := os.Remove(filepath.Join(i.root, "c1", f)); err != nil {
			t.Fatal(err)
		}
	}
	u := isolator.Usage{MemPeakBytes: 7, CPUPressure: &isolator.Pressure{SomeAvg10: 7}}
	if err := i.Usage(t.Context(), "c1", &u); err != nil || u.MemPeakBytes != 0 || u.CPUPressure != nil || u.CPU == 0 {
		t.Errorf("got %+v, %v, want no peak and no pressure", u, err)
	}
}

func TestReaderGrowsAndCloses(t *testing.T) {
	i := fakeIsolator(t)
	prepareIn(t, i, isolatortest.Container("c1"))
	dir := filepath.Join(i.root, "c1")
	long := strings.Repeat("x", 20_000)
	put(t, dir+"/memory.stat", long+" 1\nanon 5\n")
	r, err := openReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	var u isolator.Usage
	if err := r.read(&u); err != nil || u.MemAnonBytes != 5 {
		t.Errorf("long file: got %d, %v", u.MemAnonBytes, err)
	}
	put(t, dir+"/memory.stat", strings.Repeat(long+"\n", 60))
	if err := r.read(&u); !errors.Is(err, errs.Corrupt) {
		t.Errorf("endless file: got %v, want %v", err, errs.Corrupt)
	}
	r.close()
	r.close()
	if err := r.read(&u); !errors.Is(err, errs.NotFound) {
		t.Errorf("closed: got %v, want %v", err, errs.NotFound)
	}
}

func TestSampleAllocatesNothing(t *testing.T) {
	i := fakeIsolator(t)
	prepareIn(t, i, isolatortest.Container("c1"))
	var u isolator.Usage
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if err := i.Usage(ctx, "c1", &u); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func TestExplainReadsTheCounters(t *testing.T) {
	i := fakeIsolator(t)
	prepareIn(t, i, isolatortest.Container("c1"))
	var u isolator.Usage
	if err := i.Usage(t.Context(), "c1", &u); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(i.root, "c1")
	put(t, dir+"/memory.events", "oom 1\noom_kill 1\n")
	put(t, dir+"/memory.current", "0\n")
	put(t, dir+"/memory.stat", "anon 0\nfile 0\n")
	if err := i.Usage(t.Context(), "c1", &u); err != nil { // the last sample, after the exit
		t.Fatal(err)
	}
	l, err := i.Explain(t.Context(), "c1")
	if err != nil || l == nil {
		t.Fatalf("got %v, %v", l, err)
	}
	const from, to = "memory limit 64 MiB exceeded: peak 20.3 MiB, 1 process killed by the kernel (largest sample, ", "s before: anon 96 KiB, file 19.1 MiB)"
	if l.Cause != isolator.CauseMemory || !strings.HasPrefix(l.Message, from) || !strings.HasSuffix(l.Message, to) {
		t.Errorf("got %+v, want %s…%s", l, from, to)
	}
	put(t, dir+"/memory.events", "oom\n")
	if _, err := i.Explain(t.Context(), "c1"); !errors.Is(err, errs.Corrupt) {
		t.Errorf("with a bad file: got %v, want %v", err, errs.Corrupt)
	}
}

func TestUpdateWritesDomainAndLeaf(t *testing.T) {
	i := fakeIsolator(t)
	c := isolatortest.Container("c1")
	prepareIn(t, i, c)
	c.Limits = isolator.Limits{CPURequestMilli: 1000, CPULimitMilli: 2000, MemRequestBytes: 32 * mib, MemLimitBytes: 48 * mib}
	if err := i.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(i.root, "c1")
	for path, want := range map[string]string{
		"cpu.weight": "100", "cpu.max": "200000 100000", "memory.max": "50331648", "memory.low": "33554432", "memory.high": "max",
		"ctr/cpu.max": "2000000 1000000", "ctr/memory.max": "50331648",
	} {
		if got := content(t, filepath.Join(dir, path)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if err := i.tree.rmdir(dir + "/ctr"); err != nil { // as the runtime does after the exit
		t.Fatal(err)
	}
	if err := i.Update(t.Context(), c); err != nil {
		t.Errorf("without the leaf: %v", err)
	}
}

func TestUpdateRefusesWhatWouldKill(t *testing.T) {
	for _, tt := range []struct{ name, stat, current, says string }{
		{"anonymous memory", "anon 62914560\nshmem 1048576\n", "67108864\n", "61 MiB of anonymous memory"},
		{"what reclaim can't free", "anon 0\nunevictable 50331648\n", "50331648\n", "48 MiB are in use"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := fakeIsolator(t)
			c := isolatortest.Container("c1")
			prepareIn(t, i, c)
			dir := filepath.Join(i.root, "c1")
			put(t, dir+"/memory.swap.max", "0\n")
			put(t, dir+"/memory.stat", tt.stat)
			put(t, dir+"/memory.current", tt.current)
			c.Limits = isolator.Limits{CPULimitMilli: 4000, MemLimitBytes: 32 * mib}
			if err := i.Update(t.Context(), c); !errors.Is(err, errs.Conflict) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %v saying %q", err, errs.Conflict, tt.says)
			}
			for path, want := range map[string]string{"memory.max": "67108864", "memory.high": "max", "cpu.max": "50000 100000", "ctr/memory.max": "67108864"} {
				if got := content(t, filepath.Join(dir, path)); got != want {
					t.Errorf("%s changed: got %q, want %q", path, got, want)
				}
			}
		})
	}
}

func TestLevelsAboveProtectTheSumOfRequests(t *testing.T) {
	i := fakeIsolator(t)
	check := func(when, want string) {
		t.Helper()
		for _, dir := range []string{i.root, filepath.Dir(i.root)} {
			if got := content(t, dir+"/memory.low"); got != want {
				t.Errorf("%s, %s: got %s, want %s", when, dir, got, want)
			}
		}
		if got := content(t, i.tree.top+"/memory.low"); got != "0" {
			t.Errorf("%s, above what is ours: got %s, want 0", when, got)
		}
	}
	a, b := isolatortest.Container("a"), isolatortest.Container("b")
	prepareIn(t, i, a)
	prepareIn(t, i, b)
	check("two of 64 MiB", "134217728")
	b.Limits.MemRequestBytes = mib
	if err := i.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	check("one down to 1 MiB", "68157440")
	if err := i.Cleanup(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	check("the other gone", "1048576")
}

func TestAgentsShareTheLevelsAbove(t *testing.T) {
	tree := fakeTree(t)
	top := tree.top + "/mezzo"
	for n, want := range []string{"67108864", "134217728"} {
		i, err := newIn(tree, fakeHost(), Config{Root: fmt.Sprintf("%s/agent%d", top, n), Top: top})
		if err != nil {
			t.Fatal(err)
		}
		prepareIn(t, i, isolatortest.Container("c"))
		if got := content(t, top+"/memory.low"); got != want {
			t.Errorf("with %d agents: got %s, want %s", n+1, got, want)
		}
	}
}

func TestWriteNeverCreates(t *testing.T) {
	dir := t.TempDir()
	err := apply(dir, []Setting{{File: "a", Value: "1", Optional: true}, {File: "b", Value: "2"}}, 4096)
	if !errors.Is(err, errs.Unsupported) || !strings.Contains(err.Error(), "/b to \"2\"") {
		t.Errorf("got %v, want %v about b", err, errs.Unsupported)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := apply(dir+"/gone", []Setting{{File: "a", Value: "1", Optional: true}}, 4096); !errors.Is(err, errs.NotFound) {
		t.Errorf("without the cgroup: got %v, want %v", err, errs.NotFound)
	}
}

func TestSame(t *testing.T) {
	tests := []struct {
		file, want, got string
		ok              bool
	}{
		{"memory.max", "67108864", "67108864\n", true},
		{"memory.max", "40000000", "39997440\n", true}, // a page has 4096 bytes
		{"memory.max", "1", "0\n", true},
		{"memory.max", "40000000", "39993344\n", false},
		{"memory.max", "40000000", "max\n", false},
		{"memory.max", "9223372036854775807", "max\n", true},
		{"memory.max", "max", "67108864\n", false},
		{"memory.max", "67108864", "", false},
		{"memory.max", "67108864", "much\n", false},
		{"cpu.max", "50000 100000", "50000 100000\n", true},
		{"cpu.max", "50001 100000", "49152 100000\n", false},
		{"cpu.max", "max 100000", "max 100000\n", true},
		{"pids.max", "4097", "4096\n", false},
	}
	for _, tt := range tests {
		if ok := same(tt.file, tt.want, tt.got, 4096); ok != tt.ok {
			t.Errorf("%s: wrote %q, reads %q: got %v, want %v", tt.file, tt.want, tt.got, ok, tt.ok)
		}
	}
}

func TestRemoveStaysInTheTree(t *testing.T) {
	tree := fakeTree(t)
	other := t.TempDir()
	for _, dir := range []string{other, tree.top, tree.top + "x"} {
		if err := tree.remove(t.Context(), dir); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v, want %v", dir, err, errs.Invalid)
		}
	}
}

func TestOtherModesAreRefusedWithAdvice(t *testing.T) {
	for mode, has := range map[cgroups.CGMode]string{
		cgroups.Legacy: "cgroups v1", cgroups.Hybrid: "hybrid", cgroups.Unavailable: "no cgroups",
	} {
		err := unified(mode)
		if !errors.Is(err, errs.Unsupported) {
			t.Fatalf("%v: got %v, want %v", mode, err, errs.Unsupported)
		}
		for _, word := range []string{has, "systemd.unified_cgroup_hierarchy=1", "--isolation=none"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%v: %q does not say %q", mode, err, word)
			}
		}
	}
	if err := unified(cgroups.Unified); err != nil {
		t.Errorf("unified: %v", err)
	}
}

func BenchmarkSample(b *testing.B) {
	i := fakeIsolator(b)
	prepareIn(b, i, isolatortest.Container("c1"))
	var u isolator.Usage
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := i.Usage(ctx, "c1", &u); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSample1000 is one sweep of an agent with 1,000 containers.
func BenchmarkSample1000(b *testing.B) {
	i := fakeIsolator(b)
	var all []isolator.ID
	for n := range 1000 {
		c := isolatortest.Container(isolator.ID(fmt.Sprint("c", n)))
		prepareIn(b, i, c)
		all = append(all, c.ID)
	}
	usages := make([]isolator.Usage, len(all))
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		for n, id := range all {
			if err := i.Usage(ctx, id, &usages[n]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// inGroup is a member of the group "g" with own limits.
func inGroup(id isolator.ID, own isolator.Limits) isolator.Container {
	c := isolatortest.Container(id)
	c.Group = &isolator.Group{ID: "g", Own: own}
	return c
}

func wantFiles(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	for path, want := range want {
		if got := content(t, filepath.Join(dir, path)); got != want {
			t.Errorf("%s/%s: got %q, want %q", dir, path, got, want)
		}
	}
}

func TestGroupHasTheSumOfItsMembers(t *testing.T) {
	i := fakeIsolator(t)
	dir := filepath.Join(i.root, "g")
	own := isolator.Limits{CPURequestMilli: 100, CPULimitMilli: 100, MemRequestBytes: 32 * mib, MemLimitBytes: 32 * mib}
	s := prepareIn(t, i, inGroup("a", own))
	if want := "/mezzo/tasks/g/a/ctr"; s.Linux.CgroupsPath != want {
		t.Errorf("cgroup of the member: got %q, want %q", s.Linux.CgroupsPath, want)
	}
	wantFiles(t, dir, map[string]string{
		"cpu.weight": "60", "cpu.max": "60000 100000", "pids.max": "4096", "memory.low": "100663296",
		"memory.max": "104857600", "memory.swap.max": "0", "memory.oom.group": "0", "a/memory.max": "67108864",
	})
	b := inGroup("b", own)
	b.Limits.MemLimitBytes, b.Limits.CPULimitMilli = isolator.Unlimited, 2000
	prepareIn(t, i, b)
	wantFiles(t, dir, map[string]string{"cpu.weight": "110", "cpu.max": "260000 100000", "pids.max": "8192", "memory.low": "167772160", "memory.max": "max"})
	wantFiles(t, i.root, map[string]string{"memory.low": "167772160"})

	b.Limits.MemLimitBytes = 128 * mib
	put(t, filepath.Join(dir, "b", "memory.current"), "0")
	put(t, filepath.Join(dir, "memory.current"), "0")
	if err := i.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{"memory.max": "243269632", "b/memory.max": "134217728"}) // 32+64+128+2·4 MiB

	// What is in use keeps the group's limit up until it is free.
	put(t, filepath.Join(dir, "memory.current"), "200000000")
	if err := i.Cleanup(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{"memory.max": "243269632", "cpu.max": "60000 100000"})
	put(t, filepath.Join(dir, "memory.current"), "100000000")
	if err := i.Update(t.Context(), inGroup("a", own)); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{"memory.max": "104857600"})

	if err := i.Cleanup(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group is still there after its last member: %v", err)
	}
	wantFiles(t, i.root, map[string]string{"memory.low": "0"})
	if err := i.Update(t.Context(), isolator.Container{ID: "g"}); !errors.Is(err, errs.NotFound) {
		t.Errorf("Update of a group: got %v, want not found", err)
	}
}

func TestRecoverGroups(t *testing.T) {
	i := fakeIsolator(t)
	own := isolator.Limits{}
	for _, id := range []isolator.ID{"a", "b", "stray"} {
		prepareIn(t, i, inGroup(id, own))
	}
	other := inGroup("c", own)
	other.Group.ID = "h"
	prepareIn(t, i, other)
	prepareIn(t, i, isolatortest.Container("alone"))

	after, err := newIn(i.tree, fakeHost(), Config{Root: i.root, Top: filepath.Dir(i.root)})
	if err != nil {
		t.Fatal(err)
	}
	orphans, err := after.Recover(t.Context(), []isolator.Container{inGroup("a", own), inGroup("b", own), inGroup("gone", own), isolatortest.Container("alone")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]isolator.ID{"h", "stray"}, orphans); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
	dir := filepath.Join(i.root, "g")
	wantFiles(t, dir, map[string]string{"pids.max": "8192"})
	for _, id := range append(orphans, "alone", "a") {
		if err := errors.Join(after.Kill(t.Context(), id), after.Cleanup(t.Context(), id)); err != nil {
			t.Errorf("remove %s: %v", id, err)
		}
	}
	for path, there := range map[string]bool{"g/stray": false, "h": false, "g/a": false, "g/b": true, "alone": false} {
		if _, err := os.Stat(filepath.Join(i.root, path)); (err == nil) != there {
			t.Errorf("%s: there %v, want %v", path, err == nil, there)
		}
	}
	var u isolator.Usage
	if err := after.Usage(t.Context(), "g", &u); err != nil {
		t.Errorf("usage of the group: %v", err)
	}
}

// nestedIn is a container that shares the limits of the one it is in.
func nestedIn(parent, id isolator.ID) isolator.Container {
	c := isolatortest.Container(id)
	c.Within = parent
	c.Limits = isolator.Limits{CPULimitMilli: isolator.Unlimited, MemLimitBytes: isolator.Unlimited, PidsLimit: isolator.Unlimited}
	return c
}

func TestNestedIsInItsParent(t *testing.T) {
	i := fakeIsolator(t)
	prepareIn(t, i, isolatortest.Container("p"))
	prepareIn(t, i, nestedIn("p", "n"))
	prepareIn(t, i, nestedIn("n", "nn"))
	prepareIn(t, i, inGroup("m", isolator.Limits{}))
	guest := inGroup("guest", isolator.Limits{})
	guest.Group.Guest, guest.Limits = true, nestedIn("", "").Limits
	prepareIn(t, i, guest)
	wantFiles(t, filepath.Join(i.root, "p/n"), map[string]string{"memory.max": "max", "cpu.max": "max 100000"})
	wantFiles(t, filepath.Join(i.root, "g"), map[string]string{"pids.max": "4096"})
	for _, c := range []isolator.Container{nestedIn("nobody", "x"), nestedIn("p", leafName), nestedIn("p", "..")} {
		if err := i.Prepare(t.Context(), c, &specs.Spec{}); err == nil {
			t.Errorf("nested %q in %q: got nil", c.ID, c.Within)
		}
	}

	after, err := newIn(i.tree, fakeHost(), Config{Root: i.root, Top: filepath.Dir(i.root)})
	if err != nil {
		t.Fatal(err)
	}
	// The order is not that in which they are nested, and one is not known any more.
	prepareIn(t, i, nestedIn("p", "stray"))
	orphans, err := after.Recover(t.Context(), []isolator.Container{
		nestedIn("n", "nn"), nestedIn("p", "n"), nestedIn("nobody", "x"), isolatortest.Container("p"), guest, inGroup("m", isolator.Limits{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]isolator.ID{"stray"}, orphans); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
	var u isolator.Usage
	if err := after.Usage(t.Context(), "nn", &u); err != nil {
		t.Errorf("usage of a nested container: %v", err)
	}
	for _, id := range []isolator.ID{"stray", "nn", "n", "p"} {
		if err := errors.Join(after.Kill(t.Context(), id), after.Cleanup(t.Context(), id)); err != nil {
			t.Errorf("remove %s: %v", id, err)
		}
	}
	if _, err := os.Stat(filepath.Join(i.root, "p")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the parent is left behind: %v", err)
	}
}
