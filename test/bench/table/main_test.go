package main

import (
	"strings"
	"testing"
)

// Goal: what go test printed comes out as one aligned table, failures are not
// swallowed. Method: a short example.
func TestTable(t *testing.T) {
	const in = `goos: linux
cpu: some
BenchmarkCycle/agents=10/declining-2   	      5	  66318486 ns/op	     11053 ns/offer	      6000 offers/op	10772316 B/op	   90015 allocs/op
BenchmarkIdle-2   	      5	  950 ns/op	  1.5 B/agent
PASS
ok  	mezzo/allocator	41.645s
`
	var out strings.Builder
	if err := run(strings.NewReader(in), &out, false); err != nil {
		t.Fatal(err)
	}
	const want = `goos: linux
cpu: some
benchmark                  time/op  time/offer  B/agent  offers/op  B/op        allocs/op
Cycle/agents=10/declining  66.3 ms  11.1 µs              6 000      10 772 316  90 015
Idle                       950 ns               1.5                             
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
	if err := run(strings.NewReader("--- FAIL: BenchmarkX\nFAIL\n"), &out, false); err == nil {
		t.Error("a failure is not told")
	}
}
