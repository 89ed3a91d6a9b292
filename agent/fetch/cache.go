package fetch

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"mezzo/internal/errs"
)

const (
	cacheFiles = "files"     // below the cache's directory
	clientDirs = "download-" // directories beside it, for programs that fetch
)

// cache keeps files that were fetched, up to a number of bytes. Who needs room
// takes it from what was not used for longest.
type cache struct {
	root *os.Root // of the files
	max  int64
	log  *slog.Logger

	mu      sync.Mutex
	used    int64 // by entries, whole ones and those being filled
	names   int64 // given to files so far
	entries map[string]*entry
	idle    *list.List // of whole entries that nobody uses, the latest first
}

// entry is one file. It is being filled until done is closed.
type entry struct {
	key, name string
	meter     *meter // of filling it
	cancel    context.CancelFunc
	done      chan struct{}

	// Under cache.mu.
	pins  int
	size  int64
	err   error         // of filling it
	place *list.Element // in cache.idle
}

// openCache makes dir, and empties it of what another process left.
func openCache(dir string, maxBytes int64, log *slog.Logger) (*cache, error) {
	// Programs that fetch get through to a directory of theirs, and see nothing.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return nil, invalid("cache %q: others can write to it", dir)
	}
	left, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	for _, e := range left {
		if e.Name() == cacheFiles || strings.HasPrefix(e.Name(), clientDirs) {
			if err := root.RemoveAll(e.Name()); err != nil {
				return nil, err
			}
		}
	}
	if err := root.Mkdir(cacheFiles, 0o700); err != nil {
		return nil, err
	}
	files, err := root.OpenRoot(cacheFiles)
	if err != nil {
		return nil, err
	}
	return &cache{root: files, max: maxBytes, log: log, entries: make(map[string]*entry), idle: list.New()}, nil
}

// acquire returns key's entry, whole and pinned until it is released. If nobody
// has filled it or is about to, fill does, for all who want it meanwhile; it is
// interrupted when none of them does any more.
//
// Errors: errFull if there is no room, what fill says, the context's.
func (c *cache) acquire(ctx context.Context, key string, m *meter, fill func(context.Context, io.Writer, *meter) error) (*entry, error) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil {
		e = c.add(ctx, key, m, fill)
	}
	e.pins++
	if e.place != nil {
		c.idle.Remove(e.place)
		e.place = nil
	}
	c.mu.Unlock()

	m.follow(e.meter)
	select {
	case <-e.done:
	case <-ctx.Done():
		c.release(e)
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		c.release(e)
		return nil, e.err
	}
	return e, nil
}

// add begins to fill an entry. Callers hold mu.
func (c *cache) add(ctx context.Context, key string, m *meter, fill func(context.Context, io.Writer, *meter) error) *entry {
	// Who came first may go before the others.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.names++
	e := &entry{key: key, name: strconv.FormatInt(c.names, 10), meter: m, cancel: cancel, done: make(chan struct{})}
	c.entries[key] = e
	go func() {
		defer cancel()
		err := c.write(ctx, e, fill)
		c.mu.Lock()
		defer c.mu.Unlock()
		if e.err = err; err != nil {
			c.drop(e)
		} else if e.pins == 0 {
			c.retire(e)
		}
		close(e.done)
	}()
	return e
}

// write fills e's file.
func (c *cache) write(ctx context.Context, e *entry, fill func(context.Context, io.Writer, *meter) error) error {
	file, err := c.root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return errors.Join(fill(ctx, &reserving{file, c, e}, e.meter), file.Close())
}

// reserving takes room in the cache for what is written.
type reserving struct {
	io.Writer
	c *cache
	e *entry
}

func (r *reserving) Write(p []byte) (int, error) {
	if !r.c.reserve(r.e, int64(len(p))) {
		return 0, errFull
	}
	return r.Writer.Write(p)
}

// reserve takes n bytes more for e, from idle entries if need be.
func (c *cache) reserve(e *entry, n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.size+n > c.max {
		return false // throwing out all others would not help
	}
	for c.used+n > c.max {
		oldest := c.idle.Back()
		if oldest == nil {
			return false
		}
		c.log.Debug("dropped from the cache", "file", oldest.Value.(*entry).name)
		c.drop(oldest.Value.(*entry))
	}
	c.used += n
	e.size += n
	return true
}

// release is for who acquired e. The last to leave an entry that is not yet
// whole ends the filling, and waits until its file is gone.
func (c *cache) release(e *entry) {
	c.mu.Lock()
	e.pins--
	last := e.pins == 0
	whole := false
	select {
	case <-e.done:
		whole = true
		if last && e.err == nil {
			c.retire(e)
		}
	default:
		if last && c.entries[e.key] == e {
			// Whoever comes now is not to get this one's end.
			delete(c.entries, e.key)
		}
	}
	c.mu.Unlock()
	if last && !whole {
		e.cancel()
		<-e.done
	}
}

// retire makes e, whole and used by nobody, the last to be dropped. What was
// given up while it became whole is dropped at once. Callers hold mu.
func (c *cache) retire(e *entry) {
	if c.entries[e.key] != e {
		c.drop(e)
		return
	}
	e.place = c.idle.PushFront(e)
}

// drop removes e, which nobody uses. Callers hold mu.
func (c *cache) drop(e *entry) {
	if e.place != nil {
		c.idle.Remove(e.place)
		e.place = nil
	}
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
	if err := ignoreGone(c.root.Remove(e.name)); err != nil {
		c.log.Error("can't remove from the cache", "file", e.name, "err", err)
	}
	c.used -= e.size
	e.size = 0
}

// open opens an acquired entry's file, to be read.
func (c *cache) open(e *entry) (*os.File, error) {
	file, err := c.root.Open(e.name)
	if err != nil {
		return nil, fmt.Errorf("cache: %w: %w", err, errs.Unavailable)
	}
	return file, nil
}
