package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	clog "github.com/containerd/log"
	"github.com/containerd/platforms"
	"github.com/sirupsen/logrus"

	"mezzo/internal/errs"
)

// Config is how images are fetched and kept.
type Config struct {
	Namespace   string // containerd's; default "mezzo"
	Snapshotter string // default "overlayfs"

	// InsecureRegistries are spoken to without TLS, host or host:port. A registry
	// on the loopback interface is one without being named.
	InsecureRegistries []string
	// HostsDir is a tree of <host>/hosts.toml in containerd's format: mirrors,
	// certificates. Empty: none.
	HostsDir string
	// DockerConfig is a docker client's config.json with credentials. Empty: none.
	DockerConfig string

	MaxPulls int // fetches at once; default 3

	// PruneGrace is how long an image is kept after Ensure gave it, for it to be
	// pinned; default 1 minute.
	PruneGrace time.Duration
}

// SetDefaults fills the fields that were left out.
func (c *Config) SetDefaults() {
	if c.Namespace == "" {
		c.Namespace = "mezzo"
	}
	if c.Snapshotter == "" {
		c.Snapshotter = "overlayfs"
	}
	if c.MaxPulls == 0 {
		c.MaxPulls = 3
	}
	if c.PruneGrace == 0 {
		c.PruneGrace = time.Minute
	}
}

// Validate tells everything that is wrong with c.
func (c *Config) Validate() error {
	if c.MaxPulls < 0 {
		return fmt.Errorf("images: %d pulls at once: %w", c.MaxPulls, errs.Invalid)
	}
	return nil
}

// Deps are what a Store works with.
type Deps struct {
	Client *containerd.Client
	Log    *slog.Logger
}

// Store is the images of one containerd namespace.
//
// Concurrency: all methods may be called at once.
type Store struct {
	cfg      Config
	client   *containerd.Client
	log      *slog.Logger
	platform platforms.MatchComparer
	flights  flights
	known    known
	lately   lately
	slots    chan struct{} // one per fetch at once
}

// New returns a Store.
func New(cfg Config, d Deps) (*Store, error) {
	cfg.SetDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Store{
		cfg:      cfg,
		client:   d.Client,
		log:      d.Log.With("component", "images"),
		platform: platforms.Default(),
		lately:   lately{life: cfg.PruneGrace},
		slots:    make(chan struct{}, cfg.MaxPulls),
	}, nil
}

// Policy says when an image is fetched.
type Policy int

// Policies.
const (
	IfAbsent Policy = iota // what is here is used
	Always                 // the registry is asked each time
)

// Ensure returns the image that s names, fetching it first if p says so. The
// report of a fetch's progress is called by another goroutine, a few times a
// second at most and not after Ensure has returned; nil for none.
//
// Errors: name the reference, and are of class errs.Invalid (reference or
// credentials), errs.NotFound, errs.Corrupt, errs.Exhausted (disk) or
// errs.Unavailable (registry, containerd).
func (s *Store) Ensure(ctx context.Context, name string, p Policy, report func(Progress)) (Image, error) {
	ref, err := ParseRef(name)
	if err != nil {
		return Image{}, err
	}
	ctx = s.context(ctx)
	s.lately.note(ref.name)
	img, err := s.ensure(ctx, ref, p, report)
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", ref, classify(err))
	}
	s.lately.note(img.Ref)
	return img, nil
}

func (s *Store) ensure(ctx context.Context, ref Ref, p Policy, report func(Progress)) (Image, error) {
	fetch := s.pull
	if ref.archive != "" {
		fetch = s.importArchive
	} else if p == IfAbsent {
		img, err := s.local(ctx, ref)
		if !errors.Is(err, errs.NotFound) {
			return img, err
		}
	}
	return s.flights.do(ctx, ref.name, report, func(ctx context.Context, report func(Progress)) (Image, error) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-ctx.Done():
			return Image{}, ctx.Err()
		}
		return fetch(ctx, ref, report)
	})
}

// Import reads an OCI or docker archive, plain or compressed, and keeps its
// image under name, as it would if name were the only one of a registry.
func (s *Store) Import(ctx context.Context, name string, r io.Reader) (Image, error) {
	ref, err := ParseRef(name)
	if err != nil {
		return Image{}, err
	}
	img, err := s.importStream(s.context(ctx), ref, r, nil)
	if err != nil {
		return Image{}, fmt.Errorf("import image %s: %w", ref, classify(err))
	}
	return img, nil
}

// leaseLife bounds the lease of a fetch whose process dies with it.
const leaseLife = 24 * time.Hour

// leased runs fn under a lease of its own, so that what fn makes is kept until
// it has a name, and no longer. The client would make such a lease by itself,
// but leaves it behind when ctx is cancelled.
func (s *Store) leased(ctx context.Context, fn func(context.Context) error) (err error) {
	if _, ok := leases.FromContext(ctx); ok {
		return fn(ctx)
	}
	manager := s.client.LeasesService()
	lease, err := manager.Create(ctx, leases.WithRandomID(), leases.WithExpiration(leaseLife))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, manager.Delete(ctx, lease))
	}()
	return fn(leases.WithLease(ctx, lease.ID))
}

// context adds containerd's namespace, and keeps its client from writing to
// the process's global log what comes back as an error anyway.
func (s *Store) context(ctx context.Context) context.Context {
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	ctx = clog.WithLogger(ctx, logrus.NewEntry(silent))
	return namespaces.WithNamespace(ctx, s.cfg.Namespace)
}
