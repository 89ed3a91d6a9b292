package fetch

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/mikelolasagasti/xz"

	"mezzo/internal/errs"
)

// archive is a form that content can be unpacked from.
type archive int

const (
	none archive = iota
	plainTar
	gzipTar
	bzip2Tar
	xzTar
	zipped
	gzipped // one file
)

// endings are tried in this order.
var endings = []struct {
	ending string
	is     archive
}{
	{".tar", plainTar},
	{".tgz", gzipTar}, {".tar.gz", gzipTar},
	{".tbz2", bzip2Tar}, {".tar.bz2", bzip2Tar},
	{".txz", xzTar}, {".tar.xz", xzTar},
	{".zip", zipped},
	{".gz", gzipped},
}

// archiveOf tells by name, as Mesos does.
func archiveOf(name string) archive {
	for _, e := range endings {
		if strings.HasSuffix(name, e.ending) && path.Base(name) != e.ending {
			return e.is
		}
	}
	return none
}

const (
	// maxDictionary is what unpacking .xz may take of memory: what `xz -9` needs,
	// and more than anything else makes.
	maxDictionary = 64 << 20
	// maxName is as long as the kernel takes a path.
	maxName = 4096
)

// extraction unpacks one archive. What it may still make goes down to zero.
type extraction struct {
	ctx     context.Context
	sandbox sandbox
	dir     string // below the sandbox, where members go
	bytes   int64  // left
	files   int    // left
	meter   *meter
	later   []directory
}

// directory gets its mode once all is in it.
type directory struct {
	name     string
	mode     fs.FileMode
	modified time.Time
}

// run unpacks what u is from file.
func (x *extraction) run(u uri, file *os.File) error {
	if _, err := x.sandbox.mkdirAll(x.dir); err != nil {
		return err
	}
	err := x.unpack(u, file)
	if err == nil {
		err = x.finish()
	}
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	return err
}

func (x *extraction) unpack(u uri, file *os.File) error {
	var in io.Reader
	var err error
	switch buffered := bufio.NewReaderSize(file, 64<<10); u.archive {
	case zipped:
		return x.zip(file)
	case gzipTar, gzipped:
		var z *gzip.Reader
		z, err = gzip.NewReader(buffered)
		in = &padded{z}
	case bzip2Tar:
		in = bzip2.NewReader(buffered)
	case xzTar:
		in, err = xz.NewReader(buffered, maxDictionary)
	default:
		in = buffered
	}
	if err != nil {
		return spoilt(err)
	}
	// Headers are not written, but cost as well.
	in = &bounded{x: x, from: in, left: x.bytes + int64(x.files)*1024}
	if u.archive == gzipped {
		return x.file(strings.TrimSuffix(path.Base(u.lands), ".gz"), fileMode, time.Time{}, in)
	}
	return x.tar(in)
}

// padded is a gzip that may be followed by what is none, such as padding: what
// gzip ignores, tools write.
type padded struct{ *gzip.Reader }

func (p *padded) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if errors.Is(err, gzip.ErrHeader) {
		err = io.EOF
	}
	return n, err
}

// bounded reads so much and while the context lasts. A reader of archives may
// skip a lot before it returns.
type bounded struct {
	x    *extraction
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.x.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.x.tooLarge()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = spoilt(err)
	}
	return n, err
}

// memberContent gives what a member's content fails with a class.
type memberContent struct{ io.Reader }

func (c *memberContent) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = spoilt(err)
	}
	return n, err
}

// spoilt gives what no decoder understands its class, unless it has another.
func spoilt(err error) error {
	for _, class := range []error{errs.Exhausted, errs.Invalid, errs.Unsupported, errs.Corrupt} {
		if errors.Is(err, class) {
			return err
		}
	}
	if errors.Is(err, xz.ErrMemlimit) {
		return fmt.Errorf("%w: %w", err, errs.Unsupported)
	}
	return fmt.Errorf("%w: %w", err, errs.Corrupt)
}

func (x *extraction) tooLarge() error {
	return fmt.Errorf("it becomes larger than this agent unpacks: %w", errs.Exhausted)
}

// take counts n files or directories about to be made.
func (x *extraction) take(n int) error {
	if x.files -= n; x.files < 0 {
		return fmt.Errorf("it holds more files than this agent unpacks: %w", errs.Exhausted)
	}
	return x.ctx.Err()
}

// member is where an archive's name belongs below the sandbox: "" for the
// directory that all goes to.
func (x *extraction) member(name string) (string, error) {
	switch {
	case strings.ContainsRune(name, 0):
		return "", invalid("%.100q has a NUL", name)
	case len(name) > maxName:
		return "", invalid("%.100q… is too long", name)
	case path.IsAbs(name):
		return "", invalid("%q is absolute", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", invalid("%q has a \"..\"", name)
		}
	}
	if name = path.Clean(name); name == "." {
		return "", nil
	}
	return path.Join(x.dir, name), nil
}

// room finds where name goes, makes what leads there, and takes away what is
// there.
func (x *extraction) room(name string) (string, error) {
	at, err := x.member(name)
	if err != nil {
		return "", err
	}
	if at == "" {
		return "", invalid("%q names no file", name)
	}
	made, err := x.sandbox.mkdirAll(path.Dir(at))
	if err == nil {
		err = x.take(made + 1)
	}
	if err == nil {
		err = x.sandbox.vacate(at)
	}
	return at, err
}

// file makes a file with what r gives. Bits that would lend somebody's rights
// are dropped.
func (x *extraction) file(name string, mode fs.FileMode, modified time.Time, r io.Reader) (err error) {
	at, err := x.room(name)
	if err != nil {
		return err
	}
	f, err := x.sandbox.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = errors.Join(err, ignoreGone(x.sandbox.root.Remove(at)))
		} else if !modified.IsZero() {
			err = x.sandbox.root.Chtimes(at, modified, modified)
		}
	}()
	if err := copyAll(x.ctx, &counting{f, x}, r, x.meter); err != nil {
		return err
	}
	return errors.Join(f.Chown(x.sandbox.uid, x.sandbox.gid), f.Chmod(mode.Perm()))
}

// counting writes what may still be written.
type counting struct {
	io.Writer
	x *extraction
}

func (c *counting) Write(p []byte) (int, error) {
	if c.x.bytes -= int64(len(p)); c.x.bytes < 0 {
		return 0, c.x.tooLarge()
	}
	return c.Writer.Write(p)
}

// directory makes one; its mode comes at the end. Its owner can always go in,
// or nobody could fill or remove it.
func (x *extraction) directory(name string, mode fs.FileMode, modified time.Time) error {
	at, err := x.member(name)
	if err != nil || at == "" {
		return err // the sandbox keeps its own mode
	}
	made, err := x.sandbox.mkdirAll(at)
	if err != nil {
		return err
	}
	if st, err := x.sandbox.root.Stat(at); err != nil {
		return err
	} else if !st.IsDir() {
		return invalid("%q is not a directory", name)
	}
	x.later = append(x.later, directory{at, mode.Perm() | 0o700, modified})
	return x.take(max(1, made))
}

// symlink makes a link to wherever.
func (x *extraction) symlink(name, target string) error {
	if target == "" || strings.ContainsRune(target, 0) || len(target) > maxName {
		return invalid("%q is a link to nothing", name)
	}
	at, err := x.room(name)
	if err != nil {
		return err
	}
	if err := x.sandbox.root.Symlink(target, at); err != nil {
		return err
	}
	return x.sandbox.root.Lchown(at, x.sandbox.uid, x.sandbox.gid)
}

// hardlink makes another name for a file of the same archive.
func (x *extraction) hardlink(name, target string) error {
	from, err := x.member(target)
	if err != nil {
		return err
	}
	if to, err := x.member(name); err != nil || to == from {
		return err // it is there
	}
	st, err := x.sandbox.root.Lstat(from)
	if err != nil || from == "" || !st.Mode().IsRegular() {
		return invalid("%q is a link to %q, which is no file of the archive", name, target)
	}
	at, err := x.room(name)
	if err != nil {
		return err
	}
	return x.sandbox.root.Link(from, at)
}

// finish sets directories' modes, those inside first.
func (x *extraction) finish() error {
	for i := len(x.later) - 1; i >= 0; i-- {
		d := x.later[i]
		if err := x.sandbox.root.Chmod(d.name, d.mode); err != nil {
			return err
		}
		if d.modified.IsZero() {
			continue
		}
		if err := x.sandbox.root.Chtimes(d.name, d.modified, d.modified); err != nil {
			return err
		}
	}
	return nil
}
