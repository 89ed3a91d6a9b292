package cgroups2

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"mezzo/internal/errs"

	"github.com/google/go-cmp/cmp"
)

func TestReadHost(t *testing.T) {
	controllers := func(s string) fstest.MapFS { return fstest.MapFS{"cgroup.controllers": {Data: []byte(s)}} }
	const swaps = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2   partition\t1024\t0\t-2\n/swap\\040file file\t\t4\t0\t-3\n"
	tests := []struct {
		name              string
		cgroup, proc, sys fstest.MapFS
		want              Host
		err               error
		says              string
	}{
		{
			name:   "all there",
			cgroup: controllers("cpuset cpu io memory hugetlb pids rdma misc\n"),
			proc:   fstest.MapFS{"swaps": {Data: []byte(swaps)}},
			sys: fstest.MapFS{
				"kernel/mm/hugepages/hugepages-1048576kB/x": {},
				"kernel/mm/hugepages/hugepages-2048kB/x":    {},
				"kernel/mm/hugepages/hugepages-64kB/x":      {},
			},
			want: Host{
				SwapBytes:   (1024 + 4) << 10,
				Controllers: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"},
				HugePages:   []string{"1GB", "2MB", "64KB"},
			},
		},
		{name: "no swap, no huge pages", cgroup: controllers("cpu memory pids\n"), want: Host{Controllers: []string{"cpu", "memory", "pids"}}},
		{name: "memory is off", cgroup: controllers("cpu pids\n"), err: errs.Unsupported, says: `"memory"`},
		{name: "no swap size", cgroup: controllers("cpu memory pids\n"), proc: fstest.MapFS{"swaps": {Data: []byte("Filename\n/dev/sda2\n")}}, err: errs.Corrupt},
		{name: "odd page size", cgroup: controllers("cpu memory pids\n"), sys: fstest.MapFS{"kernel/mm/hugepages/hugepages-bigkB/x": {}}, err: errs.Corrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readHost(tt.cgroup, tt.proc, tt.sys)
			if !errors.Is(err, tt.err) || (err != nil && !strings.Contains(err.Error(), tt.says)) {
				t.Fatalf("got %v, want %v saying %q", err, tt.err, tt.says)
			}
			if d := cmp.Diff(tt.want, got); err == nil && d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func FuzzSwaps(f *testing.F) {
	f.Add([]byte("Filename Type Size Used Priority\n/dev/sda2 partition 1024 0 -2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := swapBytes(fstest.MapFS{"swaps": {Data: data}})
		if err != nil && !errors.Is(err, errs.Corrupt) {
			t.Errorf("error without a class: %v", err)
		}
	})
}
