package compat

// Goal: the table says what is so. Method: names come from the descriptors and from
// the binary's own lists; calls and paths are tried on a master and an agent that run;
// fields, events and operations are looked for in the code.

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/api/mesos/v1/executor"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/test/native"
)

var update = flag.Bool("update", false, "write docs/compat.md anew")

const (
	page  = "../../docs/compat.md"
	begin = "<!-- from here on made by: go test ./test/compat -update -->\n"
	end   = "<!-- up to here -->\n"
)

// enum are the names of an enum, but for the first, which stands for none.
func enum(e protoreflect.Enum) (names []string) {
	values := e.Descriptor().Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 {
			names = append(names, string(v.Name()))
		}
	}
	return names
}

func TestTable(t *testing.T) {
	notes, err := readNotes(notesText)
	if err != nil {
		t.Fatal(err)
	}
	c := native.Start(t)
	source := readSource(t)
	sections := []section{
		{"scheduler-call", "Scheduler API: calls of POST /api/v1/scheduler", "", enum(scheduler.Call_UNKNOWN)},
		{"scheduler-event", "Scheduler API: events", "", enum(scheduler.Event_UNKNOWN)},
		{"operation", "Operations of ACCEPT", "", enum(v1.Offer_Operation_UNKNOWN)},
		{"executor-call", "Executor API: calls of POST /api/v1/executor", "", enum(executor.Call_UNKNOWN)},
		{"executor-event", "Executor API: events", "", enum(executor.Event_UNKNOWN)},
		{"master-call", "Operator API of masters: calls of POST /api/v1", "", enum(master.Call_UNKNOWN)},
		{"master-event", "Operator API of masters: events of SUBSCRIBE", "", enum(master.Event_UNKNOWN)},
		{"agent-call", "Operator API of agents: calls of POST /api/v1", "", enum(agent.Call_UNKNOWN)},
		{"master-path", "Paths of masters", "Also below /master, with .json, with a slash at the end. `jsonp=` is accepted where JSON is answered, gzip where a request allows it.", paths(t, c, c.Master)},
		{"agent-path", "Paths of agents", "Also below /slave(1), with .json, with a slash at the end.", paths(t, c, c.Agents[0])},
		{"master-flag", "Flags of masters", "A flag that is not here is refused, with the one that was perhaps meant.", flags(t, "master")},
		{"agent-flag", "Flags of agents", "", flags(t, "agent")},
		{"field", "Fields", "Of the messages of all calls. All that is not here is done.", nil},
	}
	for _, s := range sections {
		try(t, c, s, notes)
		if s.key != "field" {
			for _, name := range s.names {
				if n := find(notes, s.key, name); n != nil && n.state == "not yet" && !strings.HasSuffix(s.key, "flag") {
					t.Errorf("%s %s is said not to be there yet, and is in the list", s.key, name)
				}
			}
		}
	}
	inCode(t, source, notes, "scheduler-event", `scheduler\.Event_`, enum(scheduler.Event_UNKNOWN))
	inCode(t, source, notes, "master-event", `master\.Event_`, enum(master.Event_UNKNOWN))
	inCode(t, source, notes, "executor-event", `(wire|executor)\.Event_`, enum(executor.Event_UNKNOWN))
	inCode(t, source, notes, "operation", "Offer_Operation_", enum(v1.Offer_Operation_UNKNOWN))
	tryFields(t, source, notes)

	var made strings.Builder
	for _, s := range sections {
		made.WriteString(render(s, notes))
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for what is made", page)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(page, []byte(before+begin+"\n"+made.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != "\n"+made.String() {
		t.Errorf("%s is not what the code makes of it: go test ./test/compat -update", page)
	}
}

// paths are those that a daemon lists.
func paths(t *testing.T, c *native.Cluster, addr string) (list []string) {
	t.Helper()
	_, text := request(t, http.MethodGet, "http://"+addr+"/help", "")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "/") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	if len(list) < 10 {
		t.Fatalf("%s lists %v", addr, list)
	}
	return list
}

// flags are those that --help lists.
func flags(t *testing.T, daemon string) (list []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), native.Binary(t), daemon, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^  --(?:\[no-\])?([a-z_0-9]+)`).FindAllStringSubmatch(string(out), -1) {
		if m[1] != "help" && m[1] != "version" {
			list = append(list, m[1])
		}
	}
	slices.Sort(list)
	return list
}

// request returns the status, and what is there of an answer within a moment: some
// have no end.
func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s %s: %v", method, url, body, err)
	}
	defer resp.Body.Close()
	if strings.Contains(body, `"SUBSCRIBE"`) {
		return resp.StatusCode, ""
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// try asks for all that a section names: 501 and 404 are what is not there.
func try(t *testing.T, c *native.Cluster, s section, notes []note) {
	t.Helper()
	for _, name := range s.names {
		method, url, body, missing := http.MethodPost, "", fmt.Sprintf(`{"type":%q}`, name), http.StatusNotImplemented
		switch s.key {
		case "scheduler-call":
			url, body = "http://"+c.Master+"/api/v1/scheduler", fmt.Sprintf(`{"type":%q,"framework_id":{"value":"nobody"}}`, name)
		case "executor-call":
			url, body = "http://"+c.Agents[0]+"/api/v1/executor", fmt.Sprintf(`{"type":%q,"framework_id":{"value":"f"},"executor_id":{"value":"x"}}`, name)
		case "master-call":
			url = "http://" + c.Master + "/api/v1"
		case "agent-call":
			url = "http://" + c.Agents[0] + "/api/v1"
		case "master-path":
			method, url, body, missing = http.MethodGet, "http://"+c.Master+"/master"+name+".json", "", http.StatusNotFound
		case "agent-path":
			method, url, body, missing = http.MethodGet, "http://"+c.Agents[0]+"/slave(1)"+name+".json", "", http.StatusNotFound
		default:
			return
		}
		code, text := request(t, method, url, body)
		n := find(notes, s.key, name)
		if never := n != nil && n.state == "never"; (code == missing) != never || code >= 500 && code != missing {
			t.Errorf("%s %s: answered with %d %.200s, and the note is %+v", s.key, name, code, text, n)
		}
	}
}

// readSource is all of the product's own code but for what is generated, and what
// clients and users have.
func readSource(t *testing.T) string {
	t.Helper()
	var all bytes.Buffer
	for _, room := range []string{"master", "agent", "allocator", "resources", "containerizer", "api/ids", "api/labels"} {
		err := filepath.WalkDir(filepath.Join("../..", room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// inCode: prefix is a regular expression; what is said to be done is in the code, what is never is not.
func inCode(t *testing.T, source string, notes []note, key, prefix string, names []string) {
	t.Helper()
	for _, name := range names {
		n := find(notes, key, name)
		there := regexp.MustCompile(`\b` + prefix + name + `\b`).MatchString(source)
		if never := n != nil && n.state == "never"; there == never {
			t.Errorf("%s %s: in the code: %v, and the note is %+v", key, name, there, n)
		}
	}
}

// tryFields: who sends a field that nobody reads can look up why.
func tryFields(t *testing.T, source string, notes []note) {
	t.Helper()
	words := map[string]bool{}
	for _, w := range regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`).FindAllString(source, -1) {
		words[w] = true
	}
	all := map[string]bool{}
	seen := map[protoreflect.FullName]bool{}
	var walk func(m protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			name := goName(string(f.Name()))
			all[string(f.FullName())] = true
			if !words[name] && !words["Get"+name] && find(notes, "field", string(f.FullName())) == nil {
				t.Errorf("field %s is read by nobody, and has no note", f.FullName())
			}
			if f.Message() != nil {
				walk(f.Message())
			}
		}
	}
	for _, m := range []protoreflect.ProtoMessage{&scheduler.Call{}, &executor.Call{}, &master.Call{}, &agent.Call{}} {
		walk(m.ProtoReflect().Descriptor())
	}
	for _, n := range notes {
		for _, pattern := range n.names {
			if n.section != "field" {
				continue
			}
			found := false
			for name := range all {
				found = found || matches(pattern, name)
			}
			if !found {
				t.Errorf("there is no field %s", pattern)
			}
		}
	}
}

func goName(field string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(field, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

func TestNotes(t *testing.T) {
	for _, bad := range []string{"a | b | done", "a | b | soon | x", "a | b | done | ", "a | b b | done | x", "a | b | done | x\na | b | never | y"} {
		if _, err := readNotes(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	for pattern, names := range map[string][]string{"a.*": {"a.b", "a."}, "a.*_x_*": {"a.b_x_c"}, "*": {"a"}, "a": {"a"}} {
		for _, name := range names {
			if !matches(pattern, name) {
				t.Errorf("%s does not match %s", pattern, name)
			}
		}
	}
	for pattern, name := range map[string]string{"a.*": "b.a.", "a.*_x_*": "a.b_y_c", "a": "ab", "*b": "a"} {
		if matches(pattern, name) {
			t.Errorf("%s matches %s", pattern, name)
		}
	}
}
