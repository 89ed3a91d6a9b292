package agent

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestMetricsDocumented holds docs/monitoring.md against what is served: no
// name more, none less, each with what the code says of it.
func TestMetricsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, ours, found := strings.Cut(string(doc), "\n## Agent\n")
	if !found {
		t.Fatal("docs/monitoring.md has no section Agent")
	}
	listed := make(map[string]string)
	for line := range strings.Lines(ours) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.HasPrefix(cells[1], " `") {
			listed[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[3])
		}
	}
	help := make(map[string]string)
	for _, m := range metrics {
		help[m.name] = m.help
	}
	served := decode(t, newTestServer(t), "/metrics/snapshot").(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(served)) {
		switch got, ok := listed[name]; {
		case !ok:
			t.Errorf("%s is served, but not in docs/monitoring.md", name)
		case help[name] != "" && got != help[name]:
			t.Errorf("%s is %q in docs/monitoring.md, want %q", name, got, help[name])
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("%s is in docs/monitoring.md, but not served", name)
	}
}
