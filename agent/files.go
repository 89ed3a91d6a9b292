package agent

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"mezzo/agent/sandbox"
	"mezzo/internal/errs"
)

// place finds the sandbox that a path of a reader is in. A sandbox is known by
// its own path, by that of its executor's latest run, and by the latter's part
// below the agent's id; the newest of an executor's runs is its latest.
//
// Errors: errs.NotFound if it is in none.
func (s *server) place(snap *snapshot, p string) (sandbox.Place, error) {
	clean := path.Clean(p)
	var found *sandbox.Place
	for f, t := range snap.tasks() {
		run := runOf(f, t)
		root := run.Path(s.workDir)
		newest := run
		newest.Container = "latest"
		latest := newest.Path(s.workDir)
		short := strings.TrimPrefix(latest, filepath.Join(s.workDir, "slaves", string(t.Agent)))
		for _, name := range []string{root, latest, short} {
			if rel, ok := strings.CutPrefix(clean+"/", name+"/"); ok {
				found = &sandbox.Place{Root: root, Rel: path.Clean("./" + rel), Virtual: clean}
			}
		}
	}
	for _, n := range snap.nested {
		root := filepath.Join(s.workDir, sandboxOf(n))
		if rel, ok := strings.CutPrefix(clean+"/", root+"/"); ok {
			found = &sandbox.Place{Root: root, Rel: path.Clean("./" + rel), Virtual: clean}
		}
	}
	if found == nil {
		return sandbox.Place{}, fmt.Errorf("%q is in no sandbox of this agent: %w", p, errs.NotFound)
	}
	return *found, nil
}

// placeOf finds what the query's path names.
func (s *server) placeOf(snap *snapshot, q url.Values) (sandbox.Place, error) {
	p := q.Get("path")
	if p == "" {
		return sandbox.Place{}, fmt.Errorf("expecting 'path=value' in query: %w", errs.Invalid)
	}
	return s.place(snap, p)
}

// browse lists a directory.
func (s *server) browse(snap *snapshot, r *http.Request) (any, error) {
	p, err := s.placeOf(snap, r.URL.Query())
	if err != nil {
		return nil, err
	}
	infos, err := sandbox.List(p)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]any, 0, len(infos))
	for _, i := range infos {
		list = append(list, map[string]any{
			"path": i.GetPath(), "nlink": i.GetNlink(), "size": i.GetSize(),
			"mtime": float64(i.GetMtime().GetNanoseconds()) / 1e9,
			"mode":  modeText(i.GetMode()), "uid": i.GetUid(), "gid": i.GetGid(),
		})
	}
	return list, nil
}

// window is the part of a file that a reader asks for.
type window struct{ offset, length int64 } // -1: only the size; to the end

// parseWindow reads offset and length of a query.
//
// Source: mesos files/files.cpp: without an offset, or with -1, the answer's
// offset is the file's size and there is no data.
func parseWindow(q url.Values) (window, error) {
	win := window{-1, -1}
	for _, field := range []struct {
		name string
		to   *int64
	}{{"offset", &win.offset}, {"length", &win.length}} {
		if !q.Has(field.name) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(field.name), 10, 64)
		if err != nil || n < -1 {
			return window{}, fmt.Errorf("%s %q is not a number from -1 on: %w", field.name, q.Get(field.name), errs.Invalid)
		}
		*field.to = n
	}
	return win, nil
}

// read returns a part of a file.
func (s *server) read(snap *snapshot, r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := s.placeOf(snap, q)
	if err != nil {
		return nil, err
	}
	win, err := parseWindow(q)
	if err != nil {
		return nil, err
	}
	if win.offset < 0 {
		_, size, err := sandbox.Read(p, 0, 0)
		return map[string]any{"offset": size, "data": ""}, err
	}
	data, _, err := sandbox.Read(p, win.offset, win.length)
	return map[string]any{"offset": win.offset, "data": string(data)}, err
}

// fileHeader tells the file that an answer is of: its name may be another's by the
// next request.
const fileHeader = "Mezzo-File"

// download sends a file, or the range that is asked for.
func (s *server) download(w http.ResponseWriter, r *http.Request) error {
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	p, err := s.placeOf(snap, r.URL.Query())
	if err != nil {
		return err
	}
	f, err := sandbox.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("download %q: %w", p.Virtual, err)
	}
	file, err := sandbox.Identity(f)
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
