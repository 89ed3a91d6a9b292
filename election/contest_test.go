package election

// Goal: masters agree on one, through whatever happens to them and to ZooKeeper,
// and readers find it. Method: contenders and detectors on a real server, some of
// them through a proxy that cuts them off.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// patience is the session timeout of contenders that are to lose theirs.
const patience = 2 * time.Second

// master is what master n says of itself.
func master(n int) *v1.MasterInfo {
	return &v1.MasterInfo{
		Id: proto.String("m" + string(rune('0'+n))), Ip: proto.Uint32(uint32(n)<<24 | 10), Port: proto.Uint32(5050),
		Hostname: proto.String("h"), Address: &v1.Address{Ip: proto.String("10.0.0." + string(rune('0'+n))), Port: proto.Int32(5050)},
	}
}

func addrOf(n int) string { return "10.0.0." + string(rune('0'+n)) + ":5050" }

func contender(t testing.TB, addr string) *ZooKeeper {
	t.Helper()
	z, err := NewZooKeeper("zk://"+addr+"/run/mesos", Config{SessionTimeout: patience, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// won is a term, or why there is none.
type won struct {
	term Term
	err  error
}

// contend begins a candidacy, which ends with the test.
func contend(t testing.TB, z *ZooKeeper, info *v1.MasterInfo) <-chan won {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result, done := make(chan won, 1), make(chan struct{})
	go func() {
		defer close(done)
		term, err := z.Contend(ctx, info)
		result <- won{term, err}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		select {
		case w := <-result:
			if w.err == nil {
				w.term.Resign()
			}
		default:
		}
	})
	return result
}

// win waits for a candidacy to be won; the term ends with the test.
func win(t testing.TB, result <-chan won) Term {
	t.Helper()
	select {
	case w := <-result:
		if w.err != nil {
			t.Fatal(w.err)
		}
		t.Cleanup(w.term.Resign)
		return w.term
	case <-time.After(time.Minute):
		t.Fatal("not elected within a minute")
		return nil
	}
}

func ended(t testing.TB, term Term) error {
	t.Helper()
	select {
	case <-term.Context().Done():
		return causeOf(t, term.Context())
	case <-time.After(time.Minute):
		t.Fatal("the term did not end within a minute")
		return nil
	}
}

// znodes are the contenders' names, first come first.
func znodes(t testing.TB, c *zk.Conn) []string {
	t.Helper()
	names, _, err := c.Children("/run/mesos")
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		t.Fatal(err)
	}
	return contenders(names)
}

func detect(t testing.TB, z *ZooKeeper) *watcher {
	t.Helper()
	w := z.Detector().(*watcher)
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.stop != nil {
			w.idle.Stop()
			w.stop()
		}
	})
	return w
}

// first is what a detector says first.
func first(t testing.TB, d Detector) <-chan string {
	found := make(chan string, 1)
	go func() {
		addr, err := d.Detect(t.Context(), "")
		if err != nil {
			t.Error(err)
		}
		found <- addr
	}()
	return found
}

func TestElection(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	z := contender(t, s.addr())
	d := detect(t, z)

	// A detector that was there first waits until somebody leads.
	found := first(t, d)
	leader := win(t, contend(t, z, master(1)))
	if got := <-found; got != addrOf(1) {
		t.Errorf("Detect = %q, want %q", got, addrOf(1))
	}
	if !leader.Until().After(time.Now()) {
		t.Errorf("Until = %v, which is past", leader.Until())
	}

	second := contend(t, z, master(2))
	eventually(t, "both contend", func() bool { return len(znodes(t, raw)) == 2 })
	third := contend(t, z, master(3))
	eventually(t, "all three contend", func() bool { return len(znodes(t, raw)) == 3 })

	// What is written is what Mesos writes and reads.
	body, stat, err := raw.Get("/run/mesos/" + znodes(t, raw)[0])
	if err != nil || stat.EphemeralOwner == 0 {
		t.Fatalf("record: %v, owner %d", err, stat.EphemeralOwner)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": "m1", "ip": float64(1<<24 | 10), "port": 5050.0, "hostname": "h",
		"address": map[string]any{"ip": "10.0.0.1", "port": 5050.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}

	// To renew a term changes nothing that others watch.
	until := leader.Until()
	eventually(t, "the term is prolonged", func() bool { return leader.Until().After(until) })
	if _, again, err := raw.Get("/run/mesos/" + znodes(t, raw)[0]); err != nil || again.Mzxid != stat.Mzxid {
		t.Errorf("record changed from %v to %v: %v", stat, again, err)
	}

	leader.Resign()
	if err := ended(t, leader); !errors.Is(err, errResigned) {
		t.Errorf("cause = %v", err)
	}
	term := win(t, second)
	if addr, err := d.Watch(t.Context(), addrOf(1)); err != nil || addr != addrOf(2) {
		t.Errorf("Watch = %q, %v; want %q", addr, err, addrOf(2))
	}
	// A znode that is taken away ends its term.
	if err := raw.Delete("/run/mesos/"+znodes(t, raw)[0], -1); err != nil {
		t.Fatal(err)
	}
	if err := ended(t, term); !errors.Is(err, errRemoved) {
		t.Errorf("cause = %v", err)
	}
	win(t, third)
}

// TestContendEnds: a candidacy that is withdrawn leaves nothing.
func TestContendEnds(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	z := contender(t, s.addr())
	win(t, contend(t, z, master(1)))
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := z.Contend(ctx, master(2))
		result <- err
	}()
	eventually(t, "both contend", func() bool { return len(znodes(t, raw)) == 2 })
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Contend = %v", err)
	}
	if got := znodes(t, raw); len(got) != 1 {
		t.Errorf("left: %q", got)
	}
	if _, err := z.Contend(t.Context(), &v1.MasterInfo{Id: proto.String("m")}); !errors.Is(err, errs.Invalid) {
		t.Errorf("Contend without an address = %v", err)
	}
}

// TestPartition: a leader that hears nothing ends before the servers end its
// session, so before the next one leads, and contends anew afterwards.
func TestPartition(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	p := startProxy(t, s.addr())
	z, other := contender(t, p.addr()), contender(t, s.addr())
	leader := win(t, contend(t, z, master(1)))
	old := znodes(t, raw)[0]
	second := contend(t, other, master(2))
	eventually(t, "both contend", func() bool { return len(znodes(t, raw)) == 2 })

	_, _, gone, err := raw.ExistsW("/run/mesos/" + old)
	if err != nil {
		t.Fatal(err)
	}
	p.partition()
	if event := <-gone; event.Type != zk.EventNodeDeleted {
		t.Fatalf("event %v", event)
	}
	if leader.Context().Err() == nil {
		t.Error("its znode was gone before the leader knew")
	}
	if err := ended(t, leader); !errors.Is(err, errSilence) {
		t.Errorf("cause = %v", err)
	}
	term := win(t, second)
	p.heal()
	third := contend(t, z, master(1))
	eventually(t, "it contends again", func() bool { return len(znodes(t, raw)) == 2 })
	if got := znodes(t, raw); got[0] <= old || got[1] <= got[0] {
		t.Errorf("znodes %q follow %q", got, old)
	}
	term.Resign()
	win(t, third)
}

// TestMinority: a leader ends in time whose server still answers it, but has lost
// the other servers.
func TestMinority(t *testing.T) {
	servers := startServers(t)
	i := slices.IndexFunc(servers, func(s *server) bool { return s.mode() == "follower" })
	near := servers[i]
	raw := near.raw(t)
	term := win(t, contend(t, contender(t, near.addr()), master(1)))
	for _, s := range servers {
		if s != near {
			s.stop()
			defer s.resume()
		}
	}
	stopped := time.Now()
	if err := ended(t, term); !errors.Is(err, errSilence) {
		t.Errorf("cause = %v", err)
	}
	if took := time.Since(stopped); took > 5*time.Second { // the servers take ten
		t.Errorf("it took %v", took)
	}
	if got := znodes(t, raw); len(got) != 1 {
		t.Errorf("the server near it has %q", got)
	}
}

// TestConnectionLoss: a connection that breaks and comes back ends nothing.
func TestConnectionLoss(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	p := startProxy(t, s.addr())
	z := contender(t, p.addr())
	term := win(t, contend(t, z, master(1)))
	d := detect(t, z)
	if addr, err := d.Detect(t.Context(), ""); err != nil || addr != addrOf(1) {
		t.Fatalf("Detect = %q, %v", addr, err)
	}
	for range 3 {
		until := term.Until()
		p.cut()
		eventually(t, "the term is prolonged", func() bool {
			return term.Until().After(until.Add(patience/4)) || term.Context().Err() != nil
		})
		if err := context.Cause(term.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := znodes(t, raw); len(got) != 1 {
		t.Errorf("znodes: %q", got)
	}
	// The detector's watch came through as well.
	changed := make(chan string, 1)
	go func() {
		addr, err := d.Watch(t.Context(), addrOf(1))
		if err != nil {
			t.Error(err)
		}
		changed <- addr
	}()
	term.Resign()
	win(t, contend(t, contender(t, s.addr()), master(2)))
	if got := <-changed; got != addrOf(2) {
		t.Errorf("Watch = %q, want %q", got, addrOf(2))
	}
}

// TestRestart: whoever waits while the only server is down goes on afterwards.
func TestRestart(t *testing.T) {
	s := startServer(t)
	z := contender(t, s.addr())
	d := detect(t, z)
	term := win(t, contend(t, z, master(1)))
	if _, err := d.Detect(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	s.kill()
	if err := ended(t, term); !errors.Is(err, errs.Unavailable) {
		t.Errorf("cause = %v", err)
	}
	// The last one known is better than none.
	if addr, err := d.Detect(t.Context(), ""); err != nil || addr != addrOf(1) {
		t.Errorf("Detect = %q, %v", addr, err)
	}
	next := contend(t, z, master(2))
	s.start()
	s.serves()
	win(t, next)
	if addr, err := d.Watch(t.Context(), addrOf(1)); err != nil || addr != addrOf(2) {
		t.Errorf("Watch = %q, %v", addr, err)
	}
}

// TestNobodyThere: errors say where nobody answers, and who is no ZooKeeper.
func TestNobodyThere(t *testing.T) {
	z := contender(t, "127.0.0.1:1")
	ctx, cancel := context.WithCancel(t.Context())
	d := detect(t, z)
	result := make(chan error, 1)
	go func() {
		_, err := d.Detect(ctx, "")
		result <- err
	}()
	eventually(t, "a problem is known", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.problem != nil && strings.Contains(d.problem.Error(), "127.0.0.1:1: dial tcp")
	})
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Detect = %v", err)
	}
}

// recorder keeps what several goroutines log.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// TestAuth: with a password, others can read and not write, also after a lost
// connection, and nobody sees the password.
func TestAuth(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	p := startProxy(t, s.addr())
	var log recorder
	auth := func(who string) *ZooKeeper {
		z, err := NewZooKeeper("zk://"+who+"@"+p.addr()+"/mesos", Config{
			SessionTimeout: patience, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	z := auth("user:se:cr@et")
	term := win(t, contend(t, z, master(1)))
	names, _, err := raw.Children("/mesos")
	if err != nil || len(names) != 1 {
		t.Fatalf("children %q, %v", names, err)
	}
	path := "/mesos/" + names[0]
	if _, _, err := raw.Get(path); err != nil {
		t.Errorf("read by others: %v", err)
	}
	if _, err := raw.Set(path, nil, -1); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("write by others: %v", err)
	}
	owner := s.raw(t)
	if err := owner.AddAuth("digest", []byte("user:se:cr@et")); err != nil {
		t.Fatal(err)
	}
	acl, _, err := owner.GetACL("/mesos")
	want := append(zk.DigestACL(zk.PermAll, "user", "se:cr@et"), zk.WorldACL(zk.PermRead)...)
	if err != nil || !slices.Equal(acl, want) {
		t.Errorf("acl of the path %v, %v; want %v", acl, err, want)
	}
	stranger, err := NewZooKeeper("zk://"+s.addr()+"/mesos", Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-first(t, detect(t, stranger)); got != addrOf(1) {
		t.Errorf("a detector without password found %q", got)
	}
	// It is known as who it is after a reconnection too.
	p.cut()
	until := term.Until()
	eventually(t, "the term is prolonged", func() bool { return term.Until().After(until) })
	for _, who := range []string{"user:wrong-1", "other:wrong-2"} {
		if _, err := auth(who).Contend(t.Context(), master(2)); !errors.Is(err, errs.Invalid) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: got %v", who, err)
		}
	}
	term.Resign()
	for _, secret := range []string{"se:cr", "cr@et", "wrong-"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, log.String())
		}
	}
}

// TestDamaged: nobody leads while the first record can't be read, neither it nor
// the next; what is no record does not matter.
func TestDamaged(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	create := func(path, body string, flags int32) string {
		t.Helper()
		made, err := raw.Create(path, []byte(body), flags, zk.WorldACL(zk.PermAll))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for _, path := range []string{"/run", "/run/mesos", "/run/mesos/json.info_", "/run/mesos/json.info_x", "/run/mesos/info_0000000000", "/run/mesos/log_replicas"} {
		create(path, "?", 0)
	}
	z := contender(t, s.addr())
	for i, body := range []string{"", "?", "{}", "[]", `{"address":{"ip":"here","port":1}}`, `{"ip":1,"port":70000}`, strings.Repeat("[", 100_000)} {
		bad := create("/run/mesos/"+label, body, zk.FlagSequence)
		next := contend(t, z, master(1))
		eventually(t, "both contend", func() bool { return len(znodes(t, raw)) == 2 })
		d := detect(t, z)
		found := first(t, d)
		eventually(t, "a problem is known", func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return errors.Is(d.problem, errs.Invalid) && strings.Contains(d.problem.Error(), bad[len("/run/mesos/"):])
		})
		if err := raw.Delete(bad, -1); err != nil {
			t.Fatal(err)
		}
		if got := <-found; got != addrOf(1) {
			t.Errorf("body %d: Detect = %q", i, got)
		}
		win(t, next).Resign()
	}
}

// TestJoin: replicas of the log find each other, and who is gone is gone.
func TestJoin(t *testing.T) {
	s := startServer(t)
	raw := s.raw(t)
	p := startProxy(t, s.addr())
	told := [2]chan []string{make(chan []string, 100), make(chan []string, 100)}
	await := func(i int, want ...string) {
		t.Helper()
		limit := time.After(time.Minute)
		for {
			select {
			case got := <-told[i]:
				if slices.Equal(got, want) {
					return
				}
			case <-limit:
				t.Fatalf("replica %d was not told of %q within a minute", i, want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ends := make(chan error, 2)
	join := func(ctx context.Context, i int, z *ZooKeeper) {
		go func() {
			ends <- z.Join(ctx, addrOf(i), func(members []string) { told[i] <- members })
		}()
	}
	join(t.Context(), 0, contender(t, p.addr()))
	await(0, addrOf(0))
	join(ctx, 1, contender(t, s.addr()))
	await(0, addrOf(0), addrOf(1))
	await(1, addrOf(0), addrOf(1))
	// One of Mesos.
	made, err := raw.Create("/run/mesos/log_replicas/", []byte("log-replica(1)@10.0.0.9:5050"), zk.FlagSequence, zk.WorldACL(zk.PermAll))
	if err != nil {
		t.Fatal(err)
	}
	await(1, addrOf(0), addrOf(1), "10.0.0.9:5050")
	if err := raw.Delete(made, -1); err != nil {
		t.Fatal(err)
	}
	await(1, addrOf(0), addrOf(1))
	p.partition()
	await(1, addrOf(1)) // the other's session has ended
	p.heal()
	await(1, addrOf(0), addrOf(1))
	cancel()
	if err := <-ends; !errors.Is(err, context.Canceled) {
		t.Errorf("Join = %v", err)
	}
	await(0, addrOf(0))
}

// TestKazoo: clients in Python find the leader.
func TestKazoo(t *testing.T) {
	s := startServer(t)
	z := contender(t, s.addr())
	win(t, contend(t, z, master(1)))
	contend(t, z, master(2))
	got := python(t.Context(), t, "testdata/leader.py", s.addr(), "/run/mesos")
	if want := addrOf(1) + " m1 1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMesosGo: frameworks in Go find the leader, and the next one.
func TestMesosGo(t *testing.T) {
	const gocode = "/usr/share/gocode"
	if _, err := os.Stat(gocode + "/src/github.com/mesos/mesos-go"); err != nil {
		skip(t, "Debian's package golang-github-mesos-mesos-go-dev is not installed: run test/deps.sh native")
	}
	bin := filepath.Join(t.TempDir(), "mesosgo")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	build.Dir = "testdata/mesosgo"
	build.Env = append(os.Environ(), "GO111MODULE=off", "GOPATH="+gocode, "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s := startServer(t)
	z := contender(t, s.addr())
	term := win(t, contend(t, z, master(1)))
	cmd := exec.Command(bin, "zk://"+s.addr()+"/run/mesos")
	var out, complaints recorder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("mesos-go:\n%s%s", out.String(), complaints.String())
		}
	})
	eventually(t, "mesos-go finds the leader", func() bool { return strings.HasSuffix(out.String(), addrOf(1)+" m1\n") })
	next := contend(t, z, master(2))
	term.Resign()
	win(t, next)
	eventually(t, "mesos-go finds the next", func() bool { return strings.HasSuffix(out.String(), addrOf(2)+" m2\n") })
}
