package images

import (
	"context"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Progress is how far a fetch has come. Total grows while manifests are read;
// when Done has reached it, the rest is unpacking.
type Progress struct {
	DoneBytes, TotalBytes int64
}

// reportEvery is the rate of reports and of calls to containerd for them.
const reportEvery = 250 * time.Millisecond

// tracker knows the parts of a fetch.
type tracker struct {
	store content.Store
	mu    sync.Mutex
	parts map[string]*part // by the key of containerd's ingest
}

type part struct {
	desc ocispec.Descriptor
	done int64
}

// Handle notes each part as the fetch comes to it.
func (t *tracker) Handle(ctx context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	key := remotes.MakeRefKey(ctx, desc)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parts[key] == nil {
		t.parts[key] = &part{desc: desc}
	}
	return nil, nil
}

// run reports until ctx ends.
func (t *tracker) run(ctx context.Context, report func(Progress)) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if p, err := t.progress(ctx); err == nil {
				report(p)
			}
		}
	}
}

func (t *tracker) progress(ctx context.Context) (Progress, error) {
	active, err := t.store.ListStatuses(ctx, "")
	if err != nil {
		return Progress{}, err
	}
	offsets := make(map[string]int64, len(active))
	for _, st := range active {
		offsets[st.Ref] = st.Offset
	}
	t.mu.Lock()
	parts := make(map[string]*part, len(t.parts))
	for key, p := range t.parts {
		parts[key] = p
	}
	t.mu.Unlock()

	var sum Progress
	for key, p := range parts { // only this goroutine changes done
		if offset, ok := offsets[key]; ok {
			p.done = offset
		} else if p.done < p.desc.Size {
			if info, err := t.store.Info(ctx, p.desc.Digest); err == nil {
				p.done = info.Size
			}
		}
		sum.DoneBytes += p.done
		sum.TotalBytes += p.desc.Size
	}
	return sum, nil
}

// abortPoisoned removes what was received whole and wrong. containerd would
// take it up again at its end, and find it wrong for ever.
func (t *tracker) abortPoisoned(ctx context.Context) error {
	active, err := t.store.ListStatuses(ctx, "")
	if err != nil {
		return err
	}
	for _, st := range active {
		t.mu.Lock()
		p := t.parts[st.Ref]
		t.mu.Unlock()
		if p != nil && st.Offset >= p.desc.Size {
			// containerd's collector, set off by the end of our lease, may be faster.
			if err := t.store.Abort(ctx, st.Ref); err != nil && !errdefs.IsNotFound(err) {
				return err
			}
		}
	}
	return nil
}
