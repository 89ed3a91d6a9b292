package fetch

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
)

// tar unpacks a tar, of any of the kinds there are.
func (x *extraction) tar(in io.Reader) error {
	r := tar.NewReader(in)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			// A checksum of it all comes last.
			_, err := io.Copy(io.Discard, in)
			return err
		}
		if err != nil {
			return spoilt(err)
		}
		if err := x.tarMember(h, r); err != nil {
			return err
		}
	}
}

func (x *extraction) tarMember(h *tar.Header, r io.Reader) error {
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return x.file(h.Name, mode, h.ModTime, &memberContent{r})
	case tar.TypeDir:
		return x.directory(h.Name, mode, h.ModTime)
	case tar.TypeSymlink:
		return x.symlink(h.Name, h.Linkname)
	case tar.TypeLink:
		return x.hardlink(h.Name, h.Linkname)
	case tar.TypeXGlobalHeader: // what git writes its commit in
		return nil
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return invalid("%q is a device or a pipe", h.Name)
	}
	return unsupported("%q is of a type %q that is not unpacked", h.Name, h.Typeflag)
}
