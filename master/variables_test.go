package master_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/master"
	"mezzo/replog"
	vars "mezzo/replog/state"
	"mezzo/replog/state/remote"
)

// access is a file that opens prefixes to tokens.
func access(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sum(token string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(token))) }

// withLog runs masters that keep what they know in a log, as many as there are
// addresses.
func withLog(t *testing.T, addrs []string, a master.Access) {
	t.Helper()
	for _, addr := range addrs {
		l, err := replog.Open(replog.Config{Dir: t.TempDir(), Addr: addr, Peers: slices.Clone(addrs), Bootstrap: true},
			replog.Deps{Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
		if err != nil {
			t.Fatal(err)
		}
		e := master.NewEnsemble(l, nil, slog.New(slog.DiscardHandler))
		cfg := master.Config{IP: "127.0.0.1", RootSubmissions: true}
		_, port, _ := net.SplitHostPort(addr)
		_, _ = fmt.Sscan(port, &cfg.Port)
		cfg.SetDefaults()
		m, err := master.New(cfg, master.Deps{
			Log: slog.New(slog.DiscardHandler), Version: &v1.VersionInfo{Version: proto.String("1.2.3")},
			Contender: e, Replica: l.Server(), State: e.Variables(a),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := errors.Join(<-done, e.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestVariables: goal, that a program elsewhere can keep variables in the masters'
// log, its own and no others; method, three masters, a client that is told of one
// that may not lead.
func TestVariables(t *testing.T) {
	var addrs []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
		l.Close()
	}
	a, err := master.ReadAccess(access(t, "# who may what", "", "cron/ "+sum("secret"), "shared/  "+sum("secret")+" # too", "other/ "+sum("theirs")))
	if err != nil {
		t.Fatal(err)
	}
	withLog(t, addrs, a)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, addr := range addrs {
		c, err := remote.New(remote.Config{Masters: []string{addr}, Token: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		name := "cron/" + addr
		v, err := c.Fetch(ctx, name)
		if err != nil || v.Version() != 0 || v.Name() != name {
			t.Fatalf("fetch of nothing: %v, %v", v, err)
		}
		stored, ok, err := c.Store(ctx, v.Mutate([]byte("1")))
		if err != nil || !ok || string(stored.Value()) != "1" || stored.Version() == 0 {
			t.Fatalf("store: %v, %v, %v", stored, ok, err)
		}
		if now, ok, err := c.Store(ctx, v.Mutate([]byte("2"))); err != nil || ok || now.Version() != stored.Version() {
			t.Errorf("stale store: %v, %v, %v", now, ok, err)
		}
		now, ok, err := c.Commit(ctx, vars.Txn{Put: []vars.Variable{stored.Mutate([]byte("3")), vars.New("shared/" + addr)}})
		if err != nil || !ok || len(now) != 2 {
			t.Errorf("commit: %v, %v, %v", now, ok, err)
		}
		if names, err := c.Names(ctx, name); err != nil || !slices.Equal(names, []string{name}) {
			t.Errorf("names: %q, %v", names, err)
		}
		if ok, err := c.Expunge(ctx, now[0]); err != nil || !ok {
			t.Errorf("expunge: %v, %v", ok, err)
		}
		for _, bad := range []string{"registry/agent/x", "other/x", "cron", ""} {
			if v, err := c.Fetch(ctx, bad); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "state_access") {
				t.Errorf("fetch %q: %v, %v", bad, v, err)
			}
			if _, ok, err := c.Store(ctx, vars.New(bad)); !errors.Is(err, errs.Invalid) || ok {
				t.Errorf("store %q: %v, %v", bad, ok, err)
			}
		}
		if _, err := c.Names(ctx, ""); !errors.Is(err, errs.Invalid) {
			t.Errorf("names of all: %v", err)
		}
		if _, _, err := c.Store(ctx, vars.New(name).Mutate(make([]byte, 9<<20))); !errors.Is(err, errs.Exhausted) {
			t.Errorf("store of too much: %v", err)
		}
	}
	stranger, err := remote.New(remote.Config{Masters: addrs, Token: "guess"})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if v, err := stranger.Fetch(ctx, "cron/x"); !errors.Is(err, errs.Invalid) {
		t.Errorf("fetch by a stranger: %v, %v", v, err)
	}
	if _, err := remote.New(remote.Config{Masters: addrs}); !errors.Is(err, errs.Invalid) {
		t.Errorf("client without a token: %v", err)
	}
}

func TestAccessRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"cron/":                           "line 2",
		"cron/ 1234":                      "line 2",
		"registry/ " + sum("x"):           "the registry",
		"registry/agent/ " + sum("x"):     "the registry",
		"r " + sum("x"):                   "the registry",
		"cron/ " + sum("x") + " and more": "line 2",
	} {
		if a, err := master.ReadAccess(access(t, "# first", line)); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", line, a, err)
		}
	}
	if _, err := master.ReadAccess("/nowhere"); !errors.Is(err, errs.Invalid) {
		t.Errorf("no file: %v", err)
	}
}
