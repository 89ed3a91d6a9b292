package election

// Goal: a real ZooKeeper, Debian's, to try everything on. Method: one server
// for each test that breaks it, with its own directory and port, a short tick so
// that sessions end soon, and a proxy between it and whoever is to be cut off.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// skip ends the test with the reason why it cannot run here.
func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("MEZZO_TEST_REQUIRED") != "" {
		t.Fatalf("required here, but: %s", why)
	}
	t.Skip(why)
}

const zooKeeperJar = "/usr/share/java/zookeeper.jar"

// server is a ZooKeeper.
type server struct {
	t    testing.TB
	dir  string
	port int
	main string // class
	cmd  *exec.Cmd
	done chan struct{}
}

// startServer starts a ZooKeeper of one server and waits until it serves.
func startServer(t testing.TB) *server {
	t.Helper()
	s := newServer(t, "")
	s.main = "org.apache.zookeeper.server.ZooKeeperServerMain"
	s.start()
	s.serves()
	return s
}

// startServers starts a ZooKeeper of three, and waits until all serve. They take
// ten seconds to miss each other.
func startServers(t testing.TB) []*server {
	t.Helper()
	peers := "initLimit=40\nsyncLimit=40\n"
	for i := range 3 {
		peers += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", i+1, freePort(t), freePort(t))
	}
	var all []*server
	for i := range 3 {
		s := newServer(t, peers)
		s.main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
		if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "data", "myid"), fmt.Append(nil, i+1), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		s.start()
	}
	for _, s := range all {
		s.serves()
	}
	return all
}

func newServer(t testing.TB, more string) *server {
	t.Helper()
	if _, err := os.Stat(zooKeeperJar); err != nil {
		skip(t, "Debian's package zookeeper is not installed: run test/deps.sh native")
	}
	if _, err := exec.LookPath("java"); err != nil {
		skip(t, "java is not installed: run test/deps.sh native")
	}
	s := &server{t: t, dir: t.TempDir(), port: freePort(t)}
	// A session may be as short as two ticks.
	conf := fmt.Sprintf("tickTime=250\ndataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nforceSync=no\n4lw.commands.whitelist=srvr\nmaxClientCnxns=0\n%s", s.dir, s.port, more)
	if err := os.WriteFile(filepath.Join(s.dir, "zoo.cfg"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", zooKeeperJar,
		s.main, filepath.Join(s.dir, "zoo.cfg"))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // killed
		close(done)
	}(s.cmd, s.done)
}

// serves waits until clients are served.
func (s *server) serves() {
	s.t.Helper()
	eventually(s.t, "ZooKeeper serves", func() bool {
		select {
		case <-s.done:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("ZooKeeper ended:\n%s", text)
		default:
		}
		return s.mode() != ""
	})
}

// mode is what the server is: standalone, leader or follower; empty if it does
// not serve.
func (s *server) mode() string {
	c, err := net.Dial("tcp", s.addr())
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c, "srvr") // "ruok" is answered too early
	b, _ := io.ReadAll(c)
	_, mode, _ := strings.Cut(string(b), "Mode: ")
	mode, _, _ = strings.Cut(mode, "\n")
	return mode
}

// stop halts the server as it is, and resume lets it go on.
func (s *server) stop()   { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// kill ends the server as a crash would; start brings it back.
func (s *server) kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// eventually waits for a condition, a minute at most.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// raw is a client of the server that is not ours to judge.
func (s *server) raw(t testing.TB) *zk.Conn {
	t.Helper()
	c, _, err := zk.Connect([]string{s.addr()}, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// proxy stands between a client and the server.
type proxy struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	holes chan struct{} // closed: all flows; else whatever is sent waits
	deaf  bool
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, conns: make(map[net.Conn]struct{}), holes: make(chan struct{})}
	close(p.holes)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.heal()
		p.cut()
		wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) serve(c net.Conn) {
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = c.Close()
		return
	}
	p.mu.Lock()
	p.conns[c], p.conns[s] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	pass := func(from, to net.Conn) {
		defer from.Close()
		defer to.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			p.mu.Lock()
			holes := p.holes
			p.mu.Unlock()
			<-holes
			if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	wg.Go(func() { pass(c, s) })
	wg.Go(func() { pass(s, c) })
	wg.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}

// partition lets connections stand and nothing through.
func (p *proxy) partition() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.deaf {
		p.deaf, p.holes = true, make(chan struct{})
	}
}

// heal ends a partition.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf {
		p.deaf = false
		close(p.holes)
	}
}

// cut breaks all connections; new ones are served.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// testLog logs through t, and is silent once t is over.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// python runs a script with Debian's Python, which has Debian's kazoo.
func python(ctx context.Context, t testing.TB, script string, args ...string) string {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if err := exec.Command(interpreter, "-c", "import kazoo").Run(); err != nil {
		skip(t, "Debian's package python3-kazoo is not installed: run test/deps.sh native")
	}
	cmd := exec.CommandContext(ctx, interpreter, append([]string{script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &stderr)
	}
	return string(out)
}

// causeOf is why ctx ended, which it must have.
func causeOf(t testing.TB, ctx context.Context) error {
	t.Helper()
	err := context.Cause(ctx)
	if err == nil {
		t.Error("the term has not ended")
	}
	return err
}
