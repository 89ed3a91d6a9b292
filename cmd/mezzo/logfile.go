package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
)

// logFile is where the log goes beside stderr, or where somebody else puts what
// comes from there.
type logFile struct {
	dir      string // of one of our own
	external string
}

func (f *logFile) path(program string) string {
	if f.external != "" || f.dir == "" {
		return f.external
	}
	return filepath.Join(f.dir, strings.ReplaceAll(program, " ", "-")+".log")
}

// maxLogMegabytes and maxLogFiles bound what a daemon's own log takes, the file that
// is written included.
const (
	maxLogMegabytes = 100
	maxLogFiles     = 5
)

// open makes what the log is written to.
func (f *logFile) open(program string, stderr io.Writer) (io.Writer, error) {
	if f.dir == "" {
		return stderr, nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return nil, fmt.Errorf("--log_dir: %w", err)
	}
	file := &lumberjack.Logger{Filename: (&logFile{dir: f.dir}).path(program), MaxSize: maxLogMegabytes, MaxBackups: maxLogFiles - 1}
	if _, err := file.Write(nil); err != nil {
		return nil, fmt.Errorf("--log_dir: %w", err)
	}
	return io.MultiWriter(stderr, file), nil
}
