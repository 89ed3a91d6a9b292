package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mezzo/internal/errs"
)

const (
	maxComplaint = 500             // of a client's words in an error, in bytes
	clientGrace  = 2 * time.Second // for its pipes to close once it was killed
	copied       = "content"       // what a client copies to, in a directory of its own
)

// copyToLocal has the Hadoop client copy u, with the user's rights, to a
// directory of the user, and opens what came.
func (f *Fetcher) copyToLocal(ctx context.Context, dog *watchdog, j Job, u uri, m *meter) (s stream, err error) {
	dir, err := os.MkdirTemp(f.cfg.CacheDir, clientDirs)
	if err != nil {
		return stream{}, err
	}
	clean := func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, clean())
		}
	}()
	if err := os.Chown(dir, int(j.UID), int(j.GID)); err != nil {
		return stream{}, err
	}
	if err := f.runClient(ctx, dog, j, u, dir, m); err != nil {
		return stream{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return stream{}, err
	}
	defer root.Close()
	file, err := root.OpenFile(copied, openFlags, 0)
	if err != nil {
		return stream{}, fmt.Errorf("the Hadoop client left no file: %w", errs.Unavailable)
	}
	st, err := regular(file)
	if err != nil {
		return stream{}, errors.Join(err, file.Close())
	}
	return stream{&scratch{file, clean}, st.Size()}, nil
}

// scratch is a file that goes when it was read.
type scratch struct {
	*os.File
	clean func() error
}

func (s *scratch) Close() error { return errors.Join(s.File.Close(), s.clean()) }

// runClient runs the client until it ends or ctx does, and takes what grows in
// dir for a sign of life.
func (f *Fetcher) runClient(ctx context.Context, dog *watchdog, j Job, u uri, dir string, m *meter) error {
	said := &tail{max: maxComplaint}
	cmd := exec.CommandContext(ctx, f.cfg.HadoopClient, "fs", "-copyToLocal", u.value, filepath.Join(dir, copied))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, clientEnv(j), said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: j.UID, Gid: j.GID, Groups: groupsOf(j)}
	}
	// The client is a script that starts a JVM: all of it has to go.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = clientGrace
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("the Hadoop client does not start: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t := time.NewTicker(min(f.beat, f.cfg.Stall/4+1))
	defer t.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("the Hadoop client failed: %w, %q: %w", err, u.scrub(said.String()), errs.Unavailable)
			}
			dog.feed()
			return nil
		case <-t.C:
			if n := sizeOf(dir); n != m.got.Swap(n) {
				dog.feed()
			}
		}
	}
}

// clientEnv is what the client needs to know of the agent's environment, which
// may hold secrets: the client's user can read it.
func clientEnv(j Job) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" || name == "LANG" || name == "TZ" || strings.HasPrefix(name, "HADOOP_") || strings.HasPrefix(name, "JAVA_") {
			env = append(env, kv)
		}
	}
	if j.User != "" {
		env = append(env, "USER="+j.User)
	}
	return env
}

// sizeOf is how much is in dir by now, whatever it is called: clients write
// under other names first.
func sizeOf(dir string) (n int64) {
	// What changes meanwhile is counted the next time.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if st, err := d.Info(); err == nil {
				n += st.Size()
			}
		}
		return nil
	})
	return n
}

// scrub takes u's secrets from what a program said about it.
func (u uri) scrub(said string) string {
	for _, whole := range []string{u.whole, u.value} {
		said = strings.ReplaceAll(said, whole, u.String())
	}
	parsed, err := url.Parse(u.value)
	if err != nil {
		return "…" // nobody can say what of it is secret
	}
	secrets := []string{parsed.RawQuery, parsed.User.String(), parsed.User.Username()}
	if p, ok := parsed.User.Password(); ok {
		secrets = append(secrets, p, url.QueryEscape(p), url.PathEscape(p))
	}
	for _, s := range secrets {
		if s != "" {
			said = strings.ReplaceAll(said, s, "…")
		}
	}
	return said
}

// tail keeps the end of what is written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p[max(0, len(p)-t.max):]...)
	t.buf = t.buf[max(0, len(t.buf)-t.max):]
	return len(p), nil
}

func (t *tail) String() string { return string(bytes.TrimSpace(bytes.ToValidUTF8(t.buf, nil))) }
