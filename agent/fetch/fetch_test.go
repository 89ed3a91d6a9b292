package fetch

// Goal: what a URI names is in the sandbox, whole and its user's, or the error
// says why not, without its secrets, and nothing half-done is left. Method:
// servers that misbehave, on this machine.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// fetcher is one whose log must not tell secrets.
func fetcher(t *testing.T, c Config) *Fetcher {
	t.Helper()
	var mu sync.Mutex
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&locked{mu: &mu, w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.web.(*http.Transport).CloseIdleConnections()
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(log.String(), "hush") {
			t.Errorf("a secret was logged: %s", log.String())
		}
	})
	return f
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// job fetches to a sandbox of its own.
func job(t *testing.T, uris ...*v1.CommandInfo_URI) Job {
	t.Helper()
	return Job{Sandbox: t.TempDir(), UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), User: "me", URIs: uris}
}

type setting func(*v1.CommandInfo_URI)

func at(value string, settings ...setting) *v1.CommandInfo_URI {
	u := &v1.CommandInfo_URI{Value: &value}
	for _, s := range settings {
		s(u)
	}
	return u
}

func executable(u *v1.CommandInfo_URI) { u.Executable = proto.Bool(true) }
func packed(u *v1.CommandInfo_URI)     { u.Extract = proto.Bool(false) }
func cached(u *v1.CommandInfo_URI)     { u.Cache = proto.Bool(true) }
func output(name string) setting {
	return func(u *v1.CommandInfo_URI) { u.OutputFile = &name }
}

// holds is what is below dir: "name mode=content", links as "name -> target".
func holds(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		st, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			out = append(out, rel+"/")
		case st.Mode().IsRegular():
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if len(content) > 20 {
				content = fmt.Appendf(nil, "%d bytes", len(content))
			}
			out = append(out, fmt.Sprintf("%s %o=%s", rel, st.Mode().Perm(), content))
		default:
			to, _ := os.Readlink(p)
			out = append(out, rel+" -> "+to)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := holds(t, dir); !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}

// badServer serves what its name says.
func badServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "good") })
	mux.HandleFunc("/a/b.txt", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.RawQuery) })
	mux.HandleFunc("/dir/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "index") })
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "hushme" || password != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "private")
	})
	mux.HandleFunc("/hop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "good?token=hush", http.StatusFound) })
	mux.HandleFunc("/to-private", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/private", http.StatusSeeOther) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop?hush=1", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/to-file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(302)
	})
	mux.HandleFunc("/to-junk", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://u:hush@[/")
		w.WriteHeader(302)
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "too little")
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "no length")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/stall", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "some")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestWeb(t *testing.T) {
	s := badServer(t)
	f := fetcher(t, Config{Stall: time.Minute})
	sum256 := fmt.Sprintf("#sha256:%x", sha256.Sum256([]byte("good")))
	sum512 := fmt.Sprintf("#SHA512:%X", sha512.Sum512([]byte("good")))
	withUser := strings.Replace(s.URL, "://", "://hushme:hush@", 1)
	for _, tc := range []struct {
		name string
		uri  *v1.CommandInfo_URI
		want []string
	}{
		{"plain", at(s.URL + "/good"), []string{"good 644=good"}},
		{"executable", at(s.URL+"/good", executable), []string{"good 755=good"}},
		{"query", at(s.URL + "/a/b.txt?token=hush"), []string{"b.txt 644=token=hush"}},
		{"fragment", at(s.URL + "/good#x"), []string{"good 644=good"}},
		{"output_file", at(s.URL+"/good", output("x/y/z")), []string{"x/", "x/y/", "x/y/z 644=good"}},
		{"no name", at(s.URL+"/dir/", output("index.html")), []string{"index.html 644=index"}},
		{"sha256", at(s.URL + "/good" + sum256), []string{"good 644=good"}},
		{"sha512", at(s.URL + "/good" + sum512), []string{"good 644=good"}},
		{"password", at(withUser + "/private"), []string{"private 644=private"}},
		{"redirect", at(s.URL + "/hop"), []string{"hop 644=good"}},
		{"redirect with password", at(withUser + "/to-private"), []string{"to-private 644=private"}},
		{"leading space", at("  " + s.URL + "/good"), []string{"good 644=good"}},
	} {
		j := job(t, tc.uri)
		if err := f.Fetch(t.Context(), j); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		equal(t, j.Sandbox, tc.want...)
	}
}

func TestWebFailures(t *testing.T) {
	s := badServer(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	quick := fetcher(t, Config{Stall: 100 * time.Millisecond, CacheDir: t.TempDir() + "/cache"})
	f := fetcher(t, Config{Stall: time.Minute, CacheDir: t.TempDir() + "/cache"})
	withUser := strings.Replace(s.URL, "://", "://hushme:hush1@", 1)
	for _, tc := range []struct {
		f     *Fetcher
		uri   string
		class error
		says  string
	}{
		{f, s.URL + "/none?token=hush", errs.NotFound, "404 Not Found"},
		{f, withUser + "/private", errs.Invalid, "401 Unauthorized"},
		{f, s.URL + "/busy", errs.Unavailable, "503"},
		{f, s.URL + "/empty", errs.Invalid, "204"},
		{f, s.URL + "/loop", errs.Invalid, "more than 10 times"},
		{f, s.URL + "/to-file", errs.Invalid, `scheme "file"`},
		{f, s.URL + "/to-junk", errs.Invalid, "no URL"},
		{f, s.URL + "/short", errs.Unavailable, "broke off"},
		{f, s.URL + "/broken", errs.Unavailable, "broke off"},
		{quick, s.URL + "/silent", errs.Unavailable, "nothing came for 100ms"},
		{quick, s.URL + "/stall?hush", errs.Unavailable, "nothing came for 100ms"},
		{f, gone.URL + "/x", errs.Unavailable, "connection refused"},
		{f, s.URL + "/good#sha256:" + strings.Repeat("0", 64), errs.Corrupt, "instead of 0000"},
	} {
		for _, how := range [][]setting{nil, {cached}} {
			j := job(t, at(tc.uri, how...))
			err := tc.f.Fetch(t.Context(), j)
			if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "fetch http://127.0.0.1:") {
				t.Errorf("%s: got %v; want class %v, and %q", tc.uri, err, tc.class, tc.says)
			}
			if strings.Contains(fmt.Sprint(err), "hush") {
				t.Errorf("%s: a secret in %v", tc.uri, err)
			}
			equal(t, j.Sandbox)
		}
	}
	for _, f := range []*Fetcher{f, quick} {
		if left := holds(t, f.cfg.CacheDir); len(left) > 1 || f.cache.used != 0 || len(f.cache.entries) != 0 {
			t.Errorf("the cache holds %q, %d bytes, %d entries", left, f.cache.used, len(f.cache.entries))
		}
	}
}

func TestTLS(t *testing.T) {
	plain := badServer(t)
	var to string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		io.WriteString(w, "safe")
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	defer s.Close()
	to = plain.URL + "/good"
	f := fetcher(t, Config{})
	if err := f.Fetch(t.Context(), job(t, at(s.URL+"/x"))); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without trust: %v", err)
	}
	f.web = s.Client().Transport
	j := job(t, at(s.URL+"/x"))
	if err := f.Fetch(t.Context(), j); err != nil {
		t.Error(err)
	}
	equal(t, j.Sandbox, "x 644=safe")
	if err := f.Fetch(t.Context(), job(t, at(s.URL+"/down"))); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("redirected to http: %v", err)
	}
	if err := f.Fetch(t.Context(), job(t, at(fmt.Sprintf("%s/down#sha256:%x", s.URL, sha256.Sum256([]byte("good")))))); err != nil {
		t.Errorf("redirected to http, with a checksum: %v", err)
	}
}

// TestCancel: whoever waits is not kept waiting, and nothing is left.
func TestCancel(t *testing.T) {
	for _, how := range [][]setting{nil, {cached}} {
		begun := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "some")
			w.(http.Flusher).Flush()
			close(begun)
			<-r.Context().Done()
		}))
		f := fetcher(t, Config{CacheDir: t.TempDir() + "/cache"})
		j := job(t, at(s.URL+"/x", how...))
		why := errors.New("the task was killed")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-begun; cancel(why) }()
		if err := f.Fetch(ctx, j); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		equal(t, j.Sandbox)
		equal(t, f.cfg.CacheDir, "files/")
		if err := f.Fetch(ctx, j); !errors.Is(err, why) {
			t.Errorf("cancelled before: got %v", err)
		}
		s.Close()
	}
}

// TestWatchdog: slow is not stalled. Method: a clock of its own.
func TestWatchdog(t *testing.T) {
	for pause, want := range map[time.Duration]string{59 * time.Second: "", 61 * time.Second: "stalled: nothing came for 1m0s: unavailable"} {
		synctest.Test(t, func(t *testing.T) {
			dog, ctx := watch(t.Context(), time.Minute)
			defer dog.stop()
			r, w := io.Pipe()
			context.AfterFunc(ctx, func() { r.CloseWithError(context.Canceled) })
			written := make(chan struct{})
			go func() {
				defer close(written)
				for range 3 {
					<-time.After(pause)
					_, _ = w.Write([]byte("x"))
				}
				w.Close()
			}()
			err := copyAll(ctx, io.Discard, &watched{r, dog}, nil)
			<-written
			got := ""
			if err != nil {
				got = context.Cause(ctx).Error()
			}
			if got != want {
				t.Errorf("a pause of %v: %q, want %q", pause, got, want)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		m := newMeter()
		stop := m.report(func(s string) { told = append(told, s) }, time.Second, "Fetching x")
		m.total.Store(40 << 20)
		for range 2 {
			m.got.Add(6 << 20)
			<-time.After(3 * time.Second)
		}
		stop()
		m.got.Add(1)
		<-time.After(3 * time.Second)
		want := []string{"Fetching x", "Fetching x: 6 of 40 MiB", "Fetching x: 12 of 40 MiB"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
	for _, tc := range []struct {
		got, total int64
		want       string
	}{{0, 10, ""}, {5, 10, "5 of 10 bytes"}, {5000, -1, "4 KiB"}, {2 << 20, 30 << 30, "0 of 30 GiB"}, {7, 3, "7 bytes"}} {
		m := newMeter()
		m.got.Store(tc.got)
		m.total.Store(tc.total)
		if got := m.String(); got != tc.want {
			t.Errorf("%d of %d: %q, want %q", tc.got, tc.total, got, tc.want)
		}
	}
}

func TestProgressOfAFetch(t *testing.T) {
	s := badServer(t)
	var told []string
	j := job(t, at(s.URL+"/good?hush"), at(s.URL+"/a/b.txt"))
	j.Progress = func(s string) { told = append(told, s) }
	if err := fetcher(t, Config{}).Fetch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Fetching " + s.URL + "/good?…", "Fetching " + s.URL + "/a/b.txt"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestLocal(t *testing.T) {
	home := t.TempDir()
	write := func(name, content string) string {
		p := filepath.Join(home, name)
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, odd := write("a.txt", "a"), write("b#c%20d", "odd")
	if err := syscall.Mkfifo(home+"/fifo", 0o644); err != nil {
		t.Fatal(err)
	}
	f := fetcher(t, Config{FrameworksHome: home})
	for _, tc := range []struct {
		uri   string
		want  string
		class error
	}{
		{a, "a.txt 644=a", nil},
		{"file://" + a, "a.txt 644=a", nil},
		{"file://localhost" + a, "a.txt 644=a", nil},
		{"a.txt", "a.txt 644=a", nil},
		{odd, "b#c%20d 644=odd", nil},
		{fmt.Sprintf("%s#sha256:%x", odd, sha256.Sum256([]byte("odd"))), "b#c%20d 644=odd", nil},
		{home + "/none", "", errs.NotFound},
		{home + "/fifo", "", errs.Invalid},
		{home, "", errs.Invalid},
		{"/dev/zero", "", errs.Invalid},
		{"../x", "", errs.Invalid},
	} {
		j := job(t, at(tc.uri))
		err := f.Fetch(t.Context(), j)
		if !errors.Is(err, tc.class) || tc.class == nil && err != nil {
			t.Errorf("%s: got %v, want class %v", tc.uri, err, tc.class)
		}
		if tc.want == "" {
			equal(t, j.Sandbox)
		} else {
			equal(t, j.Sandbox, tc.want)
		}
	}
	if err := fetcher(t, Config{}).Fetch(t.Context(), job(t, at("a.txt"))); !errors.Is(err, errs.Unsupported) {
		t.Errorf("a relative path without a home: %v", err)
	}
}

// TestRights: a task gets what its user may read, not what the agent may, and
// what it gets is its user's.
func TestRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const nobody = 65534
	// Temporary directories of tests are root's alone above.
	home, err := os.MkdirTemp("/tmp", "fetch")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	for name, mode := range map[string]os.FileMode{"": 0o755, "all": 0o644, "group": 0o640, "own": 0o600} {
		if name != "" {
			if err := os.WriteFile(home+"/"+name, nil, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(home+"/"+name, mode); err != nil {
			t.Fatal(err)
		}
	}
	f := fetcher(t, Config{CacheDir: t.TempDir() + "/cache"})
	for _, how := range [][]setting{nil, {cached}} {
		for name, class := range map[string]error{"all": nil, "group": errs.Invalid, "own": errs.Invalid} {
			j := job(t, at(home+"/"+name, append(how, output("d/x"))...))
			j.UID, j.GID = nobody, nobody
			err := f.Fetch(t.Context(), j)
			if class != nil {
				if !errors.Is(err, class) || !strings.Contains(err.Error(), "user me may not read it") {
					t.Errorf("%s: got %v", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, p := range []string{"d", "d/x"} {
				var st syscall.Stat_t
				if err := syscall.Lstat(filepath.Join(j.Sandbox, p), &st); err != nil || st.Uid != nobody || st.Gid != nobody {
					t.Errorf("%s is of %d:%d, %v", p, st.Uid, st.Gid, err)
				}
			}
		}
	}
	// Root's own tasks, and this process, have lost nothing.
	for range 20 {
		if err := f.Fetch(t.Context(), job(t, at(home+"/own"))); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlanted: links that are in the sandbox already lead nowhere, and what they
// point at stays as it is.
func TestPlanted(t *testing.T) {
	s := badServer(t)
	outside := t.TempDir()
	victim := outside + "/victim"
	if err := os.WriteFile(victim, []byte("safe"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := fetcher(t, Config{})
	for _, tc := range []struct {
		name string
		link func(sandbox string) error
		out  string
		want []string // nil if it must fail
	}{
		{"file", func(s string) error { return os.Symlink(victim, s+"/good") }, "good", []string{"good 644=good"}},
		{"hard link", func(s string) error { return os.Link(victim, s+"/good") }, "good", []string{"good 644=good"}},
		{"directory", func(s string) error { return os.Symlink(outside, s+"/d") }, "d/victim", nil},
		{"directory to be made", func(s string) error { return os.Symlink(outside, s+"/d") }, "d/e/f", nil},
		{"inside", func(s string) error { return errors.Join(os.Mkdir(s+"/e", 0o755), os.Symlink("e", s+"/d")) }, "d/x", []string{"d -> e", "e/", "e/x 644=good"}},
		{"in the way", func(s string) error { return os.Mkdir(s+"/good", 0o755) }, "good", nil},
	} {
		j := job(t, at(s.URL+"/good", output(tc.out)))
		if err := tc.link(j.Sandbox); err != nil {
			t.Fatal(err)
		}
		before := holds(t, j.Sandbox)
		err := f.Fetch(t.Context(), j)
		if tc.want == nil {
			tc.want = before
			if err == nil {
				t.Errorf("%s: fetched", tc.name)
			}
		} else if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		equal(t, j.Sandbox, tc.want...)
		equal(t, outside, "victim 600=safe")
	}
}

func TestNew(t *testing.T) {
	if _, err := New(Config{Stall: -1}); !errors.Is(err, errs.Invalid) {
		t.Errorf("negative: %v", err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{CacheDir: open}); !errors.Is(err, errs.Invalid) {
		t.Errorf("anybody's directory: %v", err)
	}
	if err := fetcher(t, Config{}).Fetch(t.Context(), Job{Sandbox: open + "/none"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no sandbox: %v", err)
	}
}
