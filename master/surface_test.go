package master_test

// Goal: whatever calls come, valid and broken, the master stays up, answers what the
// API says, and keeps nothing of them. Method: random calls made of the descriptors,
// by a framework that is there, by others, and by nobody.

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/randproto"
)

func TestSurface(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := start(t, nil)
	agent := register(t, m, "a1", "cpus:4;mem:4096;disk:100;ports:[1-10]")
	go func() {
		for range agent.heard { // until its stream ends
		}
	}()
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{Id: &v1.FrameworkID{Value: proto.String("known")}, FailoverTimeout: proto.Float64(1)})
	go func() {
		for range s.events {
		}
	}()
	g := &randproto.Generator{
		Rand: rand.New(rand.NewPCG(seed, 3)), Wild: true,
		Words: []string{agent.id.GetValue(), "cpus", "mem", "disk", "ports", "*", "eng", "eng/a", "t1", "sh", "/master/log", "a1"},
	}
	// Memory is looked at twice, the second time after as many calls again: what is
	// kept of each would double.
	const calls = 2500
	var held [2]uint64
	answers := map[int]int{}
	for round := range held {
		for range calls {
			answers[surfaceCall(t, m.Addr(), s.stream, g)]++
		}
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		held[round] = stats.HeapAlloc
	}
	t.Logf("%d KiB of heap after %d calls, %d KiB after %d", held[0]>>10, calls, held[1]>>10, 2*calls)
	t.Logf("answers by status: %v", answers)
	if answers[200] < calls/50 || answers[202] < calls/50 || answers[400] < calls/50 {
		t.Error("too few of the calls made sense, or too many")
	}
	if held[1] > held[0]+32<<20 {
		t.Errorf("%d MiB of heap after %d calls, %d MiB after %d", held[0]>>20, calls, held[1]>>20, 2*calls)
	}
	if code, _ := fetch(t, m, "/state"); code != http.StatusOK {
		t.Errorf("/state: %d", code)
	}
}

// surfaceCall makes one call, and returns the status of the answer.
func surfaceCall(t *testing.T, addr, stream string, g *randproto.Generator) int {
	t.Helper()
	var call proto.Message = &scheduler.Call{}
	path := "/api/v1/scheduler"
	if g.IntN(2) == 0 {
		call, path = &masterapi.Call{}, "/api/v1"
	}
	name := g.FillCall(call.ProtoReflect())
	// A framework that is torn down, or taken over, would make no more sense.
	if c, ok := call.(*scheduler.Call); ok && name != "" && name != "TEARDOWN" && name != "SUBSCRIBE" && g.IntN(2) == 0 {
		c.FrameworkId = &v1.FrameworkID{Value: proto.String("known")}
	}
	c, accept := codec.JSON, codec.Protobuf
	if g.IntN(2) == 0 {
		c, accept = accept, c
	}
	body, err := c.Marshal(call)
	if err != nil {
		body = []byte("no call at all")
	}
	if g.IntN(8) == 0 && len(body) > 0 {
		body[g.IntN(len(body))] = byte(g.Uint32())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", c.ContentType())
	if g.IntN(2) == 0 {
		req.Header.Set("Accept", accept.ContentType())
	}
	if g.IntN(4) > 0 {
		req.Header.Set("Mesos-Stream-Id", stream)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%v: %v", call, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case 200, 202, 400, 403, 404, 406, 409, 501:
	default:
		t.Errorf("%.2000v: %s", call, resp.Status)
	}
	if _, whole := resp.Header["Content-Length"]; whole || resp.StatusCode != http.StatusOK { // else a stream, perhaps
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	return resp.StatusCode
}
