package cluster

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `{
  "netns": "ns", "host": "10.0.0.1", "slow": 5,
  "nodes": [
    {"name": "n1", "address": "10.0.0.11", "ssh": "10.0.0.11:22", "user": "root", "key": "/k"},
    {"name": "n2", "address": "10.0.0.12", "ssh": "10.0.0.12:22", "user": "root", "key": "/k"}
  ]
}`

func TestParse(t *testing.T) {
	c, err := parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.Node("n2") != c.Nodes[1] || c.Node("n3") != nil {
		t.Error("Node does not find nodes by name")
	}
	if got, want := c.Slow(2*time.Second), 10*time.Second; got != want {
		t.Errorf("Slow(2s) = %v, want %v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"not JSON":       {"{", "["},
		"no slow":        {`"slow": 5,`, ``},
		"fast":           {`"slow": 5`, `"slow": 0.5`},
		"same names":     {`"n2"`, `"n1"`},
		"no name":        {`"n2"`, `""`},
		"null node":      {`"nodes": [`, `"nodes": [null,`},
		"address a name": {`"10.0.0.12"`, `"host"`},
		"ssh no port":    {`"10.0.0.12:22"`, `"10.0.0.12"`},
		"no user":        {`"root"`, `""`},
		"no key":         {`"/k"`, `""`},
	} {
		if _, err := parse([]byte(strings.Replace(good, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"slow":1,"nodes":[null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parse(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(again); err != nil {
			t.Errorf("%s: accepted, then refused: %v", b, err)
		}
	})
}

func TestSaveAndLoad(t *testing.T) {
	root := t.TempDir()
	c, err := parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(root); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvFile, filepath.Join(root, File))
	loaded, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Nodes) != 2 || loaded.Netns != "ns" || loaded.Nodes[1].SSH != "10.0.0.12:22" {
		t.Errorf("loaded %+v", loaded)
	}
	t.Setenv(EnvFile, filepath.Join(root, "missing"))
	if _, err := Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v, want fs.ErrNotExist", err)
	}
}

func TestQuote(t *testing.T) {
	args := []string{"", "a b", "it's", `$HOME "x" \`, "new\nline", "*"}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\\0' "+Quote(args...)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(args, "\x00") + "\x00"; string(out) != want {
		t.Errorf("the shell read %q, want %q", out, want)
	}
}

func TestPIDLine(t *testing.T) {
	var rest strings.Builder
	l := &pidLine{found: make(chan int, 1), rest: &rest}
	for _, s := range []string{"4", "2\nout", "put\n"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", s, n, err)
		}
	}
	if pid := <-l.found; pid != 42 || rest.String() != "output\n" {
		t.Errorf("pid %d, rest %q", pid, rest.String())
	}
	bad := &pidLine{found: make(chan int, 1)}
	if _, err := bad.Write([]byte("Welcome!\n")); err == nil {
		t.Error("no error for a line that is no pid")
	}
}

func TestLine(t *testing.T) {
	c := Command{Args: []string{"sh", "-c", `echo "$A" "$PWD"`}, Env: []string{"A=b c"}, Dir: "/"}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", c.line()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, _ := strings.Cut(string(out), "\n"); rest != "b c /\n" {
		t.Errorf("printed %q after the pid", rest)
	}
}
