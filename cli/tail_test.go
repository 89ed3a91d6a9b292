package cli

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// rotated is the files of one stream, the newest first.
type rotated struct {
	files []rotatedFile
	next  int
}

type rotatedFile struct {
	id   string
	text []byte
}

func (r *rotated) begin() {
	r.files = append([]rotatedFile{{id: fmt.Sprint("file", r.next)}}, r.files...)
	r.next++
}

func (r *rotated) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	for i, f := range r.files {
		name := "/box/stdout"
		if i > 0 {
			name = fmt.Sprint(name, ".", i)
		}
		if req.URL.Query().Get("path") == name {
			w.Header().Set(fileHeader, f.id)
			http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(f.text))
			return
		}
	}
	http.Error(w, "no such file", http.StatusNotFound)
}

// TestTail: goal, that a reader gets all that was written, once and in order,
// however the files move on under it; method, a seeded writer that writes and
// begins new files before each of the reader's requests.
func TestTail(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var all bytes.Buffer
		files := &rotated{}
		files.begin()
		write := func(p float64) {
			for rng.Float64() < p {
				if rng.IntN(2) == 0 {
					files.begin()
					continue
				}
				line := fmt.Appendf(nil, "%d\n", all.Len())
				all.Write(line)
				files.files[0].text = append(files.files[0].text, line...)
			}
		}
		write(0.9)
		still := false
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if !still {
				write(0.2)
			}
			files.ServeHTTP(w, req)
		}))
		var got bytes.Buffer
		x := &tail{s: &sandbox{http: server.Client(), agent: strings.TrimPrefix(server.URL, "http://"), dir: "/box"}, name: "stdout", w: &got}
		for i := range 8 {
			still = i == 7
			if err := x.drain(context.Background()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		server.Close()
		if got.String() != all.String() {
			t.Fatalf("seed %d: %d files; got %q of %q", seed, len(files.files), got.String(), all.String())
		}
	}
}

// TestTailLoses: goal, that a reader whose file is gone goes on with what is left.
func TestTailLoses(t *testing.T) {
	files := &rotated{}
	server := httptest.NewServer(files)
	defer server.Close()
	var got strings.Builder
	x := &tail{s: &sandbox{http: server.Client(), agent: strings.TrimPrefix(server.URL, "http://"), dir: "/box"}, name: "stdout", w: &got}
	for i := range 4 {
		files.begin()
		files.files[0].text = fmt.Appendf(nil, "%d\n", i)
		files.files = files.files[:min(len(files.files), 2)]
		if i == 1 {
			continue
		}
		if err := x.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != "0\n1\n2\n3\n" {
		t.Errorf("got %q", got.String())
	}
	files.files = nil
	for range 3 {
		files.begin()
		files.files[0].text = []byte("x\n")
	}
	if err := x.drain(t.Context()); err != nil || got.String() != "0\n1\n2\n3\nx\nx\nx\n" {
		t.Errorf("got %q, %v", got.String(), err)
	}
}
