package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"mezzo/test/e2e/cluster"
)

// template is a node that was booted once and saved.
type template struct {
	dir   string
	image image
	size  size
	accel accel
}

func (t template) disk() string  { return filepath.Join(t.dir, "disk.qcow2") }
func (t template) ram() string   { return filepath.Join(t.dir, "ram") }
func (t template) state() string { return filepath.Join(t.dir, "state") }

// machine is the one to boot and save in dir, which is where the template is
// made and not yet where it will be.
func (t template) machine(dir string) machine {
	return machine{
		name: "mezzo-template", dir: dir, disk: filepath.Join(dir, "disk.qcow2"), ram: filepath.Join(dir, "ram"), tap: "tap0",
		image: t.image, size: t.size, accel: t.accel,
	}
}

// warmUp is what the template does before it is saved, so that no node must:
// containerd answers, and has run a container.
var warmUp = []string{
	"until ctr version >/dev/null 2>&1; do sleep 0.2; done",
	"until systemctl -q is-active ssh; do sleep 0.2; done",
	"modprobe -a overlay veth bridge",
	"ctr run --rm --rootfs /var/lib/mezzo-e2e/rootfs warm-up /bin/true >/dev/null",
	"sync; echo 1 >/proc/sys/vm/compact_memory",
}

// template makes the template, and its image, unless they are there.
func (w *workplace) template(ctx context.Context, s size) (template, error) {
	img, err := w.image(ctx)
	if err != nil {
		return template{}, err
	}
	a, err := w.findAccel(ctx)
	if err != nil {
		return template{}, err
	}
	t, err := w.templateOn(ctx, img, s, a)
	if err == nil || ctx.Err() != nil || !a.tried {
		return t, err
	}
	w.log("template: kvm does not carry a whole machine here, emulating: %v", err)
	if err := w.markBroken(); err != nil {
		return template{}, err
	}
	return w.templateOn(ctx, img, s, tcg)
}

func (w *workplace) templateOn(ctx context.Context, img image, s size, a accel) (template, error) {
	version, err := exec.CommandContext(ctx, qemu, "--version").Output()
	if err != nil {
		return template{}, fmt.Errorf("%s: %w", qemu, err)
	}
	t := template{image: img, size: s, accel: a}
	hash := sha256.Sum256(fmt.Append(version, t.machine("/").args(), warmUp))
	t.dir = filepath.Join(img.dir, fmt.Sprintf("template-%x", hash[:6]))

	unlock, err := w.lock(ctx, filepath.Join(w.cache, "template.lock"))
	if err != nil {
		return template{}, err
	}
	defer unlock()
	if _, err := os.Stat(t.dir); err == nil {
		now := time.Now()
		return t, os.Chtimes(t.dir, now, now)
	}
	if err := w.makeTemplate(ctx, t); err != nil {
		return template{}, err
	}
	return t, pruneTemplates(img.dir)
}

func (w *workplace) makeTemplate(ctx context.Context, t template) error {
	w.log("template: booting (%s, %d CPUs, %d MiB)", t.accel.Name, t.size.CPUs, t.size.MemoryMiB)
	work := filepath.Join(w.cache, "template.new")
	m := t.machine(work)
	// What an interrupted run left.
	if err := kill(ctx, work, m.name); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	if err := overlay(ctx, m.disk, t.image.disk(), "raw"); err != nil {
		return err
	}
	proc, err := m.launch("")
	if err != nil {
		return err
	}
	err = w.bootAndSave(ctx, m)
	_ = proc.Process.Kill() // saved or not, it is no longer needed
	_ = proc.Wait()         // says only that it was killed
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return m.diagnose(err)
	}
	w.log("template: done")
	return os.Rename(work, t.dir)
}

func (w *workplace) bootAndSave(ctx context.Context, m machine) error {
	s, err := dialSerial(ctx, m)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.ready(m.accel.timeout(time.Minute)); err != nil {
		return err
	}
	w.log("template: booted")
	for _, line := range warmUp {
		if err := s.run(line, m.accel.timeout(time.Minute)); err != nil {
			return err
		}
	}
	w.log("template: containerd has run a container")
	q, err := dialQMP(ctx, m)
	if err != nil {
		return err
	}
	defer q.close()
	if err := q.do("stop", nil, nil); err != nil {
		return err
	}
	if err := q.migrate(ctx, "migrate", "exec:cat >"+cluster.Quote(m.path("state"))); err != nil {
		return err
	}
	// Ends QEMU in order, so that the disk is whole; the kill that follows finds nothing.
	if err := q.do("quit", nil, nil); err != nil {
		return err
	}
	return poll(ctx, 20*time.Second, func() error {
		if pid(m.dir, m.name) != 0 {
			return errors.New("does not quit")
		}
		return nil
	})
}

func (a accel) timeout(d time.Duration) time.Duration { return time.Duration(float64(d) * a.Slow) }

// overlay makes a disk that holds only what differs from the one below.
func overlay(ctx context.Context, path, below, format string) error {
	return command(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", format, "-b", below, path)
}

// pruneTemplates keeps the two templates of an image that were used last.
func pruneTemplates(dir string) error {
	templates, err := filepath.Glob(filepath.Join(dir, "template-*"))
	if err != nil {
		return err
	}
	used := make(map[string]time.Time)
	for _, t := range templates {
		info, err := os.Stat(t)
		if err != nil {
			return err
		}
		used[t] = info.ModTime()
	}
	slices.SortFunc(templates, func(a, b string) int {
		return cmp.Or(used[b].Compare(used[a]), cmp.Compare(a, b))
	})
	for _, t := range templates[min(2, len(templates)):] {
		if err := os.RemoveAll(t); err != nil {
			return err
		}
	}
	return nil
}
