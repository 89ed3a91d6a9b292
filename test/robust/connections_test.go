package robust

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"mezzo/api/recordio"
)

// testConnections says on the port what no client of ours would.
func testConnections(t *testing.T, c *cluster) {
	for _, addr := range []string{c.Master, c.Agents[0]} {
		for _, tc := range []struct{ name, says, answer string }{
			{"garbage", "\x01\x02\xfe\xff\r\n\r\nhello\r\n\r\n", "HTTP/1.1 400 "},
			{"no version", "GET /health\r\n\r\n", "HTTP/1.1 400 "},
			{"a version to come", "GET /health HTTP/7.3\r\nHost: x\r\n\r\n", "HTTP/1.1 505 "},
			{"HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n", "HTTP/1.0 200 "},
			{"no host", "GET /health HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
			{"two lengths", "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400 "},
			{"negative length", "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "},
			{"length of nothing", "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 400 "},
			{"bad chunk", "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 "},
			{"endless chunk", "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "HTTP/1.1 400 "},
			{"header of two megabytes", "GET /health HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", "HTTP/1.1 431 "},
			{"header split in two", "GET /health HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", "HTTP/1.1 400 "},
		} {
			t.Run(tc.name, func(t *testing.T) {
				conn := dial(t, addr)
				go func() { _, _ = io.WriteString(conn, tc.says) }() // may not be read to its end
				line, err := bufio.NewReader(conn).ReadString('\n')
				if !strings.HasPrefix(line, tc.answer) {
					t.Errorf("%q, %v, want %q", line, err, tc.answer)
				}
			})
		}
		t.Run("TLS", func(t *testing.T) {
			conn := dial(t, addr)
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
				t.Errorf("handshake: %v", err)
			}
		})
	}
	t.Run("subscription in HTTP/1.0", func(t *testing.T) { testOldSubscription(t, c) })
	t.Run("HTTP/2", func(t *testing.T) { testHTTP2(t, c) })
	c.works(t)
}

// testOldSubscription: without chunks, the records are the body.
func testOldSubscription(t *testing.T, c *cluster) {
	conn := dial(t, c.Master)
	_, err := io.WriteString(conn, "POST /api/v1/scheduler HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: "+
		strconv.Itoa(len(subscribeJSON))+"\r\n\r\n"+subscribeJSON)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	record, err := recordio.NewReader(resp.Body, 1<<20).Next()
	if err != nil || !bytes.Contains(record, []byte(`"type":"SUBSCRIBED"`)) {
		t.Errorf("%s: %q, %v", resp.Status, record, err)
	}
}

// testHTTP2 speaks HTTP/2 without asking, as gRPC does, to what is no gRPC.
func testHTTP2(t *testing.T, c *cluster) {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, e := range []exchange{
		{name: "health", method: "GET", path: "/health", status: 200},
		{name: "state", method: "GET", path: "/state", status: 200, says: `"slaves":`},
		{name: "nothing there", method: "GET", path: "/nowhere", status: 404, says: "/nowhere"},
		{name: "wrong type", method: "POST", path: "/api/v1/scheduler", headers: "Content-Type: text/plain", body: "{", status: 415, says: asJSON},
		{name: "subscription", method: "POST", path: "/api/v1/scheduler", headers: "Content-Type: " + asJSON, body: subscribeJSON, status: 200},
		{name: "gRPC elsewhere", method: "POST", path: "/api/v1/scheduler", headers: "Content-Type: application/grpc\nTE: trailers", body: "x", status: 200},
		{name: "GET of gRPC", method: "GET", path: "/mezzo.link.v1.AgentLink/Attach", headers: "Content-Type: application/grpc", status: 405},
		{name: "a type like gRPC's", method: "POST", path: "/mezzo.link.v1.AgentLink/Attach", headers: "Content-Type: application/grpcx", status: 404},
	} {
		t.Run(e.name, func(t *testing.T) { e.do(t, client, c.Master) })
	}
	t.Run("garbage after the preface", func(t *testing.T) {
		conn := dial(t, c.Master)
		if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+strings.Repeat("\xff", 1000)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
			t.Error(err)
		}
	})
}

func isReset(err error) bool { return strings.Contains(err.Error(), "connection reset") }

// dawdlers are connections on which nothing, or not enough, is said.
type dawdlers map[string]chan error // receive when the other side is tired of them

// dawdle opens them. They are looked at later, for patience has to run out.
func dawdle(t *testing.T, c *cluster) dawdlers {
	all := dawdlers{}
	post := "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
	for node, addr := range map[string]string{"master": c.Master, "agent": c.Agents[0]} {
		for name, says := range map[string]string{
			"nothing":                    "",
			"half a line":                "GET /hea",
			"half a header":              "GET /health HTTP/1.1\r\nHost:",
			"half a body":                post + `{"type":`,
			"no body":                    post,
			"no body for who needs none": strings.Replace(post, "POST /api/v1", "GET /health", 1),
			"no chunk":                   "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
		} {
			conn := dial(t, addr)
			done := make(chan error, 1)
			all[node+": "+name] = done
			go drip(conn, says, done)
		}
		conn := dial(t, addr)
		done := make(chan error, 1)
		all[node+": answers not taken"] = done
		go flood(conn, "GET /metrics/snapshot HTTP/1.1\r\nHost: x\r\n\r\n", done)
	}
	return all
}

// flood asks until nobody listens, and takes no answer.
func flood(conn net.Conn, asks string, done chan<- error) {
	for {
		if _, err := io.WriteString(conn, asks); err != nil {
			done <- nil
			return
		}
	}
}

// drip writes a byte a second after what it has to say.
func drip(conn net.Conn, says string, done chan<- error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, err := io.WriteString(conn, says)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for err == nil && says != "" {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, err = io.WriteString(conn, " ")
			}
		}
	}()
	_, err := io.Copy(io.Discard, conn)
	done <- err
}

// gone waits until each has been dropped.
func (d dawdlers) gone(t *testing.T) {
	deadline := time.After(time.Minute)
	for name, done := range d {
		select {
		case err := <-done:
			if err != nil && !isReset(err) {
				t.Errorf("%s: %v", name, err)
			}
		case <-deadline:
			t.Errorf("%s: is still listened to", name)
		}
	}
}
