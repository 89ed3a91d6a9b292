// Package deadline keeps an HTTP server from waiting for ever for peers that
// send only part of a request, or do not take the answer. The timeouts of
// http.Server are for whole exchanges, and so can't be used by servers some of
// whose answers are long or never end.
package deadline

import (
	"net/http"
	"time"
)

// Handler serves by next. It drops a peer that needs longer than d for its
// request, or for any part of the answer. Who goes on reading after the answer
// began, if only to learn that the peer went away, has to reset the read
// deadline.
func Handler(next http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &parts{ResponseWriter: w, control: http.NewResponseController(w), d: d}
		// A writer that knows no deadlines has no peer to wait for.
		_ = p.control.SetReadDeadline(time.Now().Add(d))
		p.renew()
		next.ServeHTTP(p, r)
	})
}

// parts writes an answer in parts, each with a deadline of its own.
type parts struct {
	http.ResponseWriter
	control *http.ResponseController
	d       time.Duration
}

// Unwrap is for http.ResponseController.
func (p *parts) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *parts) renew() { _ = p.control.SetWriteDeadline(time.Now().Add(p.d)) }

const partBytes = 64 << 10

// Write writes all of b.
func (p *parts) Write(b []byte) (n int, err error) {
	for first := true; err == nil && (first || n < len(b)); first = false {
		p.renew()
		var part int
		part, err = p.ResponseWriter.Write(b[n:min(len(b), n+partBytes)])
		n += part
	}
	return n, err
}
