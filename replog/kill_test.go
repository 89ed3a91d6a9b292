package replog

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	api "mezzo/api/replog"
)

var killsFlag = flag.Int("kills", 12, "how many replicas TestKill loses")

// TestMain is a replica if the environment says so, and else runs the tests.
func TestMain(m *testing.M) {
	if line := os.Getenv("MEZZO_TEST_REPLICA"); line != "" {
		replicate(strings.Fields(line))
	}
	os.Exit(m.Run())
}

// replicate is a replica that appends whenever it leads, and prints what was
// acknowledged, until it is killed.
func replicate(args []string) {
	dir, addr, peers := args[0], args[1], strings.Split(args[2], ",")
	fatal := func(err error) { fmt.Fprintln(os.Stderr, err); os.Exit(3) }
	l, err := Open(Config{Dir: dir, Addr: addr, Peers: peers, Bootstrap: true, SegmentBytes: 64 << 10},
		Deps{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), Fatal: fatal})
	if err != nil {
		fatal(err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		fatal(err)
	}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(api.MaxMessageBytes))
	api.RegisterReplicaServer(s, l.Server())
	go func() { fatal(s.Serve(listener)) }()
	for n := 0; ; {
		w, err := l.Elect(context.Background())
		if err != nil {
			fatal(err)
		}
		var lanes sync.WaitGroup
		for lane := range 8 {
			n++
			lanes.Go(func() {
				for k := 0; ; k++ {
					text := fmt.Sprintf("%d.%d.%d.%d%s", os.Getpid(), n, lane, k, strings.Repeat("x", k*37%500))
					p, err := w.AppendWait(context.Background(), []byte(text))
					if err != nil {
						return
					}
					fmt.Printf("%d %s\n", p, text) // one write
					if k%10 == 9 && lane == 0 {
						_ = w.Truncate(context.Background(), p-min(p-1, 100), func(error) {})
					}
				}
			})
		}
		lanes.Wait()
	}
}

// victim is a replica in a process of its own.
type victim struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// TestKill: goal, that whatever was acknowledged is at its position on every
// replica; method, processes that append, killed at random moments or stopped
// while another is elected, and started again; what they printed is held against
// what their disks have.
func TestKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	addrs := reserve(t, 3)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var mu sync.Mutex
	acked := map[uint64]string{}
	var readers sync.WaitGroup
	start := func(i int) *victim {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("MEZZO_TEST_REPLICA=%s %s %s", dirs[i], addrs[i], strings.Join(addrs, ",")))
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		v := &victim{cmd: cmd, done: make(chan struct{})}
		readers.Go(func() {
			defer close(v.done)
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				var p uint64
				var text string
				if n, _ := fmt.Sscan(lines.Text(), &p, &text); n == 2 {
					mu.Lock()
					if other, twice := acked[p]; twice {
						t.Errorf("position %d is acknowledged as %q and %q", p, other, text)
					}
					acked[p] = text
					mu.Unlock()
				}
			}
			_ = cmd.Wait() // it was killed
		})
		return v
	}
	kill := func(v *victim) {
		_ = v.cmd.Process.Kill()
		<-v.done
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	progress := func(when string) {
		t.Helper()
		before := count()
		deadline := time.After(time.Minute)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for count() < before+20 {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("nothing is appended %s", when)
			}
		}
	}
	victims := []*victim{start(0), start(1), start(2)}
	for k := range *killsFlag {
		progress(fmt.Sprintf("before kill %d", k))
		switch i := rng.IntN(3); rng.IntN(4) {
		case 0:
			_ = victims[i].cmd.Process.Signal(syscall.SIGSTOP)
			progress("while one is stopped")
			_ = victims[i].cmd.Process.Signal(syscall.SIGCONT)
		case 1:
			for i := range victims {
				kill(victims[i])
			}
			for i := range victims {
				victims[i] = start(i)
			}
		default:
			kill(victims[i])
			progress("without one")
			victims[i] = start(i)
		}
	}
	progress("at the end")
	for _, v := range victims {
		kill(v)
	}
	readers.Wait()

	e := &ensemble{t: t, addrs: addrs}
	for i := range 3 {
		e.nodes = append(e.nodes, &replica{dir: dirs[i], addr: addrs[i]})
		e.start(i)
		t.Cleanup(func() { e.stop(i) })
	}
	_, w := e.elect()
	end := appendAll(t, w, "last")
	for _, n := range e.nodes {
		there := map[string]bool{}
		for _, line := range contents(t, n.log, end) {
			there[line] = true
		}
		for p, text := range acked {
			if p >= n.log.Begin() && !there[fmt.Sprint(p, " ", text)] {
				t.Fatalf("%s lacks %q, acknowledged at position %d", n.addr, text, p)
			}
		}
	}
	t.Logf("%d appends were acknowledged, log from %d to %d", len(acked), e.nodes[0].log.Begin(), end)
}
