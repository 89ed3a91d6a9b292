package cgroups2

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/kfile"
)

// domain is what is kept of a prepared or adopted container.
type domain struct {
	dir    string
	limits isolator.Limits // complete; guarded by Isolator.mu
	group  *group          // nil: it is in none
	guest  bool            // of the group
	nested bool            // in another domain

	mu     sync.Mutex
	reader *reader // opened by the first sample
	closed bool    // no reader must be opened any more
}

func (d *domain) usage(u *isolator.Usage) error {
	r, err := d.open()
	if err != nil {
		return err
	}
	return r.read(u)
}

func (d *domain) open() (*reader, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("cgroup %s was removed: %w", d.dir, errs.NotFound)
	}
	if d.reader == nil {
		r, err := openReader(d.dir)
		if err != nil {
			return nil, err
		}
		d.reader = r
	}
	return d.reader, nil
}

func (d *domain) largestSample() sample {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reader == nil {
		return sample{}
	}
	return d.reader.largestSample()
}

func (d *domain) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.reader != nil {
		d.reader.close()
	}
}

// death reads what the verdict needs.
func (d *domain) death() (death, error) {
	how := death{largest: d.largestSample()}
	events, err := os.ReadFile(filepath.Join(d.dir, "memory.events"))
	if err != nil {
		return how, missing(d.dir, err)
	}
	if how.oom, how.kills, err = parseMemoryEvents(events); err != nil {
		return how, fmt.Errorf("%s/memory.events: %w", d.dir, err)
	}
	limit, err := os.ReadFile(filepath.Join(d.dir, memoryMaxFile))
	if err != nil {
		return how, missing(d.dir, err)
	}
	if how.limit, how.limited, err = kfile.Limit(limit); err != nil {
		return how, fmt.Errorf("%s/%s: %w", d.dir, memoryMaxFile, err)
	}
	how.peak, err = readUint(d.dir, "memory.peak")
	return how, ignoreMissing(err)
}
