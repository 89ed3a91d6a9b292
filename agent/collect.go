package agent

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"mezzo/agent/sandbox"
	"mezzo/agent/task"
)

// collection is what is known of sandboxes that nobody uses any more.
type collection struct {
	removed, failed int // since the start
	pending         int
	maxAge          time.Duration
	busy            bool
}

// collect removes sandboxes that are old enough, in a worker. The fuller the
// disk, the sooner.
//
// Source: mesos slave/gc.cpp, Slave::age.
func (l *loop) collect() {
	if l.gc.busy {
		return
	}
	l.gc.busy = true
	inUse := l.sandboxesInUse()
	l.workers.Go(func() {
		usage, err := diskUsage(l.cfg.WorkDir)
		if err != nil {
			l.log.Warn("measure the disk", "err", err)
		}
		maxAge := maxSandboxAge(l.cfg.GCDelay, l.cfg.GCDiskHeadroom, usage)
		c, err := sandbox.Collect(l.cfg.WorkDir, inUse, maxAge, time.Now())
		if err != nil {
			l.log.Warn("sandboxes resist their removal", "err", err)
		}
		if c.Removed > 0 {
			l.log.Info("sandboxes removed", "count", c.Removed, "max_age", maxAge, "disk_usage", fmt.Sprintf("%.0f%%", 100*usage))
		}
		l.result(func() {
			l.gc.busy = false
			l.gc.removed += c.Removed
			l.gc.failed += c.Failed
			l.gc.pending, l.gc.maxAge = c.Pending, maxAge
		})
	})
}

// sandboxesInUse are those of tasks and executors that are not over.
func (l *loop) sandboxesInUse() map[string]bool {
	inUse := make(map[string]bool)
	for _, f := range l.core.View().Frameworks {
		for _, x := range f.Executors {
			inUse[runOfExecutor(f, x).Path(l.cfg.WorkDir)] = true
		}
		for _, t := range f.Tasks {
			if t.Held || t.State != task.Done {
				run := runOf(f, t)
				run.Task = ""
				inUse[run.Path(l.cfg.WorkDir)] = true
			}
		}
	}
	for _, n := range l.nested.All() {
		inUse[filepath.Join(l.cfg.WorkDir, sandboxOf(n))] = true
	}
	return inUse
}

// maxSandboxAge is how long a sandbox is kept after its task's end.
func maxSandboxAge(delay time.Duration, headroom, usage float64) time.Duration {
	return time.Duration(float64(delay) * max(0, 1-headroom-usage))
}

// diskUsage is the part of the file system below path that is not free.
func diskUsage(path string) (float64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("disk of %q: %w", path, err)
	}
	if st.Blocks == 0 {
		return 0, nil
	}
	return 1 - float64(st.Bavail)/float64(st.Blocks), nil
}
