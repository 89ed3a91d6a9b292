package agent

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/internal/files"
)

// logPath is where readers find the agent's own log.
const logPath = "/slave/log"

// attached shows which directories and files the paths of readers stand for.
func (s *server) attached(snap *snapshot, _ *http.Request) (any, error) {
	all := map[string]string{}
	if s.logFile != "" {
		all[logPath] = s.logFile
	}
	for f, t := range snap.tasks() {
		dir := runOf(f, t).Path(s.workDir)
		all[dir] = dir
	}
	for _, n := range snap.nested {
		dir := filepath.Join(s.workDir, sandboxOf(n))
		all[dir] = dir
	}
	return all, nil
}

// place finds the sandbox that a path of a reader is in. A sandbox is known by
// its own path, by that of its executor's latest run, and by the latter's part
// below the agent's id; the newest of an executor's runs is its latest.
//
// Errors: errs.NotFound if it is in none.
func (s *server) place(snap *snapshot, p string) (files.Place, error) {
	clean := path.Clean(p)
	if clean == logPath {
		return files.Log(s.logFile, clean)
	}
	var found *files.Place
	for f, t := range snap.tasks() {
		run := runOf(f, t)
		root := run.Path(s.workDir)
		newest := run
		newest.Container = "latest"
		latest := newest.Path(s.workDir)
		short := strings.TrimPrefix(latest, filepath.Join(s.workDir, "slaves", string(t.Agent)))
		for _, name := range []string{root, latest, short} {
			if rel, ok := strings.CutPrefix(clean+"/", name+"/"); ok {
				found = &files.Place{Root: root, Rel: path.Clean("./" + rel), Virtual: clean}
			}
		}
	}
	for _, n := range snap.nested {
		root := filepath.Join(s.workDir, sandboxOf(n))
		if rel, ok := strings.CutPrefix(clean+"/", root+"/"); ok {
			found = &files.Place{Root: root, Rel: path.Clean("./" + rel), Virtual: clean}
		}
	}
	if found == nil {
		return files.Place{}, fmt.Errorf("%q is in no sandbox of this agent: %w", p, errs.NotFound)
	}
	return *found, nil
}

// placeOf finds what the query's path names.
func (s *server) placeOf(snap *snapshot, q url.Values) (files.Place, error) {
	p, err := files.PathOf(q)
	if err != nil {
		return files.Place{}, err
	}
	return s.place(snap, p)
}

// browse lists a directory.
func (s *server) browse(snap *snapshot, r *http.Request) (any, error) {
	p, err := s.placeOf(snap, r.URL.Query())
	if err != nil {
		return nil, err
	}
	return files.Browse(p)
}

// read returns a part of a file.
func (s *server) read(snap *snapshot, r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := s.placeOf(snap, q)
	if err != nil {
		return nil, err
	}
	return files.ReadPart(p, q)
}

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
	return files.Download(w, r, p)
}

// fileInfo is i in the form of the v1 API.
func fileInfo(i files.Info) *v1.FileInfo {
	return &v1.FileInfo{
		Path: &i.Path, Nlink: proto.Int32(int32(i.Nlink)), Size: proto.Uint64(uint64(i.Size)), Mode: &i.Mode, Uid: &i.UID, Gid: &i.GID,
		Mtime: &v1.TimeInfo{Nanoseconds: proto.Int64(i.Modified.UnixNano())},
	}
}
