package lint

import (
	"slices"
	"strings"
	"testing"
)

// arrow says what the packages of a room (itself and all below it) may import
// from the module. "x" allows x alone, "x/..." everything below it too. A room
// may always import what lies below itself. The longest matching room decides.
type arrow struct {
	room string
	may  []string
	why  string
}

var arrows = []arrow{
	{"api", []string{"api/...", "internal/..."}, "the wire depends on nothing, so that everybody may depend on it"},
	{"resources", []string{"api/...", "internal/errs"}, "the algebra knows the wire's shapes only"},
	{"allocator", []string{"resources/...", "api/...", "internal/..."}, "who is offered what is decided without master or network"},
	{"master/constraint", []string{"allocator", "api/...", "internal/errs"}, "what a framework says of agents is compiled without knowing who is there"},
	{"master/core", []string{"master/constraint", "master/registry", "allocator/...", "resources/...", "api/...", "internal/..."}, "the master's decisions are pure: no shell, no storage"},
	{"master/registry", []string{"resources/...", "api/...", "internal/..."}, "durable state knows its own operations only"},
	{"master", []string{"master/...", "allocator/...", "replog/...", "election", "resources/...", "api/...", "internal/..."}, "the master never reaches into agents or their containers"},
	{"replog/paxos", []string{"internal/assert"}, "the protocol core imports nothing"},
	{"replog", []string{"api/...", "internal/..."}, "the log serves everyone and knows nobody"},
	{"election", []string{"api/...", "internal/..."}, "agents carry the detector, so it must not carry the log"},
	{"isolator", []string{"isolator", "resources", "internal/..."}, "limits become kernel settings without knowing who asked"},
	{"images", []string{"api/...", "internal/..."}, "an image is content, not yet a container"},
	{"containerizer", []string{"isolator/...", "images/...", "resources", "api/...", "internal/..."}, "a container knows no agent"},
	{"agent", []string{"containerizer/...", "images/...", "isolator/...", "election", "resources", "api/...", "internal/..."}, "agent and master meet on the wire only; agents never carry allocator or log"},
	{"scheduler", []string{"api/...", "resources", "election", "internal/..."}, "frameworks get the v1 API and nothing private"},
	{"executor", []string{"api/...", "resources", "internal/..."}, "executors get the v1 API and nothing private"},
	{"cli", []string{"scheduler/...", "api/...", "resources", "election", "internal/..."}, "user commands use the public HTTP API alone"},
	{"internal", []string{"internal/..."}, "small things without domain words"},
	{"test/e2e", []string{"test/...", "api/...", "scheduler", "images/imagetest/...", "internal/..."}, "end-to-end tests see the product from outside"},
	{"docs", []string{"scheduler/...", "executor", "api/...", "resources", "election"}, "examples use what people who write frameworks have"},
	{"cmd", []string{"..."}, "wiring may know everything"},
	{"test", []string{"..."}, "tests may know everything"},
}

func allows(may []string, room string) bool {
	for _, m := range may {
		base, below := strings.CutSuffix(m, "...")
		base = strings.TrimSuffix(base, "/")
		if room == base || below && (base == "" || strings.HasPrefix(room, base+"/")) {
			return true
		}
	}
	return false
}

func arrowOf(room string) (arrow, bool) {
	best, found := arrow{}, false
	for _, a := range arrows {
		if (room == a.room || strings.HasPrefix(room, a.room+"/")) && len(a.room) >= len(best.room) {
			best, found = a, true
		}
	}
	return best, found
}

// TestArrows holds docs/architecture.md's table: goal, that no import crosses
// it unseen; method, go list of the whole module against the data above.
func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		a, ok := arrowOf(p.room())
		if !ok {
			t.Errorf("package %s has no room in the table of arrows_test.go: add its line and its reason", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			room, ours := strings.CutPrefix(imp, module+"/")
			if !ours || room == a.room || strings.HasPrefix(room, a.room+"/") || allows(a.may, room) {
				continue
			}
			t.Errorf("%s imports %s, but %s may import only %s: %s", p.room(), room, a.room, strings.Join(a.may, " "), a.why)
		}
	}
}

// TestNobodyImportsTheTop: wiring and tests are roots; nothing hangs below them.
func TestNobodyImportsTheTop(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			room, ours := strings.CutPrefix(imp, module+"/")
			if ours && (strings.HasPrefix(room, "cmd/") || strings.HasPrefix(room, "test/") && !strings.HasPrefix(p.room(), "test/")) {
				t.Errorf("%s imports %s: commands and tests are not libraries", p.room(), room)
			}
		}
	}
}

// TestNames: a folder is found by what is in it.
func TestNames(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "base"}
	for _, p := range packages(t) {
		if slices.Contains(banned, p.Name) {
			t.Errorf("package %s is called %s, which says nothing of what is in it", p.ImportPath, p.Name)
		}
	}
}
