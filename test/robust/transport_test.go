package robust

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"mezzo/api/mesos/v1/scheduler"
)

const (
	asJSON     = "application/json"
	asProtobuf = "application/x-protobuf"
)

// exchange is a request and what has to come back.
type exchange struct {
	name    string
	method  string // POST unless set
	path    string // of the scheduler API unless set
	headers string // "Name: value" lines
	body    string
	status  int
	says    string // part of the answer's body
}

// do makes the request at addr.
func (e exchange) do(t *testing.T, client *http.Client, addr string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), e.method, "http://"+addr+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(e.headers) {
		name, value, _ := strings.Cut(line, ":")
		req.Header.Add(name, strings.TrimSpace(value))
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && resp.Header.Get("Mesos-Stream-Id") != "" {
		return // a stream: it ends when it is closed
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != e.status || !strings.Contains(string(body), e.says) || e.status >= 400 && len(bytes.TrimSpace(body)) == 0 {
		t.Errorf("%s: %.500q, want %d and %q", resp.Status, body, e.status, e.says)
	}
	if e.status == http.StatusMethodNotAllowed && resp.Header.Get("Allow") == "" {
		t.Error("405 without Allow")
	}
}

// testTransport goes through the rules of the API in the order in which they
// are checked: what breaks several is refused for the first.
func testTransport(t *testing.T, c *cluster) {
	f := subscribe(t, c.Master, nil)
	defer f.teardown(t)
	gone := subscribe(t, c.Master, nil)
	gone.info.FailoverTimeout = proto.Float64(1000)
	gone = subscribe(t, c.Master, gone.info)
	gone.close()
	until(t, "the master notices that a stream is closed", func() bool {
		status, _ := gone.try(&scheduler.Call{Type: scheduler.Call_REVIVE.Enum()})
		return status == http.StatusForbidden
	})
	client := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, list := range [][]exchange{methods(), bodies(), accepts(), streams(f, gone.info.GetId().GetValue()), calls(f), queries()} {
		for _, e := range list {
			if e.method == "" {
				e.method = http.MethodPost
			}
			if e.path == "" {
				e.path = "/api/v1/scheduler"
			}
			t.Run(e.name, func(t *testing.T) { e.do(t, client, c.Master) })
		}
	}
	for _, e := range agentExchanges() {
		t.Run("agent "+e.name, func(t *testing.T) { e.do(t, client, c.Agents[0]) })
	}
	f.rest()
	c.works(t)
}

func methods() []exchange {
	return []exchange{
		{name: "GET", method: "GET", status: 405, says: "POST"},
		{name: "PUT before the missing type", method: "PUT", body: "{", status: 405, says: "POST"},
		{name: "CONNECT-like", method: "BREW", status: 405, says: "POST"},
		{name: "POST to what is read", path: "/state", status: 405, says: "GET"},
		{name: "DELETE", method: "DELETE", path: "/master/slaves", status: 405, says: "GET"},
		{name: "GET of the operator API", method: "GET", path: "/api/v1", status: 405, says: "POST"},
		{name: "nothing there", method: "GET", path: "/etc/passwd", status: 404, says: "/etc/passwd"},
		{name: "nothing at the root", method: "GET", path: "/", status: 404, says: "/"},
		{name: "below redirect", method: "GET", path: "/redirect/evil.example", status: 404},
		{name: "a path to elsewhere", method: "GET", path: "/master/../../etc/passwd", status: 404},
		{name: "an encoded path to elsewhere", method: "GET", path: "/%2e%2e/%2e%2e/etc/passwd", status: 404},
		{name: "a path with a NUL", method: "GET", path: "/state%00.json", status: 404},
		{name: "a long path", method: "GET", path: "/" + strings.Repeat("a/", 100_000), status: 404},
		{name: "no type", body: "{", status: 400, says: "Content-Type"},
		{name: "an empty type", headers: "Content-Type: ", body: "{", status: 400, says: "Content-Type"},
		{name: "wrong type", headers: "Content-Type: text/plain", body: "{", status: 415, says: asJSON},
		{name: "type of a stream", headers: "Content-Type: application/recordio", body: "{", status: 415, says: asJSON},
		{name: "gRPC in HTTP/1", headers: "Content-Type: application/grpc", body: "{", status: 415, says: asJSON},
		{name: "garbage type", headers: "Content-Type: ;;;=\xff", body: "{", status: 415, says: asJSON},
	}
}

// nested is JSON of some depth.
func nested(open, middle, end string, depth int) string {
	return strings.Repeat(open, depth) + middle + strings.Repeat(end, depth)
}

// deepLabels is protobuf of groups in groups, in a field that nobody knows.
func deepGroups(depth int) string {
	var b []byte
	for range depth {
		b = protowire.AppendTag(b, 999, protowire.StartGroupType)
	}
	for range depth {
		b = protowire.AppendTag(b, 999, protowire.EndGroupType)
	}
	return string(b)
}

// bodies are what no call can be read from. JSON says where it is wrong.
func bodies() []exchange {
	bad := func(kind, name, body, says string) exchange {
		return exchange{name: kind + " " + name, headers: "Content-Type: " + kind, body: body, status: 400, says: says}
	}
	list := []exchange{
		bad(asJSON, "nothing", "", "object"),
		bad(asJSON, "cut off", `{"type":"SUBSCRIBE`, ""),
		bad(asJSON, "not an object", `[1,2]`, "object"),
		bad(asJSON, "a call too many", `{"type":"REVIVE"}{"type":"REVIVE"}`, "after the message"),
		bad(asJSON, "not UTF-8", "{\"type\":\"\xff\"}", "UTF-8"),
		bad(asJSON, "half a surrogate", `{"type":"REVIVE","framework_id":{"value":"\ud800"}}`, ""),
		bad(asJSON, "wrong kind of value", `{"type":"REVIVE","framework_id":"f"}`, "framework_id"),
		bad(asJSON, "number that is none", `{"type":"DECLINE","decline":{"filters":{"refuse_seconds":1e}}}`, "refuse_seconds"),
		bad(asJSON, "number out of range", `{"type":"DECLINE","decline":{"filters":{"refuse_seconds":1e999}}}`, "refuse_seconds"),
		bad(asJSON, "bytes that are no base64", `{"type":"ACKNOWLEDGE","acknowledge":{"uuid":"%%"}}`, "uuid"),
		bad(asJSON, "deep arrays", `{"x":`+nested("[", "", "]", 100_000)+"}", ""),
		bad(asJSON, "deep objects", nested(`{"x":`, "1", "}", 100_000), ""),
		bad(asJSON, "deep, never closed", nested(`{"x":[`, "", "", 100_000), ""),
		bad(asProtobuf, "cut off", "\x10", "protobuf"),
		bad(asProtobuf, "shorter than it says", "\x1a\x7f\x0a", "protobuf"),
		bad(asProtobuf, "wrong wire type", "\x12\x05", "protobuf"),
		bad(asProtobuf, "wire type of nothing", "\x17", "protobuf"),
		bad(asProtobuf, "field zero", "\x00\x00", "protobuf"),
		bad(asProtobuf, "long varint", strings.Repeat("\xff", 11), "protobuf"),
		bad(asProtobuf, "deep groups", deepGroups(100_000), "protobuf"),
		bad(asProtobuf, "groups never closed", strings.Repeat("\xbb\x3e", 100_000), "protobuf"),
		bad(asProtobuf, "group of another", "\xbb\x3e\xc4\x3e", "protobuf"),
		bad(asProtobuf, "JSON", `{"type":"SUBSCRIBE"}`, "protobuf"),
		bad(asProtobuf, "nothing", "", "type"),
		bad(asProtobuf, "subscription without its fields", "\x10\x01\x1a\x00", "framework_info"),
	}
	for _, kind := range []string{asJSON, asProtobuf} {
		list = append(list, exchange{
			name: kind + " of 100 MB", headers: "Content-Type: " + kind, body: strings.Repeat(" ", 100<<20), status: 413, says: "bytes",
		})
	}
	return list
}

const subscribeJSON = `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"short"}}}`

func accepts() []exchange {
	accept := func(name, value string, status int) exchange {
		return exchange{name: "accept " + name, headers: "Content-Type: " + asJSON + "\nAccept: " + value, body: subscribeJSON, status: status}
	}
	return []exchange{
		accept("anything", "*/*", 200),
		accept("protobuf", asProtobuf, 200),
		accept("a list", "text/html, application/*;q=0.1", 200),
		accept("another type", "text/html", 406),
		accept("nothing of ours", "application/json;q=0", 406),
		accept("garbage", "\"\\;;;,,,=", 406),
		{name: "invalid before accept", headers: "Content-Type: " + asJSON + "\nAccept: text/html", body: `{"type":"SUBSCRIBE"}`, status: 400, says: "subscribe"},
	}
}

// streams are about who calls. The framework gone is known, but not subscribed.
func streams(f *framework, gone string) []exchange {
	revive := func(name, id, stream string, status int, says string) exchange {
		e := exchange{name: "stream " + name, headers: "Content-Type: " + asJSON, status: status, says: says}
		e.body = fmt.Sprintf(`{"type":"REVIVE","framework_id":{"value":%q}}`, id)
		if stream != "" {
			e.headers += "\nMesos-Stream-Id: " + stream
		}
		return e
	}
	id := f.info.GetId().GetValue()
	return []exchange{
		{name: "stream of one that subscribes", headers: "Content-Type: " + asJSON + "\nMesos-Stream-Id: " + f.stream, body: subscribeJSON, status: 400, says: "Mesos-Stream-Id"},
		revive("missing", id, "", 400, "Mesos-Stream-Id"),
		revive("wrong", id, "00000000-0000-0000-0000-000000000000", 400, "stream id"),
		revive("too long", id, strings.Repeat("a", 100_000), 400, "stream id"),
		revive("of nobody", "nobody", f.stream, 400, `"nobody"`),
		revive("of nobody, with a name like a path", "../../x", f.stream, 400, "../../x"),
		revive("of somebody who is not subscribed", gone, f.stream, 403, "not subscribed"),
		revive("right", id, f.stream, 202, ""),
	}
}

// calls lack what their type needs.
func calls(f *framework) []exchange {
	id := fmt.Sprintf(`"framework_id":{"value":%q}`, f.info.GetId().GetValue())
	call := func(body string, status int, says string) exchange {
		return exchange{
			name: "call " + body[:min(len(body), 60)], body: strings.Replace(body, "ID", id, 1), status: status, says: says,
			headers: "Content-Type: " + asJSON + "\nMesos-Stream-Id: " + f.stream,
		}
	}
	return []exchange{
		call(`{}`, 400, "type"),
		call(`{"type":"REVIVE"}`, 400, "framework_id"),
		call(`{"type":"REVIVE","framework_id":{}}`, 400, "framework_id.value"),
		call(`{"type":"UNKNOWN",ID}`, 501, "UNKNOWN"),
		call(`{"type":"LAUNCH_MISSILES"}`, 400, "framework_id"),
		call(`{"type":"LAUNCH_MISSILES",ID}`, 501, "UNKNOWN"),
		call(`{"type":4711,ID}`, 501, "4711"),
		call(`{"type":-1,ID}`, 501, "-1"),
		call(`{"type":"ACCEPT",ID}`, 400, "accept"),
		call(`{"type":"DECLINE",ID}`, 400, "decline"),
		call(`{"type":"KILL",ID}`, 400, "kill"),
		call(`{"type":"KILL",ID,"kill":{}}`, 400, "kill.task_id"),
		call(`{"type":"ACKNOWLEDGE",ID}`, 400, "acknowledge"),
		call(`{"type":"ACKNOWLEDGE",ID,"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"YQ=="}}`, 400, "uuid"),
		call(`{"type":"RECONCILE",ID}`, 400, "reconcile"),
		call(`{"type":"MESSAGE",ID}`, 400, "message"),
		call(`{"type":"SHUTDOWN",ID}`, 400, "shutdown"),
		call(`{"type":"REQUEST",ID}`, 400, "request"),
		call(`{"type":"UPDATE_FRAMEWORK",ID}`, 400, "update_framework"),
		call(`{"type":"UPDATE_FRAMEWORK",ID,"update_framework":{"framework_info":{"user":"root","name":"x","id":{"value":"other"}}}}`, 400, "differs"),
		call(`{"type":"SUBSCRIBE",ID,"subscribe":{"framework_info":{"user":"root","name":"x"}}}`, 400, "differs"),
		call(`{"type":"KILL",ID,"kill":{"task_id":{"value":"../../x"}}}`, 202, ""),
		call(`{"type":"REVIVE",ID,"revive":{"roles":["../..","*"]}}`, 202, ""),
		call(`{"type":"DECLINE",ID,"decline":{"offer_ids":[{"value":"x"}],"filters":{"refuse_seconds":-1e308}}}`, 202, ""),
		call(`{"type":"DECLINE",ID,"decline":{"offer_ids":[],"filters":{"refuse_seconds":"NaN"}}}`, 202, ""),
		call(`{"type":"RECONCILE",ID,"reconcile":{"tasks":[{"task_id":{"value":"\u0000"}}]}}`, 202, ""),
	}
}

// queries are requests that only read.
func queries() []exchange {
	get := func(path string, status int, says string) exchange {
		return exchange{name: "GET " + path, method: "GET", path: path, status: status, says: says}
	}
	operator := func(body string, status int, says string) exchange {
		return exchange{name: "operator " + body, path: "/api/v1", headers: "Content-Type: " + asJSON, body: body, status: status, says: says}
	}
	return []exchange{
		get("/tasks?limit=-1", 400, `limit "-1"`),
		get("/tasks?limit=99999999999999999999999", 400, "limit"),
		get("/tasks?limit=1e3", 400, "limit"),
		get("/tasks?limit=9223372036854775807&offset=9223372036854775807", 200, `"tasks":[]`),
		get("/tasks?offset=-9223372036854775808", 400, "offset"),
		get("/tasks?offset=x", 400, "offset"),
		get("/tasks?order=sideways", 200, `"tasks":[`),
		get("/tasks?limit=0", 200, `"tasks":[]`),
		get("/tasks?framework_id=../..&task_id=%00", 200, `"tasks":[]`),
		get("/slaves?slave_id=%27%20OR%201=1", 200, `"slaves":[]`),
		get("/state?jsonp=alert(document.cookie)//", 400, "jsonp"),
		get("/state?jsonp=%3Cscript%3E", 400, "jsonp"),
		get("/version?jsonp=callback.$x_1", 200, "callback.$x_1({"),
		get("/tasks?a;b=%zz", 200, `"tasks":`),
		operator(`{"type":"UNKNOWN"}`, 501, "UNKNOWN"),
		operator(`{"type":"SET_QUOTA"}`, 400, "quota"),
		operator(`{"type":"GROW_VOLUME"}`, 400, "grow_volume"),
		operator(`{"type":"GROW_VOLUME","grow_volume":{"volume":{"name":"disk","type":"SCALAR"},"addition":{"name":"disk","type":"SCALAR"}}}`, 400, "agent"),
		operator(`{"type":"READ_FILE"}`, 400, "read_file"),
		operator(`{}`, 400, "type"),
		operator(`{"type":"KILL_TASK"}`, 400, "kill_task"),
		operator(`{"type":"KILL_TASK","kill_task":{"framework_id":{"value":"../.."},"task_id":{"value":"x"}}}`, 404, ""),
	}
}

func agentExchanges() []exchange {
	post := func(name, headers, body string, status int, says string) exchange {
		return exchange{name: name, method: "POST", path: "/api/v1", headers: headers, body: body, status: status, says: says}
	}
	return []exchange{
		{name: "GET", method: "GET", path: "/api/v1", status: 405, says: "POST"},
		{name: "POST to what is read", method: "POST", path: "/state", status: 405, says: "GET"},
		{name: "nothing there", method: "GET", path: "/slave(1)/../../etc/passwd", status: 404},
		{name: "scheduler API", method: "POST", path: "/api/v1/scheduler", status: 404},
		{name: "jsonp", method: "GET", path: "/state?jsonp=alert(1)//", status: 400, says: "jsonp"},
		post("no type", "", "{", 400, "Content-Type"),
		post("wrong type", "Content-Type: text/html", "{", 415, "Content-Type"),
		post("cut off", "Content-Type: "+asJSON, "{", 400, ""),
		post("unknown call", "Content-Type: "+asJSON, `{"type":"DANCE"}`, 501, "UNKNOWN"),
		post("unsupported call", "Content-Type: "+asJSON, `{"type":"ADD_RESOURCE_PROVIDER_CONFIG"}`, 501, "ADD_RESOURCE_PROVIDER_CONFIG"),
		post("accepts nothing", "Content-Type: "+asJSON+"\nAccept: image/png", `{"type":"GET_STATE"}`, 406, "Accept"),
		post("deep", "Content-Type: "+asJSON, nested(`{"x":`, "1", "}", 100_000), 400, ""),
		post("deep groups", "Content-Type: "+asProtobuf, deepGroups(100_000), 400, ""),
		post("100 MB", "Content-Type: "+asProtobuf, strings.Repeat("\x00", 100<<20), 413, "bytes"),
		post("no path", "Content-Type: "+asJSON, `{"type":"READ_FILE"}`, 400, "read_file"),
		post("a path to elsewhere", "Content-Type: "+asJSON, `{"type":"READ_FILE","read_file":{"path":"/etc/shadow","offset":0}}`, 404, "/etc/shadow"),
		post("a listing of elsewhere", "Content-Type: "+asJSON, `{"type":"LIST_FILES","list_files":{"path":"/../../etc"}}`, 404, "etc"),
	}
}
