package cgroups2

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"mezzo/internal/errs"
	"mezzo/isolator"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Goal: every setting is one the kernel accepts, and says what was asked.

const mib = 1 << 20

func values(settings []Setting) map[string]string {
	m := make(map[string]string)
	for _, s := range settings {
		m[s.File] = s.Value
	}
	return m
}

func TestSettings(t *testing.T) {
	host := Host{CPUs: 4, PageBytes: 4096}
	tests := []struct {
		name   string
		limits isolator.Limits
		host   Host
		want   map[string]string // what differs from the first case
	}{
		{"half a CPU and 64 MiB", isolator.Limits{CPURequestMilli: 500, CPULimitMilli: 500, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib}, host, nil},
		{"nothing asked", isolator.Limits{}, host, map[string]string{
			"cpu.weight": "1", "cpu.max": "1000 100000", "memory.low": "0", "memory.max": "33554432",
		}},
		{"requests alone are the limits", isolator.Limits{CPURequestMilli: 2000, MemRequestBytes: 256 * mib}, host, map[string]string{
			"cpu.weight": "200", "cpu.max": "200000 100000", "memory.low": "268435456", "memory.max": "268435456",
		}},
		{"no ceilings", isolator.Limits{CPURequestMilli: 500, CPULimitMilli: -1, MemRequestBytes: 64 * mib, MemLimitBytes: -1, SwapLimitBytes: -1, PidsLimit: -1}, host, map[string]string{
			"cpu.max": "max 100000", "memory.max": "max", "memory.swap.max": "max", "pids.max": "max",
		}},
		{"swap and pids", isolator.Limits{CPURequestMilli: 500, CPULimitMilli: 500, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib, SwapLimitBytes: mib, PidsLimit: 7}, host, map[string]string{
			"memory.swap.max": "1048576", "pids.max": "7",
		}},
		{"revocable", isolator.Limits{CPURequestMilli: 8000, CPULimitMilli: -1, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib, Revocable: true}, host, map[string]string{
			"cpu.weight": "1", "cpu.max": "max 100000",
		}},
		{"quota below 1 ms", isolator.Limits{CPURequestMilli: 5, CPULimitMilli: 5, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib}, host, map[string]string{
			"cpu.weight": "1", "cpu.max": "1000 200000",
		}},
		{"smallest limit", isolator.Limits{CPURequestMilli: 1, CPULimitMilli: 1, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib}, host, map[string]string{
			"cpu.weight": "1", "cpu.max": "1000 1000000",
		}},
		{"whole node of 256 CPUs", isolator.Limits{CPURequestMilli: 256_000, CPULimitMilli: -1, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib}, Host{CPUs: 256, PageBytes: 4096}, map[string]string{
			"cpu.weight": "10000", "cpu.max": "max 100000",
		}},
		{"more CPUs than there are", isolator.Limits{CPURequestMilli: maxCPUMilli, CPULimitMilli: -1, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib}, host, map[string]string{
			"cpu.weight": "10000", "cpu.max": "max 100000",
		}},
		{"huge pages", isolator.Limits{CPURequestMilli: 500, CPULimitMilli: 500, MemRequestBytes: 64 * mib, MemLimitBytes: 64 * mib}, Host{CPUs: 4, HugePages: []string{"2MB", "1GB"}}, map[string]string{
			"hugetlb.2MB.max": "0", "hugetlb.2MB.rsvd.max": "0", "hugetlb.1GB.max": "0", "hugetlb.1GB.rsvd.max": "0",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := map[string]string{
				"pids.max": "4096", "cpu.weight": "50", "cpu.max": "50000 100000",
				"memory.oom.group": "1", "memory.swap.max": "0", "memory.low": "67108864", "memory.max": "67108864",
			}
			for f, v := range tt.want {
				want[f] = v
			}
			got, err := Settings(tt.limits, tt.host)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, values(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSettingsRefuses(t *testing.T) {
	for _, l := range []isolator.Limits{
		{CPURequestMilli: -1},
		{CPULimitMilli: -2},
		{CPULimitMilli: math.MaxInt64},
		{CPURequestMilli: 2, CPULimitMilli: 1},
		{MemRequestBytes: -1},
		{MemLimitBytes: -2},
		{MemRequestBytes: 2, MemLimitBytes: 1},
		{SwapLimitBytes: -2},
		{PidsLimit: -2},
	} {
		if got, err := Settings(l, Host{CPUs: 1}); !errors.Is(err, errs.Invalid) {
			t.Errorf("%+v: got %v, %v, want %v", l, got, err, errs.Invalid)
		}
		if got, err := leafSettings(l, Host{CPUs: 1}); !errors.Is(err, errs.Invalid) {
			t.Errorf("leaf %+v: got %v, %v, want %v", l, got, err, errs.Invalid)
		}
	}
}

func TestSwapMustBeAccountedWhereThereIsSome(t *testing.T) {
	for _, swap := range []uint64{0, 1 << 30} {
		s, err := Settings(isolator.Limits{}, Host{CPUs: 1, SwapBytes: swap})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range s {
			if want := swap == 0 && s.File == "memory.swap.max"; s.Optional != want {
				t.Errorf("with %d bytes of swap, %s is optional: got %v, want %v", swap, s.File, s.Optional, want)
			}
		}
	}
}

func TestLeafSettings(t *testing.T) {
	tests := []struct {
		name   string
		limits isolator.Limits
		want   []string
	}{
		{"limits", isolator.Limits{CPULimitMilli: 1500, MemLimitBytes: 64 * mib}, []string{
			"cpu.max.burst=0", "cpu.max=1500000 1000000", "cpu.max.burst=1500000",
			"memory.oom.group=1", "memory.swap.max=0", "memory.max=67108864",
		}},
		{"none", isolator.Limits{CPULimitMilli: -1, MemLimitBytes: -1}, []string{
			"cpu.max.burst=0", "cpu.max=max 1000000", "cpu.max.burst=0",
			"memory.oom.group=1", "memory.swap.max=0", "memory.max=max",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := leafSettings(tt.limits, Host{CPUs: 1})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range s {
				got = append(got, s.File+"="+s.Value)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSettingsAlwaysLegal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := func(name string) int64 {
			return rapid.OneOf(rapid.Int64Range(-2, 20), rapid.Int64Range(0, 1<<40), rapid.Int64()).Draw(t, name)
		}
		l := isolator.Limits{
			CPURequestMilli: limit("cpu request"), CPULimitMilli: limit("cpu limit"),
			MemRequestBytes: limit("mem request"), MemLimitBytes: limit("mem limit"),
			SwapLimitBytes: limit("swap"), PidsLimit: limit("pids"), Revocable: rapid.Bool().Draw(t, "revocable"),
		}
		h := Host{CPUs: rapid.IntRange(1, 20_000).Draw(t, "cpus"), PageBytes: 4096}
		s, err := Settings(l, h)
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("error without a class: %v", err)
			}
			return
		}
		v := values(s)
		if len(v) != len(s) || s[len(s)-1].File != "memory.max" {
			t.Fatalf("a file twice, or memory.max not last: %v", s)
		}
		var weight int
		if _, err := fmt.Sscan(v["cpu.weight"], &weight); err != nil || weight < 1 || weight > 10_000 {
			t.Fatalf("cpu.weight %q: %v", v["cpu.weight"], err)
		}
		legalQuota(t, v["cpu.max"], l)
		leaf, err := leafSettings(l, h)
		if err != nil {
			t.Fatal(err)
		}
		legalQuota(t, values(leaf)["cpu.max"], l)
	})
}

func legalQuota(t *rapid.T, value string, l isolator.Limits) {
	var quota, period float64
	if strings.HasPrefix(value, "max ") {
		if l.CPULimitMilli != isolator.Unlimited {
			t.Fatalf("cpu.max %q with a limit of %d", value, l.CPULimitMilli)
		}
		return
	}
	if _, err := fmt.Sscan(value, &quota, &period); err != nil {
		t.Fatal(err)
	}
	if quota < 1000 || period < 1000 || period > 1_000_000 || quota > 1<<43 {
		t.Fatalf("cpu.max %q", value)
	}
	want := float64(l.CPULimitMilli)
	if l.CPULimitMilli == 0 {
		want = float64(max(l.CPURequestMilli, 10))
	}
	if got := quota / period * 1000; math.Abs(got-want) > want*0.001 {
		t.Fatalf("cpu.max %q is %v/1000 CPU, want %v", value, got, want)
	}
}

func BenchmarkSettings(b *testing.B) {
	l := isolator.Limits{CPURequestMilli: 500, CPULimitMilli: 1000, MemRequestBytes: 64 * mib, MemLimitBytes: 128 * mib}
	h := Host{CPUs: 64, PageBytes: 4096, HugePages: []string{"2MB", "1GB"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Settings(l, h); err != nil {
			b.Fatal(err)
		}
	}
}
