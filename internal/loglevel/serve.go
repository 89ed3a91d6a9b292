package loglevel

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mezzo/internal/errs"
	"mezzo/internal/flags"
)

// ErrFixed answers who wants to change a level that cannot be.
var ErrFixed = fmt.Errorf("the logging level of this process cannot be changed: %w", errs.Unsupported)

// Call is a SET_LOGGING_LEVEL.
func (l *Level) Call(verbosity uint32, during time.Duration) error {
	if l == nil {
		return ErrFixed
	}
	return l.Set(verbosity, during)
}

// Ask is a GET_LOGGING_LEVEL.
func (l *Level) Ask() uint32 {
	if l == nil {
		return 0
	}
	return l.Verbosity()
}

// Serve answers /logging/toggle: without a query with the verbosity, else
// with level=N&duration=30secs.
//
// Source: 3rdparty/libprocess/src/logging.cpp.
func Serve(w http.ResponseWriter, r *http.Request, l *Level) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "expecting GET or POST, not "+r.Method, http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	if !q.Has("level") && !q.Has("duration") {
		fmt.Fprintln(w, l.Ask())
		return
	}
	verbosity, err := strconv.ParseUint(q.Get("level"), 10, 32)
	if err != nil {
		http.Error(w, fmt.Sprintf("level %q is not a number", q.Get("level")), http.StatusBadRequest)
		return
	}
	during, err := flags.ParseDuration(q.Get("duration"))
	if err != nil {
		http.Error(w, fmt.Sprintf("duration %q: %v", q.Get("duration"), err), http.StatusBadRequest)
		return
	}
	switch err := l.Call(uint32(verbosity), during); {
	case errors.Is(err, errs.Unsupported):
		http.Error(w, errs.Text(err), http.StatusNotImplemented)
	case err != nil:
		http.Error(w, errs.Text(err), http.StatusBadRequest)
	}
}
