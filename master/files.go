package master

import (
	"fmt"
	"net/http"
	"path"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/errs"
	"mezzo/internal/files"
)

// logPath is where readers find the master's log, all that there is to read.
const logPath = "/master/log"

// place finds what a reader names.
//
// Errors: errs.NotFound.
func (m *Master) place(p string) (files.Place, error) {
	if path.Clean(p) != logPath {
		return files.Place{}, fmt.Errorf("%q is not here: a master has %s alone: %w", p, logPath, errs.NotFound)
	}
	return files.Log(m.deps.LogFile, logPath)
}

// file serves GET /files/… of the path that the query names.
func (m *Master) file(answer func(http.ResponseWriter, *http.Request, files.Place) error) http.HandlerFunc {
	return get(func(w http.ResponseWriter, r *http.Request) {
		name, err := files.PathOf(r.URL.Query())
		var p files.Place
		if err == nil {
			p, err = m.place(name)
		}
		if err == nil {
			err = answer(w, r, p)
		}
		if err != nil {
			fail(w, err)
		}
	})
}

func browseFile(w http.ResponseWriter, r *http.Request, p files.Place) error {
	list, err := files.Browse(p)
	if err == nil {
		respondJSON(w, r, list)
	}
	return err
}

func readFile(w http.ResponseWriter, r *http.Request, p files.Place) error {
	part, err := files.ReadPart(p, r.URL.Query())
	if err == nil {
		respondJSON(w, r, part)
	}
	return err
}

// attached serves GET /files/debug: which files the paths of readers stand for.
func (m *Master) attached(w http.ResponseWriter, r *http.Request) {
	all := map[string]string{}
	if m.deps.LogFile != "" {
		all[logPath] = m.deps.LogFile
	}
	respondJSON(w, r, all)
}

// listFiles is the LIST_FILES call.
func (m *Master) listFiles(c *master.Call_ListFiles) (*master.Response, error) {
	if c == nil {
		return nil, fmt.Errorf("list_files is missing: %w", errs.Invalid)
	}
	p, err := m.place(c.GetPath())
	if err != nil {
		return nil, err
	}
	infos, err := files.List(p)
	list := &master.Response_ListFiles{}
	for _, i := range infos {
		list.FileInfos = append(list.FileInfos, &v1.FileInfo{
			Path: &i.Path, Nlink: proto.Int32(int32(i.Nlink)), Size: proto.Uint64(uint64(i.Size)), Mode: &i.Mode, Uid: &i.UID, Gid: &i.GID,
			Mtime: &v1.TimeInfo{Nanoseconds: proto.Int64(i.Modified.UnixNano())},
		})
	}
	return &master.Response{Type: master.Response_LIST_FILES.Enum(), ListFiles: list}, err
}

// readFile is the READ_FILE call.
func (m *Master) readFile(c *master.Call_ReadFile) (*master.Response, error) {
	if c == nil {
		return nil, fmt.Errorf("read_file is missing: %w", errs.Invalid)
	}
	p, err := m.place(c.GetPath())
	if err != nil {
		return nil, err
	}
	data, size, err := files.ReadCall(p, c.GetOffset(), c.Length)
	return &master.Response{Type: master.Response_READ_FILE.Enum(), ReadFile: &master.Response_ReadFile{Size: proto.Uint64(uint64(size)), Data: data}}, err
}
