package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/core"
	"mezzo/agent/sandbox"
	"mezzo/agent/task"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// diskUse is what a container uses of it, as it was measured last, and may.
type diskUse struct{ usedBytes, limitBytes int64 }

// onDisk is a container whose use is measured.
type onDisk struct {
	container  ids.ContainerID
	paths      []string      // sandboxes: its own, and of what is nested in it
	layers     []isolator.ID // of what writes over its image: itself, and what is nested in it
	limitBytes int64         // 0: none
}

// measureDisk measures what containers use of the disk, in a worker, one after
// the other, and ends those that use more than they asked for.
//
// Source: mesos isolators/posix/disk.cpp.
func (l *loop) measureDisk() {
	if l.measuring {
		return
	}
	l.measuring = true
	all := l.onDisk()
	l.workers.Go(func() {
		used := make(map[ids.ContainerID]diskUse, len(all))
		for _, c := range all {
			if l.ctx.Err() != nil {
				break
			}
			l.limitDisk(c.paths[0], c.limitBytes) // an executor's grows and shrinks with its tasks
			n, err := l.diskUsed(l.ctx, c)
			if err != nil {
				l.log.Warn("measure the disk of a container", "container_id", c.container, "err", err)
				continue
			}
			used[c.container] = diskUse{n, c.limitBytes}
		}
		l.result(func() {
			l.measuring = false
			l.disk = used
			for _, c := range all {
				if d, ok := used[c.container]; ok && c.limitBytes > 0 && d.usedBytes > c.limitBytes && l.cfg.EnforceContainerDiskQuota {
					l.step(core.Evict{Container: c.container, End: overDisk(d)})
				}
			}
		})
	})
}

// onDisk are the containers that run: of tasks, and of frameworks' own executors.
func (l *loop) onDisk() (all []onDisk) {
	for _, f := range l.core.View().Frameworks {
		for _, x := range f.Executors {
			if x.Held && !x.Group && x.PID > 0 {
				all = append(all, l.withNested(onDisk{container: x.Container, paths: []string{runOfExecutor(f, x).Path(l.cfg.WorkDir)}, limitBytes: x.DiskBytes}))
			}
		}
		for _, t := range f.Tasks {
			if t.Held && !t.Custom && t.State == task.Running {
				all = append(all, l.withNested(onDisk{container: t.Container, paths: []string{runOf(f, t).Path(l.cfg.WorkDir)}, limitBytes: t.DiskBytes}))
			}
		}
	}
	return all
}

// limitDisk has the file system refuse what a sandbox may not have, where it can.
// What is measured is what holds.
func (l *loop) limitDisk(path string, limitBytes int64) {
	if l.deps.Projects == nil || limitBytes <= 0 || !l.cfg.EnforceContainerDiskQuota {
		return
	}
	if err := l.deps.Projects.Limit(path, limitBytes); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("limit the disk of a container by the file system", "err", err)
	}
}

// withNested adds what is nested in a container: its disk is the container's.
func (l *loop) withNested(c onDisk) onDisk {
	c.layers = append(c.layers, isolator.ID(c.container))
	for _, name := range l.nested.Inside(c.container) {
		c.paths = append(c.paths, filepath.Join(l.cfg.WorkDir, sandbox.Nested(name)))
		c.layers = append(c.layers, isolator.ID(name))
	}
	return c
}

// diskUsed is what is in sandboxes and what was written over images.
func (l *loop) diskUsed(ctx context.Context, c onDisk) (sum int64, err error) {
	for _, path := range c.paths {
		bytes, err := sandbox.Size(path)
		if err != nil {
			return 0, err
		}
		sum += bytes
	}
	for _, id := range c.layers {
		bytes, err := l.deps.Containers.DiskUsage(ctx, id)
		if err != nil && !errors.Is(err, errs.NotFound) {
			return 0, err
		}
		sum += bytes
	}
	return sum, nil
}

// overDisk is the end of a task that uses too much.
func overDisk(d diskUse) task.End {
	return task.End{
		State: v1.TaskState_TASK_FAILED, Reason: v1.TaskStatus_REASON_CONTAINER_LIMITATION_DISK.Enum(),
		Message: fmt.Sprintf("Disk limit exceeded: %d MiB used of %d MiB, in the sandbox and over the image", (d.usedBytes+1<<20-1)>>20, d.limitBytes>>20),
	}
}

// addTo puts the disk into a container's statistics.
func (d diskUse) addTo(s *v1.ResourceStatistics) {
	s.DiskUsedBytes = proto.Uint64(uint64(d.usedBytes))
	if d.limitBytes > 0 {
		s.DiskLimitBytes = proto.Uint64(uint64(d.limitBytes))
	}
}
