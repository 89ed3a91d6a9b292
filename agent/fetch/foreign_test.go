package fetch

// Goal: what other programs and protocols bring is treated as what the web
// brings: whole, in time, and without a word of secrets. Method: a client that
// is a shell script, and a server of ftp of the few commands needed.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/internal/errs"
)

// client is a Hadoop client that runs a script; $3 is the URI, $4 the file.
func client(t *testing.T, script string) string {
	t.Helper()
	// Other users have to reach it.
	dir, err := os.MkdirTemp("/tmp", "fetch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := dir + "/hadoop"
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(p, []byte("#!/bin/sh\n"+script), 0o755)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHadoop(t *testing.T) {
	t.Setenv("SECRET", "hush")
	scratchDir := t.TempDir() + "/cache"
	f := fetcher(t, Config{CacheDir: scratchDir, HadoopClient: client(t, `echo "$1 $2 $3 $SECRET" > "$4"`)})
	j := job(t, at("hdfs://h:9000/a/b.txt?x"), at("s3n://b/c", cached, output("d")))
	if err := f.Fetch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"b.txt?x": "fs -copyToLocal hdfs://h:9000/a/b.txt?x \n", "d": "fs -copyToLocal s3n://b/c \n"} {
		if got, err := os.ReadFile(filepath.Join(j.Sandbox, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if left := holds(t, scratchDir); len(left) != 2 {
		t.Errorf("left %q", left)
	}
}

func TestHadoopFails(t *testing.T) {
	for _, tc := range []struct {
		script string
		class  error
		says   string
	}{
		{`echo "no key hush for $3" >&2; exit 3`, errs.Unavailable, `exit status 3, "no key … for s3n://b/x"`},
		{`exit 0`, errs.Unavailable, "left no file"},
		{`ln -s /etc/passwd "$4"`, errs.Unavailable, "left no file"},
		{`mkdir "$4"`, errs.Invalid, "no regular file"},
		{`mkfifo "$4"`, errs.Invalid, "no regular file"},
		{`echo some > "$4"; sleep 1000 & wait`, errs.Unavailable, "nothing came for 300ms"},
	} {
		f := fetcher(t, Config{Stall: 300 * time.Millisecond, CacheDir: t.TempDir() + "/cache", HadoopClient: client(t, tc.script)})
		j := job(t, at("s3n://AKIA:hush@b/x"))
		err := f.Fetch(t.Context(), j)
		if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "AKIA") {
			t.Errorf("%s: got %v; want class %v, and %q", tc.script, err, tc.class, tc.says)
		}
		equal(t, j.Sandbox)
		equal(t, f.cfg.CacheDir, "files/")
	}
	f := fetcher(t, Config{HadoopClient: "/none"})
	if err := f.Fetch(t.Context(), job(t, at("hdfs://h/x"))); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("no client: %v", err)
	}
	if err := fetcher(t, Config{}).Fetch(t.Context(), job(t, at("hdfs://h/x"))); !errors.Is(err, errs.Unsupported) {
		t.Errorf("none set up: %v", err)
	}
}

// TestHadoopAsUser: the client has no more rights than the task.
func TestHadoopAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	// Below a test's own directory nobody but root gets through.
	scratchDir, err := os.MkdirTemp("/tmp", "fetch")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(scratchDir)
	if err := os.Chmod(scratchDir, 0o711); err != nil {
		t.Fatal(err)
	}
	f := fetcher(t, Config{CacheDir: scratchDir, HadoopClient: client(t, `id -u > "$4"; id -G >> "$4"`)})
	j := job(t, at("hdfs://h/x"))
	j.UID, j.GID = 65534, 65533
	if err := f.Fetch(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	equal(t, j.Sandbox, "x 644=65534\n65533\n")
}

// ftpListener answers with replies by command, "" to stall; data is sent for RETR.
func ftpListener(t *testing.T, replies map[string]string, data string) string {
	t.Helper()
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	go func() {
		for {
			conn, err := control.Accept()
			if err != nil {
				return
			}
			go ftpSession(conn, replies, data)
		}
	}()
	return control.Addr().String()
}

func ftpSession(conn net.Conn, replies map[string]string, data string) {
	defer conn.Close()
	passive, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return
	}
	defer passive.Close()
	fmt.Fprint(conn, "220 hello\r\n")
	for s := bufio.NewScanner(conn); s.Scan(); {
		command, _, _ := strings.Cut(s.Text(), " ")
		reply, known := replies[s.Text()]
		if !known {
			reply, known = replies[command]
		}
		switch {
		case known && reply == "":
			continue
		case known:
		case command == "EPSV":
			reply = fmt.Sprintf("229 ok (|||%d|)", passive.Addr().(*net.TCPAddr).Port)
		case s.Text() == "RETR a/x.txt":
			fmt.Fprint(conn, "150 coming\r\n")
			d, err := passive.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(d, data)
			d.Close()
			reply = "226 done"
		default:
			reply = map[string]string{"USER": "331 password", "PASS": "230 in", "TYPE": "200 ok", "SIZE": fmt.Sprintf("213 %d", len(data)), "RETR": "550 none", "QUIT": "221 bye"}[command]
			if reply == "" {
				reply = "502 what"
			}
		}
		fmt.Fprint(conn, reply+"\r\n")
	}
}

func TestFTP(t *testing.T) {
	for _, tc := range []struct {
		name, uri string
		replies   map[string]string
		class     error
		says      string
	}{
		{"good", "ftp://%s/a/x.txt", nil, nil, ""},
		{"password", "ftp://hushme:hush@%s/a/x.txt", map[string]string{"PASS": "530 who", "PASS hush": "230 in"}, nil, ""},
		{"no size", "ftp://%s/a/x.txt", map[string]string{"SIZE": "500 what"}, nil, ""},
		{"none", "ftp://%s/b/y.txt", nil, errs.NotFound, "550 File unavailable"},
		{"wrong password", "ftp://hushme:hush@%s/a/x.txt", map[string]string{"PASS": "530 not hush"}, errs.Invalid, "530"},
		{"wrong user", "ftp://hushme@%s/a/x.txt", map[string]string{"USER": "530 not hushme"}, errs.Unavailable, "does not answer as one of ftp"},
		{"cut", "ftp://%s/a/x.txt", map[string]string{"SIZE": "213 1000"}, errs.Unavailable, "after 4 of 1000 bytes"},
		{"silent", "ftp://%s/a/x.txt", map[string]string{"PASS": ""}, errs.Unavailable, "nothing came"},
		{"silent later", "ftp://%s/a/x.txt", map[string]string{"TYPE": ""}, errs.Unavailable, "nothing came"},
		{"chatter", "ftp://%s/a/x.txt", map[string]string{"USER": "331-" + strings.Repeat("x", maxReplies)}, errs.Unavailable, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := fetcher(t, Config{Stall: 300 * time.Millisecond})
			j := job(t, at(fmt.Sprintf(tc.uri, ftpListener(t, tc.replies, "data"))))
			err := f.Fetch(t.Context(), j)
			if tc.class == nil {
				if err != nil {
					t.Error(err)
				}
				equal(t, j.Sandbox, "x.txt 644=data")
				return
			}
			if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v; want class %v, and %q", err, tc.class, tc.says)
			}
			equal(t, j.Sandbox)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fetcher(t, Config{}).Fetch(ctx, job(t, at("ftp://127.0.0.1:1/x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
