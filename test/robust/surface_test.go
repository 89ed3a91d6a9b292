package robust

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/mesos/v1/agent"
	"mezzo/api/mesos/v1/executor"
	"mezzo/internal/randproto"
	"mezzo/test/native"
)

// TestAgentSurface: random calls, made of the descriptors, valid and broken, disturb no
// agent, and nothing is kept of them. Masters have the same in package master.
func TestAgentSurface(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := native.Start(t)
	c.Run(t, "--name=there", "--cpus=0.1", "--mem=32", "--image="+c.Image, "--detach", "--", "sleep", "600")
	g := &randproto.Generator{
		Rand: rand.New(rand.NewPCG(seed, 4)), Wild: true, Letters: []rune("aZ09-_./:*\" \\\n\x01\x7fäß𝄞\u2028"),
		Words: []string{"there", "f", "cpus", "/slave/log", "stdout", "..", "true", "busybox"},
	}
	const calls = 1500
	answers := map[int]int{}
	var held [2]int
	for round := range held {
		for range calls {
			code, body := agentCall(t, c.Agents[0], g)
			if answers[code]++; code >= 500 && code != http.StatusNotImplemented {
				t.Errorf("%d for %.1000q", code, body)
			}
		}
		held[round] = residentKiB(t, c.PID())
	}
	t.Logf("%d and %d KiB resident; answers by status: %v", held[0], held[1], answers)
	if held[1] > held[0]+64<<10 {
		t.Errorf("%d KiB after %d calls, %d KiB after %d", held[0], calls, held[1], 2*calls)
	}
	if answers[200] < calls/50 || answers[400] < calls/50 {
		t.Error("too few of the calls made sense, or too many")
	}
	if out := c.Run(t, "--image="+c.Image, "--", "echo", "still here"); out != "still here\n" {
		t.Errorf("after it: %q", out)
	}
	cmd := c.Command(t.Context(), "kill", "there")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// agentCall makes one call; what opens a stream is left at once.
func agentCall(t *testing.T, addr string, g *randproto.Generator) (int, []byte) {
	t.Helper()
	var call proto.Message = &agent.Call{}
	path := "/api/v1"
	if g.IntN(4) == 0 {
		call, path = &executor.Call{}, "/api/v1/executor"
	}
	g.FillCall(call.ProtoReflect())
	if a, ok := call.(*agent.Call); ok && a.GetType() == agent.Call_LAUNCH_CONTAINER {
		a.Type = agent.Call_GET_CONTAINERS.Enum() // it may well succeed, and would outlive the cluster
	}
	c := codec.JSON
	if g.IntN(2) == 0 {
		c = codec.Protobuf
	}
	body, err := c.Marshal(call)
	if err != nil {
		body = []byte("no call at all")
	}
	if g.IntN(8) == 0 {
		body[g.IntN(len(body))] = byte(g.Uint32())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", c.ContentType())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	defer resp.Body.Close()
	if resp.ContentLength >= 0 {
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	return resp.StatusCode, body
}

// residentKiB is the memory of a process.
func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
