package fetch

// Goal: what is cached is fetched once, kept while it is used, and dropped by
// who needs the room, whoever comes and goes meanwhile. Method: servers that
// count, and a model-free crowd under the race detector.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"mezzo/internal/errs"
)

// counter serves 10 bytes for every path, and counts.
func counter(t *testing.T) (url string, asked func(path string) int) {
	t.Helper()
	var mu sync.Mutex
	seen := make(map[string]int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Path]++
		mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/big") {
			if r.URL.Path == "/big-unknown" {
				w.(http.Flusher).Flush() // no length
			}
			io.WriteString(w, strings.Repeat("b", 100))
			return
		}
		fmt.Fprintf(w, "%-10s", r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL, func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		return seen[path]
	}
}

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	url, asked := counter(t)
	f := fetcher(t, Config{CacheDir: t.TempDir() + "/cache", CacheBytes: 25})
	get := func(path string) {
		t.Helper()
		j := job(t, at(url+path, cached, output("x")))
		if err := f.Fetch(t.Context(), j); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		want := fmt.Sprintf("x 644=%-10s", path)
		if strings.HasPrefix(path, "/big") {
			want = "x 644=100 bytes"
		}
		equal(t, j.Sandbox, want)
	}
	for _, path := range []string{"/a", "/b", "/a", "/c", "/a", "/b", "/big", "/b"} {
		get(path)
	}
	for path, want := range map[string]int{"/a": 1, "/b": 2, "/c": 1, "/big": 2} {
		if got := asked(path); got != want {
			t.Errorf("%s was fetched %d times, want %d", path, got, want)
		}
	}
	// Only by fetching it turns out how large this one is.
	get("/big-unknown")
	if f.cache.used > 25 {
		t.Errorf("%d bytes in the cache", f.cache.used)
	}
}

func TestCacheIsOfOneUser(t *testing.T) {
	url, asked := counter(t)
	f := fetcher(t, Config{CacheDir: t.TempDir() + "/cache"})
	for _, user := range []string{"me", "you", "me"} {
		j := job(t, at(url+"/a", cached))
		j.User = user
		if err := f.Fetch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if got := asked("/a"); got != 2 {
		t.Errorf("fetched %d times", got)
	}
}

// TestCacheIsNotWrittenThrough: a task that changes its copy changes no other.
func TestCacheIsNotWrittenThrough(t *testing.T) {
	url, _ := counter(t)
	f := fetcher(t, Config{CacheDir: t.TempDir() + "/cache"})
	for range 2 {
		j := job(t, at(url+"/a", cached))
		if err := f.Fetch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		equal(t, j.Sandbox, "a 644=/a        ")
		if err := os.WriteFile(j.Sandbox+"/a", []byte("changed"), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCacheUnpacksWithoutACopy(t *testing.T) {
	data, err := os.ReadFile("testdata/hello.tar.xz")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(data) }))
	defer s.Close()
	f := fetcher(t, Config{CacheDir: t.TempDir() + "/cache"})
	for _, tc := range []struct {
		how  []setting
		want []string
	}{
		{[]setting{cached}, []string{"hello.txt 644=hello\n"}},
		{[]setting{cached, packed}, []string{"x.tar.xz 644=176 bytes"}},
		{[]setting{cached, executable}, []string{"x.tar.xz 755=176 bytes"}},
		{nil, []string{"hello.txt 644=hello\n", "x.tar.xz 644=176 bytes"}},
		{[]setting{cached, output("d/y.tar.xz")}, []string{"d/", "d/hello.txt 644=hello\n"}},
		{[]setting{cached, output("d/y")}, []string{"d/", "d/y 644=176 bytes"}},
	} {
		j := job(t, at(s.URL+"/x.tar.xz", tc.how...))
		if err := f.Fetch(t.Context(), j); err != nil {
			t.Error(err)
		}
		equal(t, j.Sandbox, tc.want...)
	}
}

func TestCacheIsEmptiedAtFirst(t *testing.T) {
	dir := t.TempDir() + "/cache"
	url, asked := counter(t)
	for range 2 {
		if err := fetcher(t, Config{CacheDir: dir}).Fetch(t.Context(), job(t, at(url+"/a", cached))); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir+"/"+clientDirs+"1/x", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/of-somebody-else", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fetcher(t, Config{CacheDir: dir})
	equal(t, dir, "files/", "of-somebody-else 600=")
	if asked("/a") != 2 {
		t.Error("kept over a restart")
	}
}

func newCache(t *testing.T, maxBytes int64) *cache {
	t.Helper()
	return fetcher(t, Config{CacheDir: t.TempDir() + "/cache", CacheBytes: maxBytes}).cache
}

func writes(n int) func(context.Context, io.Writer, *meter) error {
	return func(_ context.Context, w io.Writer, _ *meter) error {
		_, err := w.Write(make([]byte, n))
		return err
	}
}

func TestCachePins(t *testing.T) {
	c := newCache(t, 20)
	get := func(key string) (*entry, error) { return c.acquire(t.Context(), key, newMeter(), writes(10)) }
	a, err := get("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := get("b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get("c"); !errors.Is(err, errFull) {
		t.Errorf("with all pinned: %v", err)
	}
	c.release(b)
	if _, err := get("c"); err != nil {
		t.Errorf("with one released: %v", err)
	}
	if f, err := c.open(a); err != nil {
		t.Errorf("pinned, and gone: %v", err)
	} else {
		f.Close()
	}
	if c.entries["b"] != nil || c.used != 20 {
		t.Errorf("b is still there, %d bytes used", c.used)
	}
}

// TestCacheSingleFlight: who comes while something is fetched waits for it, and
// goes when it likes.
func TestCacheSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, 100)
		begun, finish := make(chan struct{}), make(chan struct{})
		var fills atomic.Int32
		fill := func(ctx context.Context, w io.Writer, m *meter) error {
			fills.Add(1)
			close(begun)
			select {
			case <-finish:
			case <-ctx.Done():
				return ctx.Err()
			}
			return writes(10)(ctx, w, m)
		}
		first, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := c.acquire(first, "a", newMeter(), fill)
			left <- err
		}()
		<-begun
		got := make(chan error)
		for range 5 {
			go func() {
				e, err := c.acquire(t.Context(), "a", newMeter(), fill)
				if err == nil {
					c.release(e)
				}
				got <- err
			}()
		}
		synctest.Wait() // for the others to wait
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		close(finish)
		for range 5 {
			if err := <-got; err != nil {
				t.Error(err)
			}
		}
		if fills.Load() != 1 {
			t.Errorf("fetched %d times", fills.Load())
		}
	})
}

// TestCacheFailureIsNotKept: the next one tries again.
func TestCacheFailureIsNotKept(t *testing.T) {
	c := newCache(t, 100)
	bad := func(_ context.Context, w io.Writer, _ *meter) error {
		_, err := w.Write(make([]byte, 10))
		return errors.Join(err, errs.Unavailable)
	}
	if _, err := c.acquire(t.Context(), "a", newMeter(), bad); !errors.Is(err, errs.Unavailable) || c.used != 0 {
		t.Errorf("got %v, %d bytes used", err, c.used)
	}
	if _, err := c.acquire(t.Context(), "a", newMeter(), writes(5)); err != nil {
		t.Error(err)
	}
}

// TestCacheCrowd: many at once, some of whom give up; at the end the books are
// right.
func TestCacheCrowd(t *testing.T) {
	const maxBytes = 50
	c := newCache(t, maxBytes)
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 200 {
				n := random.IntN(8)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if random.IntN(4) == 0 {
					go cancel()
				}
				e, err := c.acquire(ctx, fmt.Sprint(n), newMeter(), writes(n*3))
				if err == nil {
					f, err := c.open(e)
					if err != nil {
						t.Error(err)
						break
					}
					if st, err := f.Stat(); err != nil || st.Size() != int64(n*3) {
						t.Errorf("entry %d: %v, %v", n, st.Size(), err)
					}
					f.Close()
					c.release(e)
				} else if !errors.Is(err, context.Canceled) && !errors.Is(err, errFull) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum int64
	for _, e := range c.entries {
		sum += e.size
		if e.pins != 0 {
			t.Errorf("entry %s has %d pins", e.key, e.pins)
		}
	}
	if sum != c.used || sum > maxBytes || len(c.entries) != c.idle.Len() {
		t.Errorf("%d bytes in %d entries, %d idle; %d counted", sum, len(c.entries), c.idle.Len(), c.used)
	}
	files, err := os.ReadDir(c.root.Name())
	if err != nil || len(files) != len(c.entries) {
		t.Errorf("%d files of %d entries, %v", len(files), len(c.entries), err)
	}
}
