package master

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"mezzo/internal/errs"
	"mezzo/master/core"
)

// whitelistInterval is how often the file is read again.
// Source: mesos master/constants.hpp, WHITELIST_WATCH_INTERVAL.
const whitelistInterval = 5 * time.Second

// whitelist is the file of --whitelist: the hosts whose agents are offered, one
// a line.
type whitelist struct {
	path  string
	mu    sync.Mutex
	hosts []string // as of the last look
	seen  bool
}

// look reads the file and tells whether it says something new.
func (w *whitelist) look() (core.SetWhitelist, bool, error) {
	content, err := os.ReadFile(w.path)
	if err != nil {
		return core.SetWhitelist{}, false, fmt.Errorf("read whitelist: %w: %w", err, errs.Invalid)
	}
	hosts := strings.Fields(string(content))
	slices.Sort(hosts)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen && slices.Equal(hosts, w.hosts) {
		return core.SetWhitelist{}, false, nil
	}
	w.hosts, w.seen = hosts, true
	return core.SetWhitelist{Hosts: hosts}, true, nil
}

// event is what the file said last. It may be called from anywhere.
func (w *whitelist) event() core.SetWhitelist {
	w.mu.Lock()
	defer w.mu.Unlock()
	return core.SetWhitelist{Hosts: w.hosts}
}

// watchWhitelist tells the loop what the file says, until ctx ends. While it
// can't be read, what it said last holds.
func (m *Master) watchWhitelist(ctx context.Context, w *whitelist) {
	tick := time.NewTicker(whitelistInterval)
	defer tick.Stop()
	for unreadable := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ev, changed, err := w.look()
		if err != nil && !unreadable {
			m.log.Warn("whitelist unreadable, the last one holds", "path", w.path, "err", err)
		}
		unreadable = err != nil
		if changed {
			m.log.Info("whitelist changed", "path", w.path, "hosts", len(ev.Hosts))
			_ = m.lead().loop.tell(request{event: ev}) // it fails only if there is nobody to tell any more
		}
	}
}
