package imagetest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is a registry on the loopback interface, without TLS.
type Registry struct {
	Host string // "127.0.0.1:port"

	server *httptest.Server
	fault  atomic.Pointer[Fault]

	mu    sync.Mutex
	blobs map[string]int // requests for each blob
}

// Fault is how a registry misbehaves; the zero value not at all.
type Fault struct {
	User, Password string        // asked for if not empty
	Status         int           // answered to everything
	Corrupt        bool          // one byte of each layer is wrong
	Stall          chan struct{} // layers stop half way until it is closed
}

// NewRegistry starts a registry that ends with the test.
func NewRegistry(t testing.TB) *Registry {
	r := &Registry{blobs: make(map[string]int)}
	backend := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r.fault.Store(&Fault{})
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.serve(backend, w, req)
	}))
	t.Cleanup(r.server.Close)
	r.Host = r.server.Listener.Addr().String()
	return r
}

// Push stores img and returns its reference. Faults are not in the way.
func (r *Registry) Push(t testing.TB, repository string, img v1.Image) string {
	t.Helper()
	ref := r.Host + "/" + repository
	tag, err := name.NewTag(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	old := r.fault.Swap(&Fault{})
	defer r.fault.Store(old)
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.blobs)
	return tag.String()
}

// Misbehave sets what is wrong from now on.
func (r *Registry) Misbehave(f Fault) { r.fault.Store(&f) }

// BlobRequests counts how often the most wanted blob was asked for.
func (r *Registry) BlobRequests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 0
	for _, n := range r.blobs {
		most = max(most, n)
	}
	return most
}

func (r *Registry) serve(backend http.Handler, w http.ResponseWriter, req *http.Request) {
	f := r.fault.Load()
	if f.Status != 0 {
		http.Error(w, "fault", f.Status)
		return
	}
	if user, password, _ := req.BasicAuth(); f.User != "" && (user != f.User || password != f.Password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	}
	if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
		r.mu.Lock()
		r.blobs[req.URL.Path]++
		r.mu.Unlock()
		w = &faultyWriter{ResponseWriter: w, fault: f, done: req.Context().Done()}
	}
	backend.ServeHTTP(w, req)
}

// faultyWriter damages or stalls a blob, if it is large enough to be a layer.
type faultyWriter struct {
	http.ResponseWriter
	fault   *Fault
	done    <-chan struct{}
	written int
}

const layerSize = 64 << 10

func (w *faultyWriter) Write(p []byte) (int, error) {
	at := layerSize - w.written
	w.written += len(p)
	if at < 0 || at >= len(p) {
		return w.ResponseWriter.Write(p)
	}
	if w.fault.Corrupt {
		p = append([]byte(nil), p...)
		p[at] ^= 1
	}
	if w.fault.Stall != nil {
		if _, err := w.ResponseWriter.Write(p[:at]); err != nil {
			return 0, err
		}
		w.ResponseWriter.(http.Flusher).Flush()
		select {
		case <-w.fault.Stall:
		case <-w.done:
		}
		n, err := w.ResponseWriter.Write(p[at:])
		return at + n, err
	}
	return w.ResponseWriter.Write(p)
}
