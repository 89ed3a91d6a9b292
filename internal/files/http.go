package files

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"

	"mezzo/internal/errs"
)

// PathOf is what a query asks for.
func PathOf(q url.Values) (string, error) {
	p := q.Get("path")
	if p == "" {
		return "", fmt.Errorf("expecting 'path=value' in query: %w", errs.Invalid)
	}
	return p, nil
}

// Listed is one line of what /files/browse answers.
type Listed struct {
	GID   string  `json:"gid"`
	Mode  string  `json:"mode"` // as ls writes it
	Mtime float64 `json:"mtime"`
	Nlink uint32  `json:"nlink"`
	Path  string  `json:"path"`
	Size  int64   `json:"size"`
	UID   string  `json:"uid"`
}

// Browse is what /files/browse answers.
func Browse(p Place) ([]Listed, error) {
	infos, err := List(p)
	if err != nil {
		return nil, err
	}
	list := make([]Listed, 0, len(infos))
	for _, i := range infos {
		list = append(list, Listed{
			GID: i.GID, Mode: modeText(i.Mode), Mtime: float64(i.Modified.UnixNano()) / 1e9, Nlink: i.Nlink, Path: i.Path, Size: i.Size, UID: i.UID,
		})
	}
	return list, nil
}

// Part is what /files/read answers.
type Part struct {
	Data   string `json:"data"`
	Offset int64  `json:"offset"`
}

// ReadPart is what /files/read answers to a query with offset and length, which
// both may be missing.
//
// Source: mesos files/files.cpp: without an offset, or with -1, the answer's
// offset is the file's size and there is no data.
func ReadPart(p Place, q url.Values) (Part, error) {
	offset, length := int64(-1), int64(-1)
	for name, to := range map[string]*int64{"offset": &offset, "length": &length} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < -1 {
			return Part{}, fmt.Errorf("%s %q is not a number from -1 on: %w", name, q.Get(name), errs.Invalid)
		}
		*to = n
	}
	if offset < 0 {
		_, size, err := Read(p, 0, 0)
		return Part{Offset: size}, err
	}
	data, _, err := Read(p, offset, length)
	return Part{string(data), offset}, err
}

// ReadCall is Read for the READ_FILE call, whose numbers have no sign; a nil length
// stands for all.
func ReadCall(p Place, offset uint64, length *uint64) (data []byte, size int64, err error) {
	from, most := int64(offset), int64(-1)
	if length != nil {
		most = int64(*length)
	}
	if from < 0 || length != nil && most < 0 {
		return nil, 0, fmt.Errorf("offset %d, length %d: %w", from, most, errs.Invalid)
	}
	return Read(p, from, most)
}

// fileHeader tells the file that an answer is of: its name may be another's by the
// next request.
const fileHeader = "Mezzo-File"

// Download sends a file, or the range that is asked for. Nothing is written if
// there is an error.
func Download(w http.ResponseWriter, r *http.Request, p Place) error {
	f, err := Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("download %q: %w", p.Virtual, err)
	}
	file, err := Identity(f)
	if err != nil {
		return fmt.Errorf("download %q: %w", p.Virtual, err)
	}
	name := path.Base(p.Virtual)
	w.Header().Set(fileHeader, file)
	// Whatever a task wrote is not for a browser to run.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	http.ServeContent(w, r, name, st.ModTime(), f)
	return nil
}

// modeText writes a mode as ls does.
func modeText(mode uint32) string {
	const typeMask, perms = 0o170000, "rwxrwxrwx"
	kinds := map[uint32]byte{0o040000: 'd', 0o020000: 'c', 0o060000: 'b', 0o010000: 'p', 0o120000: 'l', 0o140000: 's'}
	text := []byte("-" + perms)
	if k, ok := kinds[mode&typeMask]; ok {
		text[0] = k
	}
	for i := range perms {
		if mode&(1<<(len(perms)-1-i)) == 0 {
			text[i+1] = '-'
		}
	}
	return string(text)
}
