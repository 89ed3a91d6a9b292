package fetch

// Goal: an archive becomes what is in it, or is refused, and neither its names,
// its links nor its size do harm. Method: archives made here, honest and not,
// unpacked beside a file that must stay as it is.

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mezzo/internal/errs"
)

var modified = time.Unix(1_000_000_000, 0)

// h is a member of a tar; its size is that of its content.
func h(typeflag byte, name, target string, mode int64, content string) member {
	return member{tar.Header{Typeflag: typeflag, Name: name, Linkname: target, Mode: mode, Size: int64(len(content)), ModTime: modified}, content}
}

type member struct {
	tar.Header
	content string
}

func reg(name, content string) member    { return h(tar.TypeReg, name, "", 0o644, content) }
func dir(name string, mode int64) member { return h(tar.TypeDir, name, "", mode, "") }
func sym(name, target string) member     { return h(tar.TypeSymlink, name, target, 0o777, "") }
func hard(name, target string) member    { return h(tar.TypeLink, name, target, 0o644, "") }

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipOf takes the type of a member from its tar header.
func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		zh := &zip.FileHeader{Name: m.Name, Method: zip.Deflate, Modified: modified}
		zh.SetMode(m.FileInfo().Mode())
		f, err := w.CreateHeader(zh)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, m.content+m.Linkname); err != nil && m.Typeflag != tar.TypeDir {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack unpacks content, called name, with limits of 1000 bytes and 20 files.
func unpack(t testing.TB, sandboxDir, name string, content []byte) error {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	root, err := os.OpenRoot(sandboxDir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	x := &extraction{
		ctx: t.Context(), sandbox: sandbox{root: root, uid: os.Getuid(), gid: os.Getgid()},
		dir: filepath.Dir(name), bytes: 1000, files: 20, meter: newMeter(),
	}
	return x.run(uri{lands: name, archive: archiveOf(name)}, file)
}

// guarded is a sandbox, and a check that all beside it is as it was.
func guarded(t testing.TB) (sandboxDir, outside string, check func()) {
	t.Helper()
	above := t.TempDir()
	sandboxDir, outside = above+"/sandbox", above+"/outside"
	for _, err := range []error{os.Mkdir(sandboxDir, 0o755), os.Mkdir(outside, 0o755), os.WriteFile(outside+"/victim", []byte("safe"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return sandboxDir, outside, func() {
		t.Helper()
		content, err := os.ReadFile(outside + "/victim")
		st, serr := os.Stat(outside + "/victim")
		beside, _ := os.ReadDir(outside)
		top, _ := os.ReadDir(above)
		if err != nil || serr != nil || string(content) != "safe" || st.Mode() != 0o600 || len(beside) != 1 || len(top) != 2 {
			t.Fatalf("outside there is %v, %v, and %q of mode %v; %v, %v", top, beside, content, st.Mode(), err, serr)
		}
	}
}

func honest() []member {
	return []member{
		{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "a commit"}}},
		dir("./", 0o700),
		dir("app", 0o550),
		h(tar.TypeReg, "app/run", "", 0o6755, "#!"),
		reg("app/lib/deep.so", "so"),
		sym("app/lib/now", "deep.so"),
		sym("app/python", "/usr/bin/python3"),
		hard("app/again", "app/run"),
		reg("app/twice", "1"),
		reg("app/twice", "22"),
	}
}

func TestExtract(t *testing.T) {
	all := honest()
	data := tarOf(t, all...)
	want := []string{
		"app/", "app/again 755=#!", "app/lib/", "app/lib/deep.so 644=so", "app/lib/now -> deep.so",
		"app/python -> /usr/bin/python3", "app/run 755=#!", "app/twice 644=22",
	}
	hello := func(ending string) []byte {
		data, err := os.ReadFile("testdata/hello.tar" + ending)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	zippable := append(all[2:6:6], all[8:]...)
	for _, tc := range []struct {
		name string
		data []byte
		want []string
	}{
		{"a.tar", data, want},
		{"a.tgz", gzipOf(t, data), want},
		{"a.tar.gz", gzipOf(t, data), want},
		{"a.tar.gz", append(gzipOf(t, data), make([]byte, 512)...), want},
		{"a.zip", zipOf(t, zippable...), []string{"app/", "app/lib/", "app/lib/deep.so 644=so", "app/lib/now -> deep.so", "app/run 755=#!", "app/twice 644=22"}},
		{"a.tar.bz2", hello(".bz2"), []string{"hello.txt 644=hello\n"}},
		{"a.tbz2", hello(".bz2"), []string{"hello.txt 644=hello\n"}},
		{"a.tar.xz", hello(".xz"), []string{"hello.txt 644=hello\n"}},
		{"a.txz", hello(".xz"), []string{"hello.txt 644=hello\n"}},
		{"a.txt.gz", gzipOf(t, []byte("text")), []string{"a.txt 644=text"}},
		{"d/e/a.txt.gz", gzipOf(t, []byte("text")), []string{"d/", "d/e/", "d/e/a.txt 644=text"}},
		{"d/a.tar", tarOf(t, reg("x", "x")), []string{"d/", "d/x 644=x"}},
		{"a.tar", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _, check := guarded(t)
			if err := unpack(t, s, tc.name, tc.data); err != nil {
				t.Error(err)
			}
			equal(t, s, tc.want...)
			check()
			if st, err := os.Stat(s); err != nil || st.Mode().Perm() != 0o755 {
				t.Errorf("the sandbox is of mode %v", st.Mode())
			}
			if tc.name == "a.tar" && len(tc.data) > 0 {
				run, err := os.Stat(s + "/app/run")
				if err != nil || run.Mode() != 0o755 || !run.ModTime().Equal(modified) {
					t.Errorf("app/run has mode %v of %v, %v", run.Mode(), run.ModTime(), err)
				}
				if app, err := os.Stat(s + "/app"); err != nil || app.Mode() != fs.ModeDir|0o750 || !app.ModTime().Equal(modified) {
					t.Errorf("app has mode %v of %v, %v", app.Mode(), app.ModTime(), err)
				}
			}
		})
	}
}

func TestExtractRefuses(t *testing.T) {
	big := strings.Repeat("x", 1001)
	many := make([]member, 21)
	for i := range many {
		many[i] = reg(strings.Repeat("x", i+1), "")
	}
	good := gzipOf(t, tarOf(t, reg("x", "x")))
	badSum := bytes.Clone(good)
	badSum[len(badSum)-8] ^= 1
	sealed := zipOf(t, reg("x", "x"))
	sealed[bytes.Index(sealed, []byte("PK\x01\x02"))+8] |= encrypted
	for _, tc := range []struct {
		name, archive string
		data          []byte
		class         error // nil: any error
	}{
		{"dots", "a.tar", tarOf(t, reg("../x", "x")), errs.Invalid},
		{"dots inside", "a.tar", tarOf(t, reg("a/../../x", "x")), errs.Invalid},
		{"dots that lead nowhere", "a.tar", tarOf(t, reg("a/../x", "x")), errs.Invalid},
		{"absolute", "a.tar", tarOf(t, reg("/tmp/x", "x")), errs.Invalid},
		{"dots of a directory", "a.tar", tarOf(t, dir("../d", 0o777)), errs.Invalid},
		{"the directory itself", "a.tar", tarOf(t, sym(".", "../outside")), errs.Invalid},
		{"through a link", "a.tar", tarOf(t, sym("l", "../outside"), reg("l/victim", "bad")), nil},
		{"through a link of links", "a.tar", tarOf(t, dir("d", 0o755), sym("d/l", ".."), sym("m", "d/l/.."), reg("m/outside/victim", "bad")), nil},
		{"directory through a link", "a.tar", tarOf(t, sym("l", "../outside"), dir("l/d", 0o755)), nil},
		{"directory that is a link", "a.tar", tarOf(t, sym("l", "../outside"), dir("l", 0o777)), nil},
		{"link instead of a directory", "a.tar", tarOf(t, dir("d", 0o777), sym("d", "../outside")), errs.Invalid},
		{"hard link out", "a.tar", tarOf(t, hard("x", "../outside/victim"), reg("x", "bad")), errs.Invalid},
		{"hard link through a link", "a.tar", tarOf(t, sym("l", "../outside"), hard("x", "l/victim")), errs.Invalid},
		{"hard link to a link", "a.tar", tarOf(t, sym("l", "../outside/victim"), hard("x", "l")), errs.Invalid},
		{"hard link to nothing", "a.tar", tarOf(t, hard("x", "y")), errs.Invalid},
		{"device", "a.tar", tarOf(t, h(tar.TypeChar, "null", "", 0o666, "")), errs.Invalid},
		{"pipe", "a.tar", tarOf(t, h(tar.TypeFifo, "pipe", "", 0o666, "")), errs.Invalid},
		{"unknown type", "a.tar", tarOf(t, h('Z', "x", "", 0o666, "")), errs.Unsupported},
		{"large", "a.tar", tarOf(t, reg("x", big)), errs.Exhausted},
		{"large in parts", "a.tar", tarOf(t, reg("x", big[:600]), reg("y", big[:600])), errs.Exhausted},
		{"many", "a.tar", tarOf(t, many...), errs.Exhausted},
		{"deep", "a.tar", tarOf(t, reg(strings.Repeat("d/", 30)+"x", "")), errs.Exhausted},
		{"long name", "a.tar", tarOf(t, reg(strings.Repeat("d/", 3000)+"x", "")), errs.Invalid},
		{"bomb", "a.gz", gzipOf(t, make([]byte, 1<<20)), errs.Exhausted},
		{"bomb of nothing", "a.tgz", gzipOf(t, append(tarOf(t, reg("x", "x")), make([]byte, 1<<20)...)), errs.Exhausted},
		{"no tar", "a.tar", []byte(big), errs.Corrupt},
		{"no gzip", "a.tgz", []byte("<html>"), errs.Corrupt},
		{"no bzip2", "a.tbz2", []byte("<html>"), errs.Corrupt},
		{"no xz", "a.txz", []byte("<html>"), errs.Corrupt},
		{"no zip", "a.zip", []byte("<html>"), errs.Corrupt},
		{"cut", "a.tgz", good[:len(good)-10], errs.Corrupt},
		{"wrong checksum", "a.tgz", badSum, errs.Corrupt},
		{"zip with dots", "a.zip", zipOf(t, reg("../x", "x")), errs.Invalid},
		{"absolute zip", "a.zip", zipOf(t, reg("/x", "x")), errs.Invalid},
		{"zip through a link", "a.zip", zipOf(t, sym("l", "../outside"), reg("l/victim", "bad")), nil},
		{"zip of a device", "a.zip", zipOf(t, h(tar.TypeChar, "null", "", 0o666, "")), errs.Invalid},
		{"large zip", "a.zip", zipOf(t, reg("x", big)), errs.Exhausted},
		{"encrypted zip", "a.zip", sealed, errs.Unsupported},
		{"dictionary", "a.tar.xz", greedy(t), errs.Unsupported},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _, check := guarded(t)
			err := unpack(t, s, tc.archive, tc.data)
			if err == nil || tc.class != nil && !errors.Is(err, tc.class) {
				t.Errorf("got %v, want class %v", err, tc.class)
			}
			check()
		})
	}
}

// greedy asks for 4 GiB of memory.
func greedy(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/hello.tar.xz")
	if err != nil {
		t.Fatal(err)
	}
	// After the stream's header, the block's: its size, flags, LZMA2, one byte of
	// properties, and the dictionary's size.
	block := data[12:][:4*(int(data[12])+1)]
	at := bytes.Index(block, []byte{0x21, 1})
	block[at+2] = 40
	binary.LittleEndian.PutUint32(block[len(block)-4:], crc32.ChecksumIEEE(block[:len(block)-4]))
	return data
}

// TestExtractTwice: what an archive finds there is replaced, not written into.
func TestExtractTwice(t *testing.T) {
	s, outside, check := guarded(t)
	for name, make := range map[string]func(string) error{
		"soft": func(p string) error { return os.Symlink(outside+"/victim", p) },
		"hard": func(p string) error { return os.Link(outside+"/victim", p) },
	} {
		if err := make(s + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := unpack(t, s, "a.tar", tarOf(t, reg("soft", "new"), reg("hard", "new"), dir("d", 0o500), reg("d/x", "x"))); err != nil {
			t.Fatal(err)
		}
		equal(t, s, "d/", "d/x 644=x", "hard 644=new", "soft 644=new")
		check()
	}
}

func TestExtractIsInterrupted(t *testing.T) {
	s, _, _ := guarded(t)
	root, err := os.OpenRoot(s)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	why := errors.New("the task was killed")
	ctx, cancel := context.WithCancelCause(t.Context())
	x := &extraction{ctx: ctx, sandbox: sandbox{root: root, uid: os.Getuid(), gid: os.Getgid()}, dir: ".", bytes: 1 << 30, files: 10, meter: newMeter()}
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, gzipOf(t, make([]byte, 8<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cancel(why)
	if err := x.run(uri{lands: "x.gz", archive: gzipped}, file); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	equal(t, s)
}

// FuzzExtract: whatever an archive holds, nothing outside the sandbox changes
// and nothing panics.
func FuzzExtract(f *testing.F) {
	kinds := []string{"a.tar", "a.tgz", "a.tbz2", "a.txz", "a.zip", "d/a.gz"}
	seeds := [][]member{
		honest()[1:],
		{sym("l", "../outside"), reg("l/victim", "bad"), hard("v", "l/victim")},
		{reg("../outside/victim", "bad"), dir("l", 0), sym("l", "..")},
		{sym("a", "."), sym("a/b", ".."), reg("a/b/outside/victim", "bad")},
	}
	for _, members := range seeds {
		data := tarOf(f, members...)
		f.Add(byte(0), data)
		f.Add(byte(1), gzipOf(f, data))
		f.Add(byte(4), zipOf(f, members...))
		f.Add(byte(5), gzipOf(f, data))
	}
	for i, ending := range []string{".bz2", ".xz"} {
		data, err := os.ReadFile("testdata/hello.tar" + ending)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(2+i), data)
	}
	f.Add(byte(3), greedy(f))
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		s, _, check := guarded(t)
		_ = unpack(t, s, kinds[int(kind)%len(kinds)], data)
		check()
		for _, entry := range holds(t, s) {
			if strings.Contains(entry, ".fetching-") {
				t.Fatalf("left %s", entry)
			}
		}
	})
}
