package master_test

// Goal: every rule of the transport that real clients rely on, on the wire.
// Method: one row per rule against one master; then raw connections, where the
// bytes matter.

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master"
)

const (
	jsonType     = "application/json"
	protobufType = "application/x-protobuf"
)

func TestStatusCodes(t *testing.T) {
	m := start(t, nil)
	s := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{})
	id := s.id.GetValue()
	away := subscribe(t, m, codec.JSON, &v1.FrameworkInfo{
		User: proto.String("u"), Name: proto.String("away"), FailoverTimeout: proto.Float64(1000),
	})
	disconnect(t, m, away)

	revive := fmt.Sprintf(`{"framework_id":{"value":%q},"type":"REVIVE"}`, id)
	const (
		schedulerPath = "/api/v1/scheduler"
		operatorPath  = "/api/v1"
		subscription  = `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`
	)
	type header = map[string]string
	for _, row := range []struct {
		name         string
		method, path string
		header       header
		body         string
		status       int
		says         string // part of the body
	}{
		{"wrong method", "GET", schedulerPath, nil, "", 405, "POST"},
		{"wrong method, operator", "PUT", operatorPath, nil, "", 405, "POST"},
		{"no content type", "POST", schedulerPath, nil, revive, 400, "Content-Type"},
		{"other content type", "POST", schedulerPath, header{"Content-Type": "text/plain"}, revive, 415, jsonType},
		{"recordio content type", "POST", schedulerPath, header{"Content-Type": "application/recordio"}, revive, 415, protobufType},
		{"not JSON", "POST", schedulerPath, header{"Content-Type": jsonType}, "{", 400, "mesos.v1.scheduler.Call"},
		{"not protobuf", "POST", schedulerPath, header{"Content-Type": protobufType}, "\xff", 400, "malformed"},
		{"empty JSON body", "POST", schedulerPath, header{"Content-Type": jsonType}, "", 400, ""},
		{"no type", "POST", schedulerPath, header{"Content-Type": jsonType}, "{}", 400, "call has no type"},
		{"no subscribe", "POST", schedulerPath, header{"Content-Type": jsonType}, `{"type":"SUBSCRIBE"}`, 400, "subscribe is missing"},
		{"no framework id", "POST", schedulerPath, header{"Content-Type": jsonType}, `{"type":"REVIVE"}`, 400, "framework_id is missing"},
		{"required field missing", "POST", schedulerPath, header{"Content-Type": jsonType}, `{"type":"KILL","framework_id":{"value":"x"},"kill":{}}`, 400, "task_id"},
		{"short uuid", "POST", schedulerPath, header{"Content-Type": jsonType},
			`{"type":"ACKNOWLEDGE","framework_id":{"value":"x"},"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"YWJj"}}`, 400, "uuid"},
		{"accept neither", "POST", schedulerPath, header{"Content-Type": jsonType, "Accept": "text/html"}, subscription, 406, "Accept"},
		{"accept is not looked at otherwise", "POST", schedulerPath, header{"Content-Type": jsonType, "Accept": "text/html", "Mesos-Stream-Id": s.stream}, revive, 202, ""},
		{"stream id on subscribe", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": "x"}, subscription, 400, "Mesos-Stream-Id"},
		{"unknown framework", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream},
			`{"framework_id":{"value":"nobody"},"type":"REVIVE"}`, 400, "nobody"},
		{"framework away", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": away.stream},
			fmt.Sprintf(`{"framework_id":{"value":%q},"type":"REVIVE"}`, away.id.GetValue()), 403, "not subscribed"},
		{"no stream id", "POST", schedulerPath, header{"Content-Type": jsonType}, revive, 400, "Mesos-Stream-Id"},
		{"wrong stream id", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": "wrong"}, revive, 400, "wrong"},
		{"very long stream id", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": strings.Repeat("x", 5000)}, revive, 400, ""},
		{"header in any case", "POST", schedulerPath, header{"content-type": jsonType, "mesos-stream-id": s.stream}, revive, 202, ""},
		{"charset", "POST", schedulerPath, header{"Content-Type": jsonType + "; charset=utf-8", "Mesos-Stream-Id": s.stream}, revive, 202, ""},
		{"unknown call", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream},
			fmt.Sprintf(`{"framework_id":{"value":%q},"type":"UNKNOWN"}`, id), 501, "UNKNOWN"},
		{"call of the future", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream},
			fmt.Sprintf(`{"framework_id":{"value":%q},"type":"FLY"}`, id), 501, "UNKNOWN"},
		{"unknown fields and nulls", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream},
			fmt.Sprintf(`{"framework_id":{"value":%q},"type":"DECLINE","decline":{"offer_ids":null,"filters":null},"new":[1]}`, id), 202, ""},
		{"no offers to decline", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream},
			fmt.Sprintf(`{"framework_id":{"value":%q},"type":"DECLINE","decline":{"offer_ids":[]}}`, id), 202, ""},
		{"request", "POST", schedulerPath, header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream},
			fmt.Sprintf(`{"framework_id":{"value":%q},"type":"REQUEST","request":{}}`, id), 202, ""},
		{"below /master, with a slash", "POST", "/master/api/v1/scheduler/", header{"Content-Type": jsonType, "Mesos-Stream-Id": s.stream}, revive, 202, ""},

		{"operator without type", "POST", operatorPath, header{"Content-Type": jsonType}, "{}", 400, "type"},
		{"operator accepts neither", "POST", operatorPath, header{"Content-Type": jsonType, "Accept": "text/html"}, `{"type":"GET_HEALTH"}`, 406, ""},
		{"health", "POST", operatorPath, header{"Content-Type": jsonType}, `{"type":"GET_HEALTH"}`, 200, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`},
		{"unknown", "POST", operatorPath, header{"Content-Type": jsonType}, `{"type":"UNKNOWN"}`, 501, "UNKNOWN is not supported"},
		{"kill nothing", "POST", operatorPath, header{"Content-Type": jsonType}, `{"type":"KILL_TASK"}`, 400, "kill_task is missing"},
		{"kill nobody", "POST", operatorPath, header{"Content-Type": jsonType},
			`{"type":"KILL_TASK","kill_task":{"framework_id":{"value":"x"},"task_id":{"value":"y"}}}`, 404, "y"},

		{"wrong method of a page", "POST", "/state", nil, "", 405, "GET"},
		{"nothing there", "GET", "/nothing", nil, "", 404, "/nothing"},
		{"root", "GET", "/", nil, "", 404, ""},
		{"bad limit", "GET", "/tasks?limit=-1", nil, "", 400, "limit"},
		{"bad timeout", "GET", "/metrics/snapshot?timeout=soon", nil, "", 400, "soon"},
		{"bad jsonp", "GET", "/state?jsonp=alert(1)", nil, "", 400, "jsonp"},
		{"redirect below", "GET", "/redirect/x", nil, "", 404, ""},
	} {
		resp, body := do(t, row.method, "http://"+m.Addr()+row.path, row.header, []byte(row.body))
		if resp.StatusCode != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s: %d %q, want %d with %q", row.name, resp.StatusCode, body, row.status, row.says)
		}
		if resp.StatusCode == 405 && resp.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow header", row.name)
		}
	}
	if status := s.call(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()}); status != http.StatusAccepted {
		t.Errorf("the scheduler that did nothing wrong gets %d", status)
	}
}

// disconnect breaks a scheduler's stream and waits until the master knows.
func disconnect(t *testing.T, m *master.Master, s *testScheduler) {
	t.Helper()
	_ = s.resp.Body.Close()
	wait(t, "the framework to be disconnected", func() bool {
		for _, f := range state(t, m).GetGetFrameworks().GetFrameworks() {
			if proto.Equal(f.GetFrameworkInfo().GetId(), s.id) {
				return !f.GetConnected()
			}
		}
		return true
	})
}

// TestTooLong goes over the bound by so little that the server still reads the
// rest: of more, a client may see no answer but a broken connection.
func TestTooLong(t *testing.T) {
	m := start(t, nil)
	resp, body := post(t, "http://"+m.Addr()+"/api/v1", map[string]string{"Content-Type": jsonType}, bytes.Repeat([]byte(" "), 64<<20+1000))
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("more than 64 MiB: %d %q", resp.StatusCode, body)
	}
}

func TestNegotiation(t *testing.T) {
	m := start(t, nil)
	for accept, want := range map[string]string{
		"": jsonType, "*/*": jsonType, protobufType: protobufType, "text/html, " + protobufType: protobufType,
		jsonType + ";q=0.1, " + protobufType: protobufType,
	} {
		resp, body := post(t, "http://"+m.Addr()+"/api/v1", map[string]string{"Content-Type": jsonType, "Accept": accept}, []byte(`{"type":"GET_MASTER"}`))
		if got := resp.Header.Get("Content-Type"); got != want || resp.StatusCode != http.StatusOK || body == "" {
			t.Errorf("Accept %q: %d %q", accept, resp.StatusCode, got)
		}
	}
}

// TestRawStream looks at the bytes: chunked although the connection is to close,
// one record in one chunk, headers exact.
func TestRawStream(t *testing.T) {
	m := start(t, nil)
	conn, err := net.Dial("tcp", m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`
	_, err = fmt.Fprintf(conn, "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	headers := map[string]string{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		headers[name] = value
	}
	if _, ok := headers["HTTP/1.1 200 OK"]; !ok || headers["Content-Type"] != jsonType || headers["Transfer-Encoding"] != "chunked" || headers["Content-Length"] != "" || len(headers["Mesos-Stream-Id"]) != 36 {
		t.Errorf("headers are %v", headers)
	}
	var chunk, record int
	if _, err := fmt.Fscanf(r, "%x\r\n", &chunk); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanf(r, "%d\n", &record); err != nil {
		t.Fatal(err)
	}
	if want := record + len(fmt.Sprint(record)) + 1; chunk != want {
		t.Errorf("a record of %d bytes is in a chunk of %d, not %d", record, chunk, want)
	}
}

func TestPaths(t *testing.T) {
	m := start(t, nil)
	for _, path := range []string{
		"/state", "/state.json", "/master/state", "/master/state.json", "/state/", "/master/state/", "/state/below",
		"/metrics/snapshot", "/metrics/snapshot?timeout=100ms", "/master/metrics/snapshot.json", "/flags", "/version",
		"/slaves", "/frameworks", "/tasks?order=asc&limit=10&offset=2", "/usage", "/health", "/master/health",
	} {
		if status, body := fetch(t, m, path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	resp, _ := do(t, http.MethodGet, "http://"+m.Addr()+"/master/redirect", nil, nil)
	if got, want := resp.Header.Get("Location"), "//"+m.Addr(); resp.StatusCode != http.StatusTemporaryRedirect || got != want {
		t.Errorf("redirect: %d to %q, want %q", resp.StatusCode, got, want)
	}
	resp, body := do(t, http.MethodGet, "http://"+m.Addr()+"/flags?jsonp=cb", nil, nil)
	if !strings.HasPrefix(body, "cb({") || !strings.HasSuffix(body, "});") || resp.Header.Get("Content-Type") != "text/javascript" {
		t.Errorf("jsonp: %q %v", body, resp.Header)
	}
}

func TestGzip(t *testing.T) {
	m := start(t, nil)
	for accept, want := range map[string]string{"gzip": "gzip", "br, gzip;q=0.5": "gzip", "identity": "", "gzip;q=0": ""} {
		resp, _ := do(t, http.MethodGet, "http://"+m.Addr()+"/metrics/snapshot", map[string]string{"Accept-Encoding": accept}, nil)
		if got := resp.Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: %q, want %q", accept, got, want)
		}
	}
}
