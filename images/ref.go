package images

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/distribution/reference"

	"mezzo/internal/errs"
)

// Ref is a reference in its full form.
type Ref struct {
	name    string // what containerd keeps the image under
	archive string // path of an archive; empty: of a registry
	member  string // which image of the archive; empty: its only one
}

// String is the full form, under which containerd keeps the image.
func (r Ref) String() string { return r.name }

// Archive is the path of the archive that r names; empty for a registry's image.
func (r Ref) Archive() string { return r.archive }

// ParseRef reads a reference as a user writes it.
//
// Errors: errs.Invalid, with what is wrong.
func ParseRef(s string) (Ref, error) {
	if strings.HasPrefix(s, "file:") {
		return parseArchive(s)
	}
	named, err := reference.ParseDockerRef(s)
	if err != nil {
		return Ref{}, fmt.Errorf("image reference %q: %w: %w", s, err, errs.Invalid)
	}
	return Ref{name: named.String()}, nil
}

func parseArchive(s string) (Ref, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Ref{}, fmt.Errorf("image reference %q: %w: %w", s, err, errs.Invalid)
	}
	switch {
	case u.Host != "" || u.Opaque != "" || u.RawQuery != "":
		return Ref{}, fmt.Errorf("image reference %q: want file:///absolute/path.tar: %w", s, errs.Invalid)
	case !path.IsAbs(u.Path) || path.Clean(u.Path) != u.Path || strings.ContainsRune(u.Path, 0):
		return Ref{}, fmt.Errorf("image reference %q: %q is not a clean absolute path: %w", s, u.Path, errs.Invalid)
	}
	r := Ref{name: "file://" + u.Path, archive: u.Path, member: u.Fragment}
	if r.member != "" {
		r.name += "#" + r.member
	}
	return r, nil
}
