package master

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
)

// TestDocuments: goal, that a document is made once for all who ask for it at the same
// moment, and that nothing is kept of those before; method, documents that can be
// counted, and whose end the collector tells.
func TestDocuments(t *testing.T) {
	cfg := Default()
	cfg.IP, cfg.Port = "127.0.0.1", 0
	m, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Version: &v1.VersionInfo{Version: proto.String("1.0.0")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var group sync.WaitGroup
	made := 0
	for range 50 {
		group.Go(func() {
			doc, err := m.document("x", func(*core.Snapshot) (pieces, error) { made++; return pieces{[]byte("text")}, nil })
			if err != nil || string(doc.text()) != "text" {
				t.Errorf("%v, %v", doc, err)
			}
		})
	}
	group.Wait()
	if made > 3 { // a round of offers may have come between them
		t.Errorf("made %d times", made)
	}
	if _, err := m.document("bad", func(*core.Snapshot) (pieces, error) { return nil, fmt.Errorf("no") }); err == nil {
		t.Error("what cannot be made is there")
	}

	// What is made for one reader alone is not kept.
	for range 100 {
		if doc, err := m.document(named("/slaves", "a"), func(*core.Snapshot) (pieces, error) { return pieces{[]byte("one")}, nil }); err != nil || string(doc.text()) != "one" {
			t.Fatalf("%v, %v", doc, err)
		}
	}
	if kept := len(m.lead().loop.cached.Load().documents.made); kept > 2 {
		t.Errorf("%d documents are kept", kept)
	}

	gone := make(chan struct{})
	func() {
		big := make([]byte, 1<<20)
		runtime.AddCleanup(&big[0], func(struct{}) { close(gone) }, struct{}{})
		if _, err := m.document("big", func(*core.Snapshot) (pieces, error) { return pieces{big}, nil }); err != nil {
			t.Fatal(err)
		}
	}()
	if err := m.lead().loop.ask(request{event: core.SetWeights{Weights: map[string]core.Weight{"a": 2000}}}); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(5 * time.Second) // less than documents are kept when nothing happens
	for {
		// Another view takes the place of the one that it was made of.
		if _, err := m.document("y", func(*core.Snapshot) (pieces, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		select {
		case <-gone:
			m.forgetDocuments()
			return
		case <-deadline:
			t.Fatal("a document of an old view is kept")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
