package deadline_test

// Goal: who dawdles is dropped in time, and nobody else. Method: a server and its
// peer on a pipe, which takes nothing that is not read, and a clock of their own.

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"mezzo/internal/deadline"
)

const timeout = 30 * time.Second

// once is a listener with one connection.
type once chan net.Conn

func (o once) Accept() (net.Conn, error) {
	conn, open := <-o
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (o once) Close() error   { return nil }
func (o once) Addr() net.Addr { return &net.UnixAddr{} }

// exchange is what reading the request and writing the answer came to.
type exchange struct {
	read, written error
	took          time.Duration
}

// serve runs peer at the other end of a connection to a server whose answers
// have a size, and returns what the server saw.
func serve(t *testing.T, answer int, peer func(conn net.Conn)) (seen []exchange) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: deadline.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			var e exchange
			_, e.read = io.Copy(io.Discard, r.Body)
			_, e.written = w.Write(make([]byte, answer))
			e.took = time.Since(start)
			seen = append(seen, e)
		}), timeout)}
		ours, theirs := net.Pipe()
		listener := make(once, 1)
		listener <- theirs
		go func() { _ = s.Serve(listener) }()
		peer(ours)
		ours.Close()
		synctest.Wait()
		close(listener)
		s.Close()
	})
	return seen
}

func say(conn net.Conn, s string) { _, _ = io.WriteString(conn, s) }

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func TestHalfARequest(t *testing.T) {
	seen := serve(t, 0, func(conn net.Conn) {
		say(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
		_, _ = io.Copy(io.Discard, conn)
	})
	if len(seen) != 1 || !isTimeout(seen[0].read) || seen[0].took != timeout {
		t.Errorf("%+v", seen)
	}
}

func TestAnswerNotTaken(t *testing.T) {
	seen := serve(t, 1<<20, func(conn net.Conn) {
		say(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-time.After(2 * timeout)
	})
	if len(seen) != 1 || seen[0].read != nil || !isTimeout(seen[0].written) || seen[0].took != timeout {
		t.Errorf("%+v", seen)
	}
}

// TestSlowReader takes longer than the deadline for all, but not for a part.
func TestSlowReader(t *testing.T) {
	const size = 1 << 20
	var got int
	seen := serve(t, size, func(conn net.Conn) {
		say(conn, "GET / HTTP/1.0\r\n\r\n")
		for buf := make([]byte, 16<<10); ; <-time.After(timeout / 10) {
			n, err := conn.Read(buf)
			if got += n; err != nil {
				return
			}
		}
	})
	if len(seen) != 1 || seen[0].written != nil || got < size || seen[0].took < 2*timeout {
		t.Errorf("%+v, %d bytes read", seen, got)
	}
}

// TestNextRequest: what was left of one exchange's time does not end the next.
func TestNextRequest(t *testing.T) {
	seen := serve(t, 0, func(conn net.Conn) {
		for range 3 {
			say(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, _ = conn.Read(make([]byte, 1000))
			<-time.After(2 * timeout)
		}
	})
	if len(seen) != 3 {
		t.Errorf("%+v", seen)
	}
}
