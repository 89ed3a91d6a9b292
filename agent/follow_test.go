package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mezzo/api/mesos/v1/agent"
	"mezzo/internal/files"
)

// TestFollowed: goal, that a reader of output gets all that is written from now
// on, once, though the file is begun anew, cut or not there yet.
func TestFollowed(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "stdout")
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	rotate := func() {
		t.Helper()
		if err := os.Rename(name, name+".1"); err != nil {
			t.Fatal(err)
		}
		write("")
	}
	var got strings.Builder
	pass := func(_ agent.ProcessIO_Data_Type, b []byte) error { got.Write(b); return nil }
	write("before\n")
	x := &followed{place: files.Place{Root: dir, Rel: "stdout", Virtual: "stdout"}}
	defer x.close()
	if err := x.begin(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{func() { write("a") }, "a"},
		{func() { write("b"); rotate(); write("c") }, "bc"},
		{func() { rotate() }, ""},
		{func() { write("d") }, "d"},
		{func() { os.Remove(name) }, ""},
		{func() { write("e") }, "e"},
		{func() { os.Truncate(name, 0) }, ""},
		{func() { write("f") }, "f"},
		{func() { write(strings.Repeat("x", 3*followBytes)) }, strings.Repeat("x", 3*followBytes)},
	} {
		step.do()
		got.Reset()
		if err := x.advance(pass); err != nil {
			t.Fatal(err)
		}
		if got.String() != step.want {
			t.Errorf("got %.20q, want %.20q", got.String(), step.want)
		}
	}
}
