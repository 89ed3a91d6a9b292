package resources

import (
	"slices"
	"testing"
)

var (
	agent = MustParse("cpus:64;disk:1048576;gpus:8;mem:262144;ports:[31000-32000]")
	task  = MustParse("cpus:0.5;disk:100;gpus:1;mem:64;ports:[31005-31005]")
)

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		agent.Add(task)
	}
}

func BenchmarkSum1000(b *testing.B) {
	all := slices.Repeat([]Resources{task}, 1000)
	b.ReportAllocs()
	for b.Loop() {
		Sum(slices.Values(all))
	}
}

func BenchmarkSub(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		agent.Sub(task)
	}
}

func BenchmarkContains(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		agent.Contains(task)
	}
}

func BenchmarkAllocated(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		agent.Allocated("eng/web")
	}
}

func BenchmarkQuantities(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		agent.Quantities()
	}
}

func BenchmarkFromProto(b *testing.B) {
	wire := agent.Proto()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromProto(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := agent.String()
	b.ReportAllocs()
	for b.Loop() {
		MustParse(text)
	}
}
