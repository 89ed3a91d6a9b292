package master_test

// Goal: no request, whatever its bytes, does harm: the answer is a status that
// the API knows, and the master goes on serving. Method: native fuzzing through
// a real listener; the seeds run with every test.

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
)

var known = map[int]bool{200: true, 202: true, 307: true, 400: true, 403: true, 404: true, 405: true, 406: true, 413: true, 415: true, 501: true}

func FuzzCalls(f *testing.F) {
	seeds := []*scheduler.Call{
		{Type: scheduler.Call_REVIVE.Enum()},
		{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{Filters: &v1.Filters{RefuseSeconds: proto.Float64(-1)}}},
		{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
			OfferIds: []*v1.OfferID{{Value: proto.String("x")}},
			Operations: []*v1.Offer_Operation{
				{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: []*v1.TaskInfo{{
					Name: proto.String(""), TaskId: &v1.TaskID{Value: proto.String("")}, AgentId: &v1.AgentID{Value: proto.String("")},
				}}}},
				{Type: v1.Offer_Operation_RESERVE.Enum(), Id: &v1.OperationID{Value: proto.String("op")}},
			},
		}},
		{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: &v1.TaskID{Value: proto.String("t")}}},
		{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: &scheduler.Call_Reconcile{}},
		{Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &scheduler.Call_UpdateFramework{FrameworkInfo: &v1.FrameworkInfo{
			User: proto.String("nobody"), Name: proto.String("n"), Id: &v1.FrameworkID{Value: proto.String("fuzz")},
		}}},
	}
	for _, call := range seeds {
		call.FrameworkId = &v1.FrameworkID{Value: proto.String("fuzz")}
		for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
			body, err := c.Marshal(call)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body, c == codec.JSON, false)
		}
	}
	for _, call := range []masterapi.Call_Type{masterapi.Call_GET_STATE, masterapi.Call_GET_METRICS, masterapi.Call_KILL_TASK, masterapi.Call_READ_FILE} {
		body, err := codec.Protobuf.Marshal(&masterapi.Call{Type: call.Enum()})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, false, true)
	}
	f.Add([]byte("{"), true, false)
	f.Add([]byte("\xff\xff"), false, true)
	m := start(f, nil)
	register(f, m, "a1", "cpus:4;mem:4096")
	s := subscribe(f, m, codec.Protobuf, &v1.FrameworkInfo{Id: &v1.FrameworkID{Value: proto.String("fuzz")}})
	go func() {
		for range s.events { // until the stream ends
		}
	}()
	f.Fuzz(func(t *testing.T, body []byte, json, operatorCall bool) {
		in, path := codec.Protobuf, "/api/v1/scheduler"
		if json {
			in = codec.JSON
		}
		if operatorCall {
			path = "/api/v1"
		}
		if hasItsOwnTest(in, body, operatorCall) {
			return
		}
		header := map[string]string{"Content-Type": in.ContentType(), "Mesos-Stream-Id": s.stream}
		resp, _ := post(t, "http://"+m.Addr()+path, header, body)
		if !known[resp.StatusCode] {
			t.Errorf("%q: %s", body, resp.Status)
		}
		if code, _ := fetch(t, m, "/health"); code != http.StatusOK {
			t.Fatalf("after %q: health %d", body, code)
		}
	})
}

// hasItsOwnTest tells whether body is a call after which all others would be
// refused, or a stream opened.
func hasItsOwnTest(c codec.Codec, body []byte, operatorCall bool) bool {
	if operatorCall {
		call := &masterapi.Call{}
		return c.Unmarshal(body, call) == nil && call.GetType() == masterapi.Call_SUBSCRIBE
	}
	call := &scheduler.Call{}
	return c.Unmarshal(body, call) == nil && (call.GetType() == scheduler.Call_SUBSCRIBE || call.GetType() == scheduler.Call_TEARDOWN)
}

func FuzzPaths(f *testing.F) {
	for _, path := range []string{"/", "//", "/master", "/master/", "/master/master/state", "/state.json.json", "/%2e%2e/x", "/redirect", "/tasks?limit=9999999999999999999", "/state?jsonp=%00", "/metrics/snapshot?timeout=1e400secs"} {
		f.Add(path)
	}
	m := start(f, nil)
	f.Fuzz(func(t *testing.T, path string) {
		req, err := http.NewRequest(http.MethodGet, "http://"+m.Addr(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + m.Addr() + "/" + strings.TrimPrefix(path, "/")
		if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return // never leaves a client, nor reaches a handler
		}
		client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Skip(err)
		}
		_ = resp.Body.Close()
		if !known[resp.StatusCode] {
			t.Errorf("%q: %s", path, resp.Status)
		}
	})
}
