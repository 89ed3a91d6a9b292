package election

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"mezzo/internal/errs"
)

// session is what the package needs of ZooKeeper. A call waits until a server
// has answered or all are known not to.
//
// Errors: errs.NotFound, errs.Exists, errs.Invalid for what is not permitted;
// else errs.Unavailable: it may have been done.
type session interface {
	// children lists the names below path. With watch, changed is closed at the
	// next change of them, or when it would not be told any more.
	children(path string, watch bool) (names []string, changed <-chan struct{}, err error)
	// exists looks for path; changed is closed when that changes.
	exists(path string) (found bool, changed <-chan struct{}, err error)
	read(path string) ([]byte, error)
	// prove finds path by way of a majority of the servers, which a read is not:
	// a server that has lost the others answers it for a while.
	prove(path string) error
	// create makes a znode; a member is ephemeral and has a number appended.
	create(path string, data []byte, member bool) (made string, err error)
	// lease is how long the session surely lives after prove was called that
	// found something.
	lease() time.Duration
	// expired is closed when the servers have ended the session.
	expired() <-chan struct{}
	// close ends the session and what it made, as far as a server can be reached
	// within seconds.
	close()
}

// library is a session by way of go-zookeeper. When the servers have ended it,
// the library begins another by itself.
type library struct {
	conn    *zk.Conn
	of      ensemble
	acl     []zk.ACL
	timeout atomic.Int64 // granted by the server
	over    chan struct{}
	expire  sync.Once

	mu      sync.Mutex
	authed  bool
	link    net.Conn // the last one; nil before the first
	problem error    // why the last dial failed; nil if it did not
}

// connect begins a session; it waits for nothing.
func connect(e ensemble, cfg Config) session {
	l := &library{of: e, acl: zk.WorldACL(zk.PermAll), over: make(chan struct{})}
	if e.auth != "" {
		l.acl = append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
	}
	l.timeout.Store(int64(cfg.SessionTimeout))
	dial := func(network, addr string, timeout time.Duration) (net.Conn, error) {
		c, err := net.DialTimeout(network, addr, timeout)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.problem = err; err != nil {
			return nil, err
		}
		l.link = newFrames(c, cfg.SessionTimeout/3, func(d time.Duration) { l.timeout.Store(int64(d)) })
		return l.link, nil
	}
	conn, _, err := zk.Connect(e.servers, cfg.SessionTimeout, zk.WithDialer(dial), zk.WithHostProvider(&hosts{}),
		zk.WithLogger(quiet{cfg.Log}), zk.WithMaxBufferSize(maxFrame), zk.WithEventCallback(func(ev zk.Event) {
			if ev.State == zk.StateExpired {
				l.expire.Do(func() { close(l.over) })
			}
		}))
	if err != nil {
		panic(err) // no servers, or hosts refused them
	}
	l.conn = conn
	return l
}

// quiet logs what the library says for those who look closely.
type quiet struct{ log *slog.Logger }

// Printf logs a line.
func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("zookeeper client", "says", fmt.Sprintf(format, args...))
}

// ready tells the server who we are, before the first request.
func (l *library) ready() error {
	l.mu.Lock()
	authed := l.authed || l.of.auth == ""
	l.mu.Unlock()
	if authed {
		return nil
	}
	if err := l.conn.AddAuth("digest", []byte(l.of.auth)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.authed = true
	return nil
}

func (l *library) children(path string, watch bool) (names []string, changed <-chan struct{}, err error) {
	if err = l.ready(); err == nil && watch {
		var events <-chan zk.Event
		names, _, events, err = l.conn.ChildrenW(path)
		changed = signal(events)
	} else if err == nil {
		names, _, err = l.conn.Children(path)
	}
	return names, changed, l.wrap("list", path, err)
}

func (l *library) exists(path string) (found bool, changed <-chan struct{}, err error) {
	if err = l.ready(); err == nil {
		var events <-chan zk.Event
		found, _, events, err = l.conn.ExistsW(path)
		changed = signal(events)
	}
	return found, changed, l.wrap("look for", path, err)
}

// signal is events without what they say; the library sends one, always.
func signal(events <-chan zk.Event) <-chan struct{} {
	if events == nil {
		return nil
	}
	c := make(chan struct{})
	go func() {
		<-events
		close(c)
	}()
	return c
}

func (l *library) read(path string) (data []byte, err error) {
	if err = l.ready(); err == nil {
		data, _, err = l.conn.Get(path)
	}
	return data, l.wrap("read", path, err)
}

// prove sends a transaction that changes nothing, so that it wakes no watcher.
func (l *library) prove(path string) (err error) {
	if err = l.ready(); err == nil {
		_, err = l.conn.Multi(&zk.CheckVersionRequest{Path: path, Version: -1})
	}
	return l.wrap("prove", path, err)
}

func (l *library) create(path string, data []byte, member bool) (made string, err error) {
	flags := int32(zk.FlagPersistent)
	if member {
		flags = zk.FlagEphemeralSequential
	}
	if err = l.ready(); err == nil {
		made, err = l.conn.Create(path, data, flags, l.acl)
	}
	return made, l.wrap("create", path, err)
}

// wrap gives an error of the library its class and what is known of the cause.
func (l *library) wrap(what, path string, err error) error {
	if err == nil {
		return nil
	}
	class := errs.Unavailable
	switch {
	case errors.Is(err, zk.ErrNoNode):
		class = errs.NotFound
	case errors.Is(err, zk.ErrNodeExists):
		class = errs.Exists
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrInvalidACL), errors.Is(err, zk.ErrAuthFailed):
		class = errs.Invalid
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if class == errs.Unavailable && l.problem != nil {
		return fmt.Errorf("%s %s: no ZooKeeper answers at %s: %w: %w", what, path, strings.Join(l.of.servers, ","), l.problem, class)
	}
	return fmt.Errorf("%s %s: %w: %w", what, path, err, class)
}

// lease leaves a third of the timeout. The server that leads the others learns
// of a client of theirs up to half a tick late, a quarter of the shortest
// timeout. The rest is for clocks that differ.
func (l *library) lease() time.Duration { return time.Duration(l.timeout.Load()) / 3 * 2 }

func (l *library) expired() <-chan struct{} { return l.over }

func (l *library) close() {
	l.conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link != nil {
		_ = l.link.Close() // or the library's reader waits for its own deadline
	}
}
