// Package prom shows metrics with the names of Mesos as Prometheus reads them.
package prom

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sample is one metric by its name of Mesos, "master/cpus_total".
type Sample struct {
	Name  string
	Help  string // may be empty
	Kind  string // "counter", "gauge", or empty if that is not known
	Value float64
}

// Serve answers a scrape.
func Serve(w http.ResponseWriter, r *http.Request, samples []Sample) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector(samples)) // it describes nothing that could be there twice
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// collector hands out samples; it declares none of them, as they come and go.
type collector []Sample

func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect hands out each series once, all of one name with the help and the type of
// the first.
func (c collector) Collect(out chan<- prometheus.Metric) {
	type family struct {
		help string
		kind prometheus.ValueType
		seen map[string]bool // values of labels
	}
	families := make(map[string]*family)
	slices.SortFunc(c, func(a, b Sample) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range c {
		name, labels := Series(s.Name)
		keys := slices.Sorted(maps.Keys(labels))
		values := make([]string, len(keys))
		for i, key := range keys {
			values[i] = labels[key]
		}
		f := families[name]
		if f == nil {
			f = &family{help: s.Help, kind: kinds[s.Kind], seen: make(map[string]bool)}
			if len(labels) > 0 || f.help == "" {
				f.help = "Mesos: " + pattern(s.Name, labels)
			}
			families[name] = f
		}
		key := strings.Join(keys, "\x00") + "\x01" + strings.Join(values, "\x00")
		if f.seen[key] {
			continue
		}
		f.seen[key] = true
		desc := prometheus.NewDesc(name, f.help, keys, nil)
		metric, err := prometheus.NewConstMetric(desc, f.kind, s.Value, values...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(desc, err)
		}
		out <- metric
	}
}

// kinds are those of Sample.Kind.
var kinds = map[string]prometheus.ValueType{"": prometheus.UntypedValue, "counter": prometheus.CounterValue, "gauge": prometheus.GaugeValue}

// prefix is that of all names.
const prefix = "mezzo_"

// Series is the name of a metric for Prometheus, with what in Mesos's name is whose
// it is, and not what, as labels.
func Series(name string) (string, map[string]string) {
	parts := strings.Split(name, "/")
	labels := make(map[string]string)
	var kept []string
	for i := 0; i < len(parts); i++ {
		p := parts[i]
		next := func(label string) {
			if i++; i < len(parts) {
				labels[label] = unescape(parts[i])
			}
		}
		switch {
		case p == "frameworks" && i > 0 && len(parts) > i+2:
			kept = append(kept, "framework")
			next("framework")
			next("framework_id")
		case p == "roles" && i > 0 && len(parts) > i+2:
			kept = append(kept, "role")
			next("role")
		case p == "resources" && slices.Contains(kept, "role") && len(parts) > i+2:
			kept = append(kept, "resource")
			next("resource")
		case strings.HasPrefix(p, "source_") && i > 0 && strings.HasPrefix(parts[i-1], "task_"):
			labels["source"] = strings.TrimPrefix(p, "source_")
		case strings.HasPrefix(p, "reason_") && labels["source"] != "":
			labels["reason"] = strings.TrimPrefix(p, "reason_")
		case len(p) > 1 && p[0] == 'p' && strings.Trim(p[1:], "0123456789") == "":
			labels["percentile"] = p[1:]
			kept = append(kept, "percentile")
		default:
			kept = append(kept, p)
		}
	}
	return prefix + word(strings.Join(kept, "_")), labels
}

// pattern is Mesos's name without what became labels.
func pattern(name string, labels map[string]string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		for key, value := range labels {
			switch {
			case unescape(p) == value && (key == "framework" || key == "framework_id" || key == "role" || key == "resource"):
				parts[i] = "<" + key + ">"
			case key == "percentile" && p == "p"+value:
				parts[i] = "p<NN>"
			case (key == "source" || key == "reason") && p == key+"_"+value:
				parts[i] = key + "_<" + key + ">"
			}
		}
	}
	return strings.Join(parts, "/")
}

func unescape(p string) string {
	if u, err := url.QueryUnescape(p); err == nil {
		return strings.ToValidUTF8(u, "�")
	}
	return strings.ToValidUTF8(p, "�")
}

// word has nothing in it but letters, digits and underscores.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, s)
}
