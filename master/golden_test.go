package master_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var updateGolden = flag.Bool("update", false, "write testdata/*.json anew")

// TestGolden: goal, that what tools read stays as they read it, to the last key;
// method, the documents of a master that is busy, without what differs from run to
// run. What changes here changes for users: explain it in docs/compat.md.
func TestGolden(t *testing.T) {
	m, s := busy(t)
	for _, path := range []string{"/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", "/maintenance/status", "/weights", "/quota"} {
		code, body := fetch(t, m, path)
		if code != 200 {
			t.Errorf("%s: %d", path, code)
			continue
		}
		var doc bytes.Buffer
		if err := json.Indent(&doc, []byte(steady(body, s.id.GetValue(), m.Addr())), "", "  "); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		file := filepath.Join("testdata", strings.ReplaceAll(path[1:], "/", "-")+".json")
		if *updateGolden {
			if err := os.WriteFile(file, append(doc.Bytes(), '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := doc.String() + "\n"; got != string(want) {
			t.Errorf("%s is not what %s has:\n%s", path, file, firstDifference(got, string(want)))
		}
	}
}

// What differs from run to run.
var (
	uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times = regexp.MustCompile(`("[a-z_]*(?:time|timestamp)":|"nanoseconds":)-?[0-9.e+]+`)
	told  = regexp.MustCompile(`"uuid":"[^"]*"`)
	offer = regexp.MustCompile(`MASTER-O[0-9]+`)
	port  = regexp.MustCompile(`"port":[0-9]+`)
	built = regexp.MustCompile(`"(build_date|build_user|git_sha|hostname)":"[^"]*"`)
	gone  = regexp.MustCompile(`MASTER-[0-9]{4}`)
)

func steady(body, framework, addr string) string {
	body = uuids.ReplaceAllString(body, "MASTER")
	body = strings.ReplaceAll(body, uuids.ReplaceAllString(framework, "MASTER"), "FRAMEWORK")
	body = gone.ReplaceAllString(body, "GONE")
	body = strings.ReplaceAll(body, addr, "127.0.0.1:PORT")
	for re, with := range map[*regexp.Regexp]string{
		times: "${1}1", told: `"uuid":"UUID"`, offer: "OFFER", port: `"port":5050`, built: `"$1":""`,
	} {
		body = re.ReplaceAllString(body, with)
	}
	return body
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "line " + strconv.Itoa(i+1) + "\n- " + b[i] + "\n+ " + a[i]
		}
	}
	return "one ends before the other"
}
