package cgroups2

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/edit"
	"mezzo/isolator/internal/kfile"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// leafName is the runtime's cgroup below a domain.
const leafName = "ctr"

// Config says where the tree hangs. Place finds the right one.
type Config struct {
	// Root holds a domain for each container of one agent.
	Root string
	// Top is Root or a cgroup above it: from there down, all is agents' alone.
	// Empty: Root.
	Top string
}

// Isolator holds containers with cgroups v2.
//
// Concurrency: safe, see isolator.Isolator.
type Isolator struct {
	host   Host
	tree   tree
	root   string
	levels []string // from Root up to Top

	mu      sync.Mutex
	domains map[isolator.ID]*domain
	groups  map[isolator.ID]*group
	strays  map[isolator.ID]string // where orphans are that are in a group

	// protecting is held over the writes of protect, and over the making, settings
	// and removal of groups; before mu.
	protecting sync.Mutex
}

var (
	_ isolator.Isolator  = (*Isolator)(nil)
	_ isolator.Updater   = (*Isolator)(nil)
	_ isolator.Reporter  = (*Isolator)(nil)
	_ isolator.Explainer = (*Isolator)(nil)
	_ isolator.Killer    = (*Isolator)(nil)
	_ isolator.Recoverer = (*Isolator)(nil)
)

// New makes the root and enables the controllers on the way to it. Where this
// can't work, the error says what to do.
func New(cfg Config) (*Isolator, error) {
	host, err := Probe()
	if err != nil {
		return nil, err
	}
	return newIn(kernelTree(), host, cfg)
}

func newIn(t tree, host Host, cfg Config) (*Isolator, error) {
	root, top := filepath.Clean(cfg.Root), filepath.Clean(cfg.Top)
	if cfg.Top == "" {
		top = root
	}
	if !strings.HasPrefix(root+"/", top+"/") || !strings.HasPrefix(top, t.top+"/") {
		return nil, fmt.Errorf("cgroup root %q with top %q: want both below %s, root below top: %w", cfg.Root, cfg.Top, t.top, errs.Invalid)
	}
	i := &Isolator{host: host, tree: t, root: root,
		domains: make(map[isolator.ID]*domain), groups: make(map[isolator.ID]*group), strays: make(map[isolator.ID]string)}
	for dir := root; dir != filepath.Dir(top); dir = filepath.Dir(dir) {
		i.levels = append(i.levels, dir)
	}
	if err := t.make(root); err != nil {
		return nil, err
	}
	for _, c := range required {
		if err := t.enable(root, c); err != nil {
			return nil, fmt.Errorf("enable cgroup controller %s: %w", c, err)
		}
	}
	if len(host.HugePages) > 0 && slices.Contains(host.Controllers, "hugetlb") {
		// Under systemd it may not be ours to enable; its files are optional.
		_ = t.enable(root, "hugetlb")
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.kill")); err != nil {
		return nil, fmt.Errorf("%w: Linux 5.14 or newer is needed: %w", err, errs.Unsupported)
	}
	return i, nil
}

// Name returns "cgroups2".
func (i *Isolator) Name() string { return "cgroups2" }

// Prepare makes the container's domain and leaf with all their values, and
// makes the spec point there.
func (i *Isolator) Prepare(_ context.Context, c isolator.Container, s *specs.Spec) error {
	settings, err := Settings(c.Limits, i.host)
	if err != nil {
		return err
	}
	copies, err := leafSettings(c.Limits, i.host)
	if err != nil {
		return err
	}
	dir, err := i.join(c)
	if err != nil {
		return err
	}
	if err := i.makeOne(dir, settings); err != nil {
		return err
	}
	for _, controller := range required {
		if err := i.tree.enable(dir, controller); err != nil {
			return err
		}
	}
	leaf := filepath.Join(dir, leafName)
	if err := i.makeOne(leaf, copies); err != nil {
		return err
	}
	if err := i.protect(); err != nil {
		return err
	}
	i.point(s, leaf)
	return nil
}

// makeOne makes a cgroup with its values. The root may be gone: once its unit
// was stopped, systemd removes what is empty.
func (i *Isolator) makeOne(dir string, settings []Setting) error {
	err := i.tree.mkdir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make cgroup: %w: the root is gone (was its unit stopped?), a restart of the agent makes it again: %w", err, errs.Unavailable)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make cgroup: %w", err)
	}
	return apply(dir, settings, i.host.PageBytes)
}

// point sends the runtime to the leaf, with nothing to set but device rules,
// and shows the container its own part of the hierarchy, read-only.
func (i *Isolator) point(s *specs.Spec, leaf string) {
	l := edit.Linux(s)
	l.CgroupsPath = strings.TrimPrefix(leaf, i.tree.top)
	devices := l.Resources
	l.Resources = &specs.LinuxResources{}
	if devices != nil {
		l.Resources.Devices = devices.Devices
	}
	edit.Namespace(s, specs.CgroupNamespace)
	edit.Mount(s, specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
		Options: []string{"ro", "nosuid", "noexec", "nodev", "relatime"},
	})
}

// Update changes the limits of a container that may be running.
func (i *Isolator) Update(ctx context.Context, c isolator.Container) error {
	settings, err := Settings(c.Limits, i.host)
	if err != nil {
		return err
	}
	copies, err := leafSettings(c.Limits, i.host)
	if err != nil {
		return err
	}
	d, err := i.member(c.ID)
	if err != nil {
		return err
	}
	dir, before := d.dir, d.limits
	if err := i.change(d, c.Limits, false); err != nil {
		return err
	}
	if err := i.update(ctx, dir, settings, copies); err != nil {
		return errors.Join(err, i.change(d, before, true))
	}
	return errors.Join(i.change(d, c.Limits, true), i.protect())
}

// change takes note of other limits of a member of a group, which has to have
// room for more before it gets more, and less after it has less.
func (i *Isolator) change(d *domain, l isolator.Limits, shrink bool) error {
	l, err := complete(l)
	if err != nil {
		return err
	}
	i.protecting.Lock()
	defer i.protecting.Unlock()
	i.mu.Lock()
	d.limits = l
	i.mu.Unlock()
	return i.regroup(d.group, shrink)
}

// update writes the values of a container's domain and leaf.
func (i *Isolator) update(ctx context.Context, dir string, settings, copies []Setting) error {
	// First, as it is the one that can be refused; memory.max is last there.
	if err := i.lower(ctx, dir, settings[len(settings)-1]); err != nil {
		return err
	}
	if err := apply(dir, settings, i.host.PageBytes); err != nil {
		return err
	}
	// After the exit, the runtime removes the leaf.
	if err := apply(filepath.Join(dir, leafName), copies, i.host.PageBytes); err != nil && !errors.Is(err, errs.NotFound) {
		return err
	}
	return nil
}

// lower shrinks memory.max if the setting is lower than what is in force.
func (i *Isolator) lower(ctx context.Context, dir string, s Setting) error {
	now, err := os.ReadFile(filepath.Join(dir, s.File))
	if err != nil {
		return missing(dir, err)
	}
	old, wasLimited, err := kfile.Limit(now)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", dir, s.File, err)
	}
	want, limited, err := kfile.Limit([]byte(s.Value))
	if err != nil || !limited || (wasLimited && want >= old) {
		return err
	}
	return shrink(ctx, dir, s, i.host.PageBytes)
}

// Usage reads the domain's counters.
func (i *Isolator) Usage(_ context.Context, id isolator.ID, u *isolator.Usage) error {
	d, err := i.find(id)
	if err != nil {
		return err
	}
	return d.usage(u)
}

// Explain tells a death by lack of memory from the domain's counters.
func (i *Isolator) Explain(_ context.Context, id isolator.ID) (*isolator.Limitation, error) {
	d, err := i.find(id)
	if err != nil {
		return nil, err
	}
	how, err := d.death()
	if err != nil {
		return nil, err
	}
	return verdict(how, time.Now()), nil
}

// Kill ends every process of the container.
func (i *Isolator) Kill(ctx context.Context, id isolator.ID) error {
	dir, err := i.locate(id)
	if err != nil {
		return err
	}
	return kill(ctx, dir)
}

// Cleanup removes the container's cgroups, the leaf included.
func (i *Isolator) Cleanup(ctx context.Context, id isolator.ID) error {
	dir, err := i.locate(id)
	if err != nil {
		return err
	}
	if err := i.tree.remove(ctx, dir); err != nil {
		return err
	}
	if err := i.leave(ctx, id); err != nil {
		return err
	}
	return i.protect()
}

// Recover adopts the known containers that still have a domain, and returns
// the domains that belong to none. Their values are as they were: nobody else
// writes there.
func (i *Isolator) Recover(_ context.Context, known []isolator.Container) ([]isolator.ID, error) {
	ours, orphans, err := i.adoptAll(known)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(i.root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && !ours[e.Name()] {
			orphans = append(orphans, isolator.ID(e.Name()))
		}
	}
	slices.Sort(orphans)
	return orphans, i.protect()
}

// adoptAll keeps what is there of known, with its directories right in the root,
// and returns what is in them and of nobody.
func (i *Isolator) adoptAll(known []isolator.Container) (ours map[string]bool, orphans []isolator.ID, err error) {
	i.protecting.Lock()
	defer i.protecting.Unlock()
	ours = make(map[string]bool)
	for rest := known; len(rest) > 0; {
		var later []isolator.Container // nested in what has to come first
		for _, c := range rest {
			dir, err := i.path(c)
			if errors.Is(err, errs.NotFound) {
				later = append(later, c)
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			if _, err := os.Stat(dir); err != nil {
				continue
			}
			if _, err := i.adopt(c); err != nil {
				return nil, nil, err
			}
			switch {
			case c.Group != nil:
				ours[string(c.Group.ID)] = true
			case c.Within == "":
				ours[string(c.ID)] = true
			}
		}
		if len(later) == len(rest) {
			break // what they are nested in is gone, and they with it
		}
		rest = later
	}
	orphans, err = i.recoverInner()
	return ours, orphans, err
}

// find returns a container's domain, or a group's.
func (i *Isolator) find(id isolator.ID) (*domain, error) {
	i.mu.Lock()
	g := i.groups[id]
	i.mu.Unlock()
	if g != nil {
		return &g.domain, nil
	}
	return i.member(id)
}

// member returns a container's domain.
func (i *Isolator) member(id isolator.ID) (*domain, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d, ok := i.domains[id]
	if !ok {
		return nil, fmt.Errorf("cgroup of container %q: %w", id, errs.NotFound)
	}
	return d, nil
}

// protect keeps memory.low of the levels that are ours at the sum of what was
// promised below: a container's own protects it only as far as theirs reaches.
// Those above the root may be shared with other agents.
func (i *Isolator) protect() error {
	i.protecting.Lock() // the last sum must be written last
	defer i.protecting.Unlock()
	for _, dir := range i.levels {
		sum, err := i.promised(), error(nil)
		if dir != i.root {
			sum, err = promisedBelow(dir)
		}
		if err == nil {
			err = apply(dir, []Setting{{File: "memory.low", Value: strconv.FormatInt(sum, 10)}}, i.host.PageBytes)
		}
		if dir != i.root && errors.Is(err, errs.Conflict) {
			continue // another agent wrote between our writing and reading
		}
		if err != nil && !errors.Is(err, errs.NotFound) { // see makeOne
			return err
		}
	}
	return nil
}

// promisedBelow sums up memory.low of the cgroups in dir.
func promisedBelow(dir string) (sum int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, missing(dir, err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		low, err := readUint(filepath.Join(dir, e.Name()), "memory.low")
		if ignoreGone(err) != nil {
			return 0, err
		}
		sum += int64(min(low, uint64(math.MaxInt64-sum)))
	}
	return sum, nil
}

func (i *Isolator) promised() (sum int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, d := range i.domains {
		if !d.nested {
			sum = plus(sum, d.limits.MemRequestBytes)
		}
	}
	for _, g := range i.groups {
		sum = plus(sum, g.own.MemRequestBytes)
	}
	return sum
}

// checkID wants one path element that can't be confused with the kernel's own
// files.
func checkID(id isolator.ID) error {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(string(id), "/\x00\n") || len(id) > 255 {
		return fmt.Errorf("container id %q: not a file name: %w", id, errs.Invalid)
	}
	return nil
}
