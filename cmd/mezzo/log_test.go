package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mezzo runs a command to its end.
func mezzo(t *testing.T, line ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint output
	code = run(process{args: append([]string{"mezzo"}, line...), stdout: &out, stderr: &complaint})
	return code, out.String(), complaint.String()
}

// expect runs a command that must succeed and print some texts.
func expect(t *testing.T, line string, texts ...string) {
	t.Helper()
	code, stdout, stderr := mezzo(t, strings.Fields(line)...)
	for _, text := range texts {
		if code != 0 || !strings.Contains(stdout, text) {
			t.Errorf("mezzo %s: exit code %d, %q, %q; want %q in it", line, code, stdout, stderr, text)
		}
	}
}

// complain runs a command that must fail with a text.
func complain(t *testing.T, line, text string) {
	t.Helper()
	code, stdout, stderr := mezzo(t, strings.Fields(line)...)
	if code == 0 || !strings.Contains(stderr, text) {
		t.Errorf("mezzo %s: exit code %d, %q, %q; want %q on stderr", line, code, stdout, stderr, text)
	}
}

// TestLog: goal, that what a master keeps can be looked at, while it runs and
// when it doesn't; method, the real commands against a real master.
func TestLog(t *testing.T) {
	addr, port := freeAddr(t)
	dir := t.TempDir()
	r := start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+dir)
	r.get(t, addr, "/state", &struct{}{})
	live := " --master=" + addr
	expect(t, "weights set web=2.5 a/b=3"+live, "web")
	expect(t, "log status"+live, addr+"  leads", "1 of "+addr+" decide")
	expect(t, "log status -o json"+live, `"role": "leads"`)
	expect(t, "log read"+live, "put registry/role/web")
	expect(t, "log read -o json"+live, `"kind":"data"`)
	expect(t, "state ls registry/role/"+live, "registry/role/a%2Fb", "registry/role/web")
	expect(t, "state ls -o json nothing/"+live, "[]")
	expect(t, "state get registry/role/web"+live, `"weight"`)
	complain(t, "state get registry/role/none"+live, `there is no variable "registry/role/none"`)
	complain(t, "log add 127.0.0.1:1"+live, "which was not heard")
	complain(t, "log remove "+addr+live, "the only member")
	complain(t, "log remove h9"+live, "which is no member")
	complain(t, "log status --output=xml"+live, "want table or json")
	complain(t, "log read --dir=/x"+live, "two logs")
	complain(t, "log read --master=127.0.0.1:1", "127.0.0.1:1")
	expect(t, "log status --master=127.0.0.1:1", "unreachable")
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
	}

	rest := " --dir=" + dir
	expect(t, "log verify"+rest, "sound: 1 positions from 1 to 1 in 1 segments")
	expect(t, "log status"+rest, "at rest")
	expect(t, "log dump"+rest, "position 1, ballot", "state: promised")
	expect(t, "log read"+rest, "put registry/role/web")
	complain(t, "log verify --dir="+t.TempDir(), "has no log")
	complain(t, "log verify", `required flag(s) "dir"`)

	// What was kept is there when it starts again.
	r = start(t, nil, "mezzo", "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+dir)
	r.get(t, addr, "/state", &struct{}{})
	expect(t, "weights ls"+live, "web  ", "2.5", "a/b")
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
	}
}

// TestLogInitialize: goal, that a master that may not begin a log by itself does
// so after `mezzo log initialize`, and only then.
func TestLogInitialize(t *testing.T) {
	addr, port := freeAddr(t)
	dir := t.TempDir()
	args := []string{"mezzo", "master", "--ip=127.0.0.1", "--port=" + port, "--work_dir=" + dir, "--masters=" + addr, "--no-log_auto_initialize"}
	r := start(t, nil, args...)
	r.says(t, "mezzo log initialize")
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
	}
	expect(t, "log initialize --dir="+dir, filepath.Join(dir, "log")+" may begin a log")
	r = start(t, nil, args...)
	r.get(t, addr, "/state", &struct{}{})
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
	}
	complain(t, "log initialize --dir="+dir, "there is one")
}

// says waits for words in the log.
func (r *running) says(t *testing.T, words string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(r.stderr.String(), words) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("does not say %q:\n%s", words, r.stderr.String())
		}
	}
}
