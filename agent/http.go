package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mezzo/agent/session"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/internal/loglevel"
)

// server is the agent's HTTP API. Each answer comes from a snapshot, in the
// request's own goroutine.
type server struct {
	snapshot func(context.Context) (*snapshot, error)
	log      *slog.Logger
	logLevel *loglevel.Level // nil: it cannot be changed
	workDir  string
	endpoint string // "ip:port"
	flags    map[string]string
	version  *v1.VersionInfo
	logFile  string
	images   Images
	sessions *session.Sessions

	owner       executorOwner
	nestedOwner nestedOwner
	start       time.Time
}

// view answers a GET with something for JSON.
type view func(*server, *snapshot, *http.Request) (any, error)

// views are the endpoints of Mesos, each also below /slave(1) and with .json.
var views = map[string]view{
	"/containerizer/debug": (*server).pending,
	"/containers":          (*server).containers,
	"/files/browse":        (*server).browse,
	"/files/debug":         (*server).attached,
	"/files/read":          (*server).read,
	"/flags":               (*server).flagsView,
	"/metrics/snapshot":    (*server).metrics,
	"/monitor/statistics":  (*server).statistics,
	"/state":               (*server).state,
	"/system/stats":        (*server).systemStats,
	"/version":             (*server).versionView,
}

// others are the endpoints that answer in a way of their own.
func (s *server) others() map[string]http.HandlerFunc {
	get := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s.get(w, r, func(w http.ResponseWriter) error { return f(w, r) })
		}
	}
	return map[string]http.HandlerFunc{
		"/api/v1":          s.operator,
		"/api/v1/executor": s.executorAPI,
		"/files/download":  get(s.download),
		"/health":          get(func(http.ResponseWriter, *http.Request) error { return nil }),
		"/help":            get(s.help),
		"/logging/toggle":  func(w http.ResponseWriter, r *http.Request) { loglevel.Serve(w, r, s.logLevel) },
		"/metrics":         get(s.prometheus),
	}
}

// ServeHTTP finds the endpoint.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := endpointOf(r.URL.Path)
	if v, ok := views[path]; ok {
		s.get(w, r, func(w http.ResponseWriter) error { return s.render(w, r, v) })
		return
	}
	if h := s.others()[path]; h != nil {
		h(w, r)
		return
	}
	http.NotFound(w, r)
}

// endpointOf is the path without what tools put around it.
func endpointOf(path string) string {
	path = strings.TrimPrefix(path, "/slave(1)")
	path = strings.TrimRight(path, "/")
	return strings.TrimSuffix(path, ".json")
}

// get answers a GET by f, or an error that f returned before it wrote anything.
func (s *server) get(w http.ResponseWriter, r *http.Request, f func(http.ResponseWriter) error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, fmt.Sprintf("Expecting one of { 'GET', 'HEAD' }, but received '%s'", r.Method), http.StatusMethodNotAllowed)
		return
	}
	if err := f(w); err != nil {
		s.fail(w, r, err)
	}
}

// fail answers with an error's class and sentence.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	if status == http.StatusInternalServerError {
		s.log.Warn("request failed", "path", r.URL.Path, "err", err)
	}
	http.Error(w, err.Error(), status)
}

// statusOf maps the classes of errors to HTTP.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errs.Invalid):
		return http.StatusBadRequest
	case errors.Is(err, errs.NotFound):
		return http.StatusNotFound
	case errors.Is(err, errNotAcceptable):
		return http.StatusNotAcceptable
	case errors.Is(err, errs.Conflict), errors.Is(err, errs.Exists):
		return http.StatusConflict
	case errors.Is(err, errs.Exhausted):
		return http.StatusTooManyRequests
	case errors.Is(err, errs.Unsupported):
		return http.StatusNotImplemented
	case errors.Is(err, errs.Unavailable), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// render writes what v shows as JSON, or as JSONP where that is asked for.
func (s *server) render(w http.ResponseWriter, r *http.Request, v view) error {
	callback := r.URL.Query().Get("jsonp")
	if strings.ContainsFunc(callback, notOfJavaScript) {
		return fmt.Errorf("jsonp %q is not the name of a function: %w", callback, errs.Invalid)
	}
	snap, err := s.snapshot(r.Context())
	if err != nil {
		return err
	}
	shown, err := v(s, snap, r)
	if err != nil {
		return err
	}
	body, err := json.Marshal(shown)
	if err != nil {
		return fmt.Errorf("write %s: %w", r.URL.Path, err)
	}
	if callback != "" {
		w.Header().Set("Content-Type", "text/javascript")
		body = fmt.Appendf(nil, "%s(%s);", callback, body)
	} else {
		w.Header().Set("Content-Type", "application/json")
	}
	_, _ = w.Write(body) // a reader that went away is no error of ours
	return nil
}

// notOfJavaScript says that r is in no name of a function or its object.
func notOfJavaScript(r rune) bool {
	return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && (r < '0' || '9' < r) && !strings.ContainsRune("_$.[]", r)
}

// help answers /help: the paths there are.
func (s *server) help(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	paths := append(slices.Collect(maps.Keys(views)), slices.Collect(maps.Keys(s.others()))...)
	slices.Sort(paths)
	// A reader that went away is no error of ours.
	_, _ = fmt.Fprintf(w, "The paths of a mezzo agent. All are served below /slave(1) too, and with .json at their end.\n%s\n", strings.Join(paths, "\n"))
	return nil
}
