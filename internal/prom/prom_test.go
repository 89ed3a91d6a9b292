package prom

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSeries(t *testing.T) {
	for name, want := range map[string]struct {
		name   string
		labels map[string]string
	}{
		"master/cpus_total":                                    {"mezzo_master_cpus_total", nil},
		"master/frameworks/my+fw%2Fx/F-1/offers/sent":          {"mezzo_master_framework_offers_sent", map[string]string{"framework": "my fw/x", "framework_id": "F-1"}},
		"master/frameworks/fw/F-1/roles/a%2Fb/suppressed":      {"mezzo_master_framework_role_suppressed", map[string]string{"framework": "fw", "framework_id": "F-1", "role": "a/b"}},
		"allocator/mesos/quota/roles/eng/resources/cpus/limit": {"mezzo_allocator_mesos_quota_role_resource_limit", map[string]string{"role": "eng", "resource": "cpus"}},
		"master/task_lost/source_master/reason_slave_removed":  {"mezzo_master_task_lost", map[string]string{"source": "master", "reason": "slave_removed"}},
		"allocator/mesos/allocation_run_ms/p9999":              {"mezzo_allocator_mesos_allocation_run_ms_percentile", map[string]string{"percentile": "9999"}},
		"master/frameworks_active":                             {"mezzo_master_frameworks_active", nil},
		"containerizer/mesos/container_destroy_errors":         {"mezzo_containerizer_mesos_container_destroy_errors", nil},
	} {
		got, labels := Series(name)
		if want.labels == nil {
			want.labels = map[string]string{}
		}
		if d := cmp.Diff(want.labels, labels); got != want.name || d != "" {
			t.Errorf("%s: %s, labels (-want +got):\n%s", name, got, d)
		}
	}
}

func TestServe(t *testing.T) {
	w := httptest.NewRecorder()
	Serve(w, httptest.NewRequest("GET", "/metrics", nil), []Sample{
		{Name: "master/elected", Help: "1 if this master leads", Kind: "gauge", Value: 1},
		{Name: "master/dropped_messages", Kind: "counter", Value: 3},
		{Name: "run_ms", Help: "the last", Value: 9}, {Name: "run_ms/p50", Value: 8}, {Name: "run.ms", Value: 7},
		{Name: "master/frameworks/a%22b%0A/F1/calls", Value: 2}, {Name: "master/frameworks/a/F2/calls", Value: 4},
	})
	for _, want := range []string{
		"# HELP mezzo_master_elected 1 if this master leads\n# TYPE mezzo_master_elected gauge\nmezzo_master_elected 1\n",
		"# TYPE mezzo_master_dropped_messages counter\nmezzo_master_dropped_messages 3\n",
		"\nmezzo_run_ms_percentile{percentile=\"50\"} 8\n",
		`mezzo_master_framework_calls{framework="a\"b\n",framework_id="F1"} 2`, `mezzo_master_framework_calls{framework="a",framework_id="F2"} 4`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q is not in\n%s", want, w.Body)
		}
	}
}

// FuzzServe: whatever metrics are called, they can be read.
func FuzzServe(f *testing.F) {
	for _, s := range []string{"master/cpus", "a/frameworks/%zz/\xff/x", "", "//", "0", "a/roles/r/é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := httptest.NewRecorder()
		Serve(w, httptest.NewRequest("GET", "/metrics", nil), []Sample{{Name: name, Value: 1}})
		if w.Code != 200 {
			t.Fatalf("%q: %d %s", name, w.Code, w.Body)
		}
	})
}
