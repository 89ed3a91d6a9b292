package images

import (
	"sync"

	"github.com/opencontainers/go-digest"
)

// maxKnown bounds the described images; one is some hundred bytes.
const maxKnown = 1024

// known remembers what has been read about images, by digest. It is emptied
// when full: reading again costs two calls.
type known struct {
	mu     sync.Mutex
	images map[digest.Digest]Image
}

func (k *known) get(d digest.Digest) (Image, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	img, ok := k.images[d]
	return img, ok
}

func (k *known) put(d digest.Digest, img Image) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.images == nil || len(k.images) >= maxKnown {
		k.images = make(map[digest.Digest]Image)
	}
	k.images[d] = img
}
