package master

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mezzo/internal/files"
	"mezzo/internal/loglevel"
)

// routes maps the paths of the API to what serves them. All are served below
// /master too, and with a .json at their end, as tools of all ages expect.
func (m *Master) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/api/v1":           m.operator,
		"/api/v1/scheduler": m.scheduler,
		"/health":           get(m.health),
		"/version":          get(m.version),
		"/flags":            get(m.flags),
		"/metrics/snapshot": get(m.metrics),
		"/metrics":          get(m.prometheus),
		"/state":            get(m.state),
		"/state-summary":    get(m.stateSummary),
		"/help":             get(m.help),
		"/system/stats":     get(m.systemStats),
		"/slaves":           get(m.slaves),
		"/frameworks":       get(m.frameworks),
		"/tasks":            get(m.tasks),
		"/roles":            get(m.roles),
		"/quota":            methods(map[string]http.HandlerFunc{"GET": m.getQuota, "POST": m.postQuota, "DELETE": m.deleteQuota}),
		"/weights":          methods(map[string]http.HandlerFunc{"GET": m.getWeights, "PUT": m.putWeights}),
		"/usage":            get(m.usage),

		"/files/browse":   m.file(browseFile),
		"/files/read":     m.file(readFile),
		"/files/download": m.file(files.Download),
		"/files/debug":    get(m.attached),

		"/maintenance/schedule": methods(map[string]http.HandlerFunc{"GET": m.getSchedule, "POST": m.postSchedule}),
		"/maintenance/status":   get(m.maintenanceStatus),
		"/machine/down":         methods(map[string]http.HandlerFunc{"POST": m.machineDown}),
		"/machine/up":           methods(map[string]http.HandlerFunc{"POST": m.machineUp}),

		"/teardown":        methods(map[string]http.HandlerFunc{"POST": m.postTeardown}),
		"/reserve":         methods(map[string]http.HandlerFunc{"POST": m.postOperation("resources", reserveForm)}),
		"/unreserve":       methods(map[string]http.HandlerFunc{"POST": m.postOperation("resources", unreserveForm)}),
		"/create-volumes":  methods(map[string]http.HandlerFunc{"POST": m.postOperation("volumes", createForm)}),
		"/destroy-volumes": methods(map[string]http.HandlerFunc{"POST": m.postOperation("volumes", destroyForm)}),

		"/logging/toggle": func(w http.ResponseWriter, r *http.Request) { loglevel.Serve(w, r, m.deps.LogLevel) },

		"/redirect": m.redirect,
	}
}

// ServeHTTP serves the API, and the agents' streams to who speaks gRPC.
func (m *Master) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isGRPC(r) {
		m.grpc.ServeHTTP(w, r)
		return
	}
	m.api.ServeHTTP(w, r)
}

// serveAPI finds who serves a request.
func (m *Master) serveAPI(w http.ResponseWriter, r *http.Request) {
	handler, exact := m.find(r.URL.Path)
	if handler == nil || !exact && strings.HasPrefix(trim(r.URL.Path), "/redirect") {
		refuse(w, http.StatusNotFound, "there is nothing at %s", r.URL.Path)
		return
	}
	if !m.elsewhere(w, r) {
		handler(w, r)
	}
}

// find looks for the longest path that is a prefix of path, as libprocess does.
func (m *Master) find(path string) (handler http.HandlerFunc, exact bool) {
	path = trim(path)
	for p := path; p != ""; p = p[:strings.LastIndexByte(p, '/')] {
		if h, ok := m.handlers[p]; ok {
			return h, p == path
		}
	}
	return nil, false
}

// trim reduces the forms of a path to one.
func trim(path string) string {
	path = strings.TrimRight(path, "/")
	if rest, ok := strings.CutPrefix(path, "/master"); ok && strings.HasPrefix(rest, "/") {
		path = rest
	}
	return strings.TrimSuffix(path, ".json")
}

// get lets only reading methods through.
func get(h http.HandlerFunc) http.HandlerFunc {
	return methods(map[string]http.HandlerFunc{http.MethodGet: h})
}

// methods serves each method in its way; HEAD goes with GET.
func methods(by map[string]http.HandlerFunc) http.HandlerFunc {
	named := slices.Sorted(maps.Keys(by))
	by[http.MethodHead] = by[http.MethodGet]
	return func(w http.ResponseWriter, r *http.Request) {
		h := by[r.Method]
		if h == nil {
			w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(by)), ", "))
			refuse(w, http.StatusMethodNotAllowed, "expecting %s, not %s", strings.Join(named, " or "), r.Method)
			return
		}
		h(w, r)
	}
}

// redirect leads to the leading master. The scheme stays the caller's.
func (m *Master) redirect(w http.ResponseWriter, _ *http.Request) {
	leader := m.advertised
	if m.lead().elected.IsZero() {
		leader = m.contender.Leader()
	}
	if leader == "" {
		refuse(w, http.StatusServiceUnavailable, "no master leads at this moment")
		return
	}
	w.Header().Set("Location", "//"+leader)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// help serves GET /help: the paths there are.
func (m *Master) help(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "The paths of a mezzo master. All are served below /master too, and with .json at their end.")
	for _, path := range slices.Sorted(maps.Keys(m.handlers)) {
		fmt.Fprintln(w, path)
	}
}
