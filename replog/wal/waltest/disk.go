package waltest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"mezzo/internal/errs"
	"mezzo/replog/wal"
)

const sectorBytes = 512

// Op names what the log asks of a disk.
type Op string

// The operations that a Disk counts and can fail.
const (
	Create   Op = "create"
	Open     Op = "open"
	Rename   Op = "rename"
	Remove   Op = "remove"
	List     Op = "list"
	SyncDir  Op = "syncdir"
	Read     Op = "read"
	Write    Op = "write"
	Allocate Op = "allocate"
	Datasync Op = "datasync"
)

// Disk is one directory.
type Disk struct {
	mu       sync.Mutex
	names    map[string]*inode // as a process sees them
	durable  map[string]*inode // as they were at the last SyncDir
	pending  []change
	locked   bool
	ops      int
	fault    func(n int, op Op, name string) error
	capacity int64
}

// change is one of the directory since the last SyncDir.
type change struct {
	from, to string // "" for none
	node     *inode
}

type inode struct {
	data   []byte
	synced []byte
	writes []write // since the last Datasync
	sized  bool    // the length changed since
}

type write struct {
	offset int64
	data   []byte
}

var (
	_ wal.FS   = (*Disk)(nil)
	_ wal.File = (*file)(nil)
)

// New is an empty disk.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, durable: map[string]*inode{}}
}

// SetFault has f asked before each operation, with its number from 1 on; an
// error fails the operation, without effect but for a write, of which a half
// is done. f must not use the disk.
func (d *Disk) SetFault(f func(n int, op Op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.ops = f, 0
}

// SetCapacity limits the bytes of all files; 0 lifts it.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// Ops is the number of operations since SetFault.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Used is the bytes of all files.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

func (d *Disk) used() int64 {
	var n int64
	for _, f := range d.names {
		n += int64(len(f.data))
	}
	return n
}

// op needs mu.
func (d *Disk) op(op Op, name string) error {
	d.ops++
	if d.fault == nil {
		return nil
	}
	if err := d.fault(d.ops, op, name); err != nil {
		return &fs.PathError{Op: string(op), Path: name, Err: err}
	}
	return nil
}

// Crash is another disk with what a loss of power at this moment leaves. This
// one goes on.
func (d *Disk) Crash(rng *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.durable)
	for _, c := range d.pending {
		if rng.IntN(2) == 0 {
			c.apply(names)
		}
	}
	out := New()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data := names[name].crash(rng)
		out.names[name] = &inode{data: data, synced: slices.Clone(data)}
	}
	out.durable = maps.Clone(out.names)
	return out
}

// Clone is another disk that has what a process sees on this one, which is what
// is left when the process is killed. What was not synced is not durable there
// either.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	copies := map[*inode]*inode{}
	node := func(n *inode) *inode {
		if copies[n] == nil {
			copies[n] = &inode{slices.Clone(n.data), slices.Clone(n.synced), slices.Clone(n.writes), n.sized}
		}
		return copies[n]
	}
	out := New()
	for name, n := range d.names {
		out.names[name] = node(n)
	}
	for name, n := range d.durable {
		out.durable[name] = node(n)
	}
	for _, c := range d.pending {
		out.pending = append(out.pending, change{c.from, c.to, node(c.node)})
	}
	return out
}

func (c change) apply(names map[string]*inode) {
	if c.from != "" && (c.to == "" || names[c.from] == c.node) {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

func (n *inode) crash(rng *rand.Rand) []byte {
	out := slices.Clone(n.synced)
	if n.sized && rng.IntN(2) == 0 {
		out = resize(out, int64(len(n.data)))
	}
	mode := rng.IntN(4) // all, nothing, a first part, or sectors at random
	for _, w := range n.writes {
		for at := 0; at < len(w.data); {
			end := min(len(w.data), at+sectorBytes-int((w.offset+int64(at))%sectorBytes))
			keep := end - at
			switch {
			case mode == 1, mode == 3 && rng.IntN(2) == 0:
				keep = 0
			case mode == 2 && rng.IntN(8) == 0:
				mode, keep = 1, rng.IntN(keep+1)
			case mode == 3 && rng.IntN(8) == 0:
				keep = rng.IntN(keep + 1)
			}
			if start := w.offset + int64(at); start < int64(len(out)) {
				copy(out[start:], w.data[at:at+keep])
			}
			at = end
		}
	}
	return out
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// Lock is part of wal.FS.
func (d *Disk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, fmt.Errorf("disk is used by another: %w", errs.Conflict)
	}
	d.locked = true
	return unlock{d}, nil
}

type unlock struct{ d *Disk }

func (u unlock) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.locked = false
	return nil
}

// List is part of wal.FS.
func (d *Disk) List() (map[string]int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(List, ""); err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for name, n := range d.names {
		out[name] = int64(len(n.data))
	}
	return out, nil
}

// Create is part of wal.FS.
func (d *Disk) Create(name string, size int64) (wal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(Create, name); err != nil {
		return nil, err
	}
	n := &inode{}
	d.names[name] = n
	d.pending = append(d.pending, change{to: name, node: n})
	err := d.op(Allocate, name)
	if err == nil && d.capacity > 0 && d.used()+size > d.capacity {
		err = &fs.PathError{Op: string(Allocate), Path: name, Err: syscall.ENOSPC}
	}
	if err != nil {
		return nil, errors.Join(err, d.change(Remove, name, ""))
	}
	n.data, n.sized = resize(n.data, size), true
	return &file{d, n, name, true}, nil
}

// Open is part of wal.FS.
func (d *Disk) Open(name string, write bool) (wal.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(Open, name); err != nil {
		return nil, err
	}
	n, ok := d.names[name]
	if !ok {
		return nil, &fs.PathError{Op: string(Open), Path: name, Err: fs.ErrNotExist}
	}
	return &file{d, n, name, write}, nil
}

// Rename is part of wal.FS.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(Rename, from, to)
}

// Remove is part of wal.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(Remove, name, "")
}

func (d *Disk) change(op Op, from, to string) error {
	if err := d.op(op, from); err != nil {
		return err
	}
	n, ok := d.names[from]
	if !ok {
		return &fs.PathError{Op: string(op), Path: from, Err: fs.ErrNotExist}
	}
	c := change{from, to, n}
	c.apply(d.names)
	d.pending = append(d.pending, c)
	return nil
}

// SyncDir is part of wal.FS.
func (d *Disk) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(SyncDir, ""); err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.names), nil
	return nil
}

// Bytes is a copy of a file's content.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.names[name].data)
}

// SetBytes replaces a file's content, durably, or makes the file.
func (d *Disk) SetBytes(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{data: slices.Clone(data), synced: slices.Clone(data)}
	d.names[name], d.durable[name] = n, n
}

// FlipBit damages a file, durably.
func (d *Disk) FlipBit(name string, bit int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	n.data[bit/8] ^= 1 << (bit % 8)
	n.synced[bit/8] ^= 1 << (bit % 8)
}

type file struct {
	d     *Disk
	n     *inode
	name  string
	write bool
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.op(Read, f.name); err != nil {
		return 0, err
	}
	n := 0
	if offset < int64(len(f.n.data)) {
		n = copy(p, f.n.data[offset:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.d.op(Write, f.name)
	if err == nil && !f.write {
		err = &fs.PathError{Op: string(Write), Path: f.name, Err: syscall.EBADF}
	}
	if err != nil {
		p = p[:len(p)/2]
	}
	if end := offset + int64(len(p)); end > int64(len(f.n.data)) {
		f.n.data, f.n.sized = resize(f.n.data, end), true
	}
	copy(f.n.data[offset:], p)
	f.n.writes = append(f.n.writes, write{offset, slices.Clone(p)})
	return len(p), err
}

func (f *file) Datasync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.op(Datasync, f.name); err != nil {
		// The kernel takes what it could not write for written.
		f.n.writes = nil
		return err
	}
	f.n.synced = resize(slices.Clone(f.n.synced), int64(len(f.n.data)))
	for _, w := range f.n.writes {
		copy(f.n.synced[w.offset:], w.data)
	}
	f.n.writes, f.n.sized = nil, false
	return nil
}

func (f *file) Close() error { return nil }
