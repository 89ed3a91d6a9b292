package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// Config says how a Fetcher works.
type Config struct {
	CacheDir        string        // of this Fetcher alone; "" fetches everything past a cache
	CacheBytes      int64         // what may be kept there; 0 means 2 GiB
	Stall           time.Duration // a fetch fails when no byte came for so long; 0 means a minute
	MaxExtractBytes int64         // what one archive may unpack to; 0 means 16 GiB
	MaxFiles        int           // and in how many files and directories; 0 means a million
	HadoopClient    string        // the program that fetches from hdfs and s3; "" refuses them
	FrameworksHome  string        // where relative paths begin; "" refuses them
	Log             *slog.Logger  // nil logs nothing
}

// Fetcher fetches for tasks. Its methods may be called at once from anywhere.
type Fetcher struct {
	cfg   Config
	web   http.RoundTripper
	cache *cache // nil without one
	beat  time.Duration
}

// New makes a Fetcher, and the directory of its cache, which it empties: what is
// in it was written by a process that may not have finished.
//
// Errors: errs.Invalid if others than this process's user can write to it.
func New(c Config) (*Fetcher, error) {
	if c.CacheBytes == 0 {
		c.CacheBytes = 2 << 30
	}
	if c.Stall == 0 {
		c.Stall = time.Minute
	}
	if c.MaxExtractBytes == 0 {
		c.MaxExtractBytes = 16 << 30
	}
	if c.MaxFiles == 0 {
		c.MaxFiles = 1_000_000
	}
	if c.CacheBytes < 0 || c.Stall < 0 || c.MaxExtractBytes < 0 || c.MaxFiles < 0 {
		return nil, invalid("fetcher: a limit is negative")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fetcher{cfg: c, web: newTransport(), beat: time.Second}
	if c.CacheDir != "" {
		var err error
		if f.cache, err = openCache(c.CacheDir, c.CacheBytes, c.Log); err != nil {
			return nil, fmt.Errorf("fetcher: %w", err)
		}
	}
	return f, nil
}

// Job is what one container needs fetched.
type Job struct {
	Sandbox  string // must be there
	UID, GID uint32 // whom files will belong to, and whose rights open local ones
	User     string // of that UID, for its other groups and as the owner of what is cached
	URIs     []*v1.CommandInfo_URI
	Progress func(string) // is told what is being done, in a few words, once a second at most for each URI, never twice at a time; may be nil
}

// Fetch fetches j's URIs, one after the other. When it fails, what was fetched
// before stays in the sandbox.
func (f *Fetcher) Fetch(ctx context.Context, j Job) (err error) {
	uris, err := parseAll(j.URIs)
	if err != nil {
		return err
	}
	for _, u := range uris {
		if err := f.supports(u); err != nil {
			return fmt.Errorf("fetch %s: %w", u, err)
		}
	}
	root, err := os.OpenRoot(j.Sandbox)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	s := sandbox{root: root, uid: int(j.UID), gid: int(j.GID)}
	for _, u := range uris {
		start := time.Now()
		if err := f.one(ctx, s, j, u); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("fetch %s: %w", u, err)
		}
		f.cfg.Log.Info("fetched", "uri", u.String(), "to", u.lands, "sandbox", j.Sandbox, "took", time.Since(start))
	}
	return nil
}

// supports refuses what this agent was not set up for, before anything begins.
func (f *Fetcher) supports(u uri) error {
	switch {
	case u.kind == hadoop && f.cfg.HadoopClient == "":
		return unsupported("this agent has no Hadoop client")
	case u.kind == relative && f.cfg.FrameworksHome == "":
		return unsupported("this agent has no directory for relative paths")
	}
	return nil
}

// one fetches u and puts it where it belongs.
func (f *Fetcher) one(ctx context.Context, s sandbox, j Job, u uri) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m := newMeter()
	stop := m.report(j.Progress, f.beat, "Fetching "+u.String())
	content, cached, err := f.content(ctx, s, j, u, m)
	stop()
	if err != nil {
		return err
	}
	defer content.Close()
	if u.archive == none {
		return nil
	}
	m = newMeter()
	defer m.report(j.Progress, f.beat, "Unpacking "+path.Base(u.lands))()
	x := &extraction{ctx: ctx, sandbox: s, dir: path.Dir(u.lands), bytes: f.cfg.MaxExtractBytes, files: f.cfg.MaxFiles, meter: m}
	if err := x.run(u, content); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	f.cfg.Log.Debug("unpacked", "uri", u.String(), "cached", cached, "bytes", m.got.Load())
	return nil
}

// content is what u names, from its beginning. It is in the sandbox already,
// unless it is an archive from the cache.
func (f *Fetcher) content(ctx context.Context, s sandbox, j Job, u uri, m *meter) (file *os.File, cached bool, err error) {
	if u.cached && f.cache != nil {
		e, err := f.cache.acquire(ctx, cacheKey(j, u), m, func(ctx context.Context, w io.Writer, m *meter) error {
			return f.download(ctx, j, u, m, f.cfg.CacheBytes, w)
		})
		switch {
		case err == nil:
			defer f.cache.release(e)
			file, err := f.cache.open(e)
			if err != nil || u.archive != none {
				return file, true, err
			}
			defer file.Close()
			file, err = s.deliver(u, func(w io.Writer) error { return copyAll(ctx, w, file, nil) })
			return file, true, err
		case !errors.Is(err, errFull):
			return nil, false, err
		}
		m.follow(nil)
		f.cfg.Log.Info("does not fit into the cache", "uri", u.String())
	}
	file, err = s.deliver(u, func(w io.Writer) error { return f.download(ctx, j, u, m, 0, w) })
	return file, false, err
}

// cacheKey tells apart what must not be shared: another user may see other
// content behind the same URI.
func cacheKey(j Job, u uri) string { return fmt.Sprintf("%d:%d:%s:%s", j.UID, j.GID, j.User, u.whole) }

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errs.Invalid)...)
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errs.Unsupported)...)
}
