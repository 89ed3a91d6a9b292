package master

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/flags"
	"mezzo/internal/prom"
	"mezzo/master/core"
)

// metrics serves GET /metrics/snapshot[?timeout=100ms]. Nothing it shows has to
// be waited for, so the timeout is only checked.
func (m *Master) metrics(w http.ResponseWriter, r *http.Request) {
	if text := r.URL.Query().Get("timeout"); text != "" {
		if _, err := flags.ParseDuration(text); err != nil {
			fail(w, fmt.Errorf("timeout %q: %w", text, err))
			return
		}
	}
	s, err := m.measured()
	if err != nil {
		fail(w, err)
		return
	}
	respondJSON(w, r, m.readings(s))
}

// measured is what metrics are read from: nothing, of a master that doesn't lead.
func (m *Master) measured() (*core.Snapshot, error) {
	if t := m.lead(); !t.elected.IsZero() {
		return t.loop.read()
	}
	return &core.Snapshot{}, nil
}

// prometheus serves GET /metrics.
func (m *Master) prometheus(w http.ResponseWriter, r *http.Request) {
	s, err := m.measured()
	if err != nil {
		fail(w, err)
		return
	}
	known := make(map[string]*metric, len(declared))
	for i := range declared {
		known[declared[i].name] = &declared[i]
	}
	var samples []prom.Sample
	for name, value := range m.readings(s) {
		sample := prom.Sample{Name: name, Value: value}
		if d := known[name]; d != nil {
			sample.Help, sample.Kind = d.help, d.kind
		}
		samples = append(samples, sample)
	}
	prom.Serve(w, r, samples)
}

// metricList is the metrics in the form of GET_METRICS, by name.
func (m *Master) metricList(s *core.Snapshot) []*v1.Metric {
	var list []*v1.Metric
	for name, value := range m.readings(s) {
		list = append(list, &v1.Metric{Name: &name, Value: proto.Float64(value)})
	}
	slices.SortFunc(list, func(a, b *v1.Metric) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list
}

// readings are all metrics by name.
func (m *Master) readings(s *core.Snapshot) map[string]float64 {
	t := takeTally(s)
	t.uptime = time.Since(m.started).Seconds()
	now := m.lead()
	t.elected = !now.elected.IsZero()
	t.inbox = len(now.loop.inbox) + len(now.loop.told)
	t.watching = now.loop.watching.Load()
	t.now = time.Now()
	t.rounds = now.loop.rounds.read()
	t.stores, t.queuedStores, t.kept = now.loop.gate.load()
	t.loaded = now.loaded
	if m.contender != nil {
		t.replicas, t.recovered = m.contender.Replicas()
	}
	out := make(map[string]float64, len(declared))
	for _, d := range declared {
		out[d.name] = d.value(t)
	}
	for end, n := range s.TaskEnds {
		out[endName(end)] = float64(n)
	}
	for i := range s.Frameworks {
		frameworkReadings(out, &s.Frameworks[i], t.now)
	}
	roleReadings(out, s)
	systemReadings(out)
	return out
}

// endName is the metric of one way for tasks to end, in the words of the wire
// before agents were called that.
func endName(e core.TaskEnd) string {
	word := func(enum, prefix string) string {
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(enum, prefix)), "agent", "slave")
	}
	return "master/task_" + word(e.State.String(), "TASK_") +
		"/source_" + word(e.Source.String(), "SOURCE_") +
		"/reason_" + word(e.Reason.String(), "REASON_")
}

// frameworkReadings are the metrics of one framework, below its name and id.
func frameworkReadings(out map[string]float64, f *core.FrameworkView, now time.Time) {
	base := "master/frameworks/" + url.QueryEscape(f.Info.GetName()) + "/" + string(f.ID) + "/"
	out[base+"subscribed"] = one(f.Connected)
	out[base+"calls"] = float64(f.Counts.Calls)
	out[base+"events"] = float64(f.Counts.Events)
	out[base+"offers/sent"] = float64(f.Counts.OffersSent)
	out[base+"offers/accepted"] = float64(f.Counts.OffersAccepted)
	out[base+"offers/declined"] = float64(f.Counts.OffersDeclined)
	out[base+"offers/rescinded"] = float64(f.Counts.OffersRescinded)
	out[base+"offers/held"] = float64(len(f.Offers))
	out[base+"offers/oldest_secs"] = age(now, f.OldestOffer())
	for _, state := range []v1.TaskState{
		v1.TaskState_TASK_STAGING, v1.TaskState_TASK_STARTING, v1.TaskState_TASK_RUNNING, v1.TaskState_TASK_KILLING,
	} {
		out[base+"tasks/active/"+strings.ToLower(state.String())] = 0
	}
	for _, t := range f.Tasks {
		out[base+"tasks/active/"+strings.ToLower(t.State.String())]++
	}
	for state, n := range f.Counts.Ended {
		out[base+"tasks/terminal/"+strings.ToLower(state.String())] = float64(n)
	}
	for _, role := range f.Roles() {
		out[base+"roles/"+url.QueryEscape(role)+"/suppressed"] = one(slices.Contains(f.Suppressed, role))
	}
}

// roleReadings are the metrics of roles: shares of those that have frameworks,
// and quota. Only what is guaranteed or limited is shown.
func roleReadings(out map[string]float64, s *core.Snapshot) {
	for _, share := range s.Shares {
		out["allocator/mesos/roles/"+url.QueryEscape(share.Role)+"/shares/dominant"] = share.Fraction()
	}
	for i := range s.Quotas {
		q := &s.Quotas[i]
		base := "allocator/mesos/quota/roles/" + url.QueryEscape(q.Role) + "/resources/"
		for _, a := range q.Guarantee {
			out[base+a.Name+"/guarantee"] = a.Amount.Float()
			out[base+a.Name+"/consumed"] = q.Consumed.Get(a.Name).Float()
		}
		for _, a := range q.Limit {
			out[base+a.Name+"/limit"] = a.Amount.Float()
			out[base+a.Name+"/consumed"] = q.Consumed.Get(a.Name).Float()
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// systemStats serves GET /system/stats: the machine's load, processors and memory.
//
// Source: 3rdparty/libprocess/include/process/system.hpp.
func (m *Master) systemStats(w http.ResponseWriter, r *http.Request) {
	values, out := make(map[string]float64), make(map[string]float64)
	systemReadings(values)
	for name, v := range values {
		name = strings.TrimPrefix(name, "system/")
		if strings.HasPrefix(name, "load_") {
			name = "avg_" + name
		}
		out[name] = v
	}
	respondJSON(w, r, out)
}
