package fetch

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxZipDirectory is what may be read of a zip before its first file, since all
// of that stays in memory: a million files of short names.
const maxZipDirectory = 64 << 20

// encrypted is the flag of a member that needs a password.
const encrypted = 1

// zip unpacks a zip. Members of one name replace one another, as in a tar.
func (x *extraction) zip(file *os.File) error {
	st, err := file.Stat()
	if err != nil {
		return err
	}
	from := &frugal{from: file, left: maxZipDirectory}
	r, err := zip.NewReader(from, st.Size())
	if err != nil {
		return spoilt(err)
	}
	from.left = -1
	for _, member := range r.File {
		if err := x.zipMember(member); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) zipMember(m *zip.File) error {
	mode := m.Mode()
	switch {
	case m.Flags&encrypted != 0:
		return unsupported("%q is encrypted", m.Name)
	case mode.IsDir() || strings.HasSuffix(m.Name, "/"):
		return x.directory(m.Name, mode, m.Modified)
	case mode&fs.ModeSymlink != 0:
		return x.zipContent(m, func(r io.Reader) error {
			target, err := io.ReadAll(io.LimitReader(r, maxName+1))
			if err != nil {
				return err
			}
			return x.symlink(m.Name, string(target))
		})
	case !mode.IsRegular():
		return invalid("%q is a device or a pipe", m.Name)
	}
	if mode.Perm() == 0 {
		mode = fileMode // who made it knew no modes
	}
	return x.zipContent(m, func(r io.Reader) error { return x.file(m.Name, mode, m.Modified, r) })
}

func (x *extraction) zipContent(m *zip.File, use func(io.Reader) error) error {
	r, err := m.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return unsupported("%q is compressed by method %d", m.Name, m.Method)
	}
	if err != nil {
		return spoilt(err)
	}
	err = use(&memberContent{r})
	_ = r.Close() // it was only read
	return err
}

// frugal reads so much, and with a negative number left, everything.
type frugal struct {
	from io.ReaderAt
	left int
}

func (f *frugal) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.from.ReadAt(p, at)
	if f.left < 0 {
		return n, err
	}
	if f.left -= n; f.left < 0 {
		f.left = 0
		return 0, invalid("it lists more files than can be kept in memory")
	}
	return n, err
}
