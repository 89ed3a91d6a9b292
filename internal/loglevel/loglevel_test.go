package loglevel

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mezzo/internal/errs"
)

func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(slog.LevelWarn)
		is := func(verbosity uint32, level slog.Level) {
			t.Helper()
			if l.Verbosity() != verbosity || l.Level() != level {
				t.Errorf("verbosity %d, level %v, want %d, %v", l.Verbosity(), l.Level(), verbosity, level)
			}
		}
		set := func(verbosity uint32, d time.Duration) {
			t.Helper()
			if err := l.Set(verbosity, d); err != nil {
				t.Fatal(err)
			}
		}
		after := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		is(0, slog.LevelWarn)
		set(2, time.Minute)
		is(2, slog.LevelDebug)
		after(50 * time.Second)
		set(1, time.Minute)
		after(50 * time.Second)
		is(1, slog.LevelDebug)
		after(11 * time.Second)
		is(0, slog.LevelWarn)
		set(1, time.Minute)
		set(0, time.Minute)
		is(0, slog.LevelWarn)
	})
	for _, c := range []struct {
		verbosity uint32
		during    time.Duration
	}{{4, time.Second}, {1, -1}, {1, 25 * time.Hour}} {
		if err := New(slog.LevelInfo).Set(c.verbosity, c.during); !errors.Is(err, errs.Invalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestServe(t *testing.T) {
	l := New(slog.LevelInfo)
	ask := func(method, query string, status int, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		Serve(w, httptest.NewRequest(method, "/logging/toggle"+query, nil), l)
		if w.Code != status || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s %s: %d %s, want %d with %q", method, query, w.Code, w.Body, status, says)
		}
	}
	ask("GET", "", 200, "0")
	ask("POST", "?level=2&duration=10mins", 200, "")
	ask("GET", "", 200, "2")
	ask("GET", "?level=0&duration=1secs", 200, "")
	ask("GET", "?level=9&duration=1secs", 400, "above 3")
	ask("GET", "?level=1&duration=-1secs", 400, "")
	ask("GET", "", 200, "0")
	l = nil
	ask("GET", "", 200, "0")
	ask("GET", "?level=1&duration=1secs", 501, "cannot be changed")
}
