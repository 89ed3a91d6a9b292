package master_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"mezzo/api/codec"
	masterapi "mezzo/api/mesos/v1/master"
	"mezzo/api/recordio"
	"mezzo/master"
)

// testWatcher is an operator who subscribed.
type testWatcher struct {
	t       testing.TB
	codec   codec.Codec
	body    *http.Response
	records *recordio.Reader
	end     func()
}

// subscribeOperator opens the stream, of which nothing is read yet.
func subscribeOperator(t testing.TB, m *master.Master, c codec.Codec) *testWatcher {
	t.Helper()
	body, err := c.Marshal(&masterapi.Call{Type: masterapi.Call_SUBSCRIBE.Enum()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+m.Addr()+"/api/v1", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", c.ContentType())
	req.Header.Set("Accept", c.ContentType())
	transport := &http.Transport{}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	w := &testWatcher{t: t, codec: c, body: resp, records: recordio.NewReader(resp.Body, 16<<20)}
	w.end = func() {
		cancel()
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
	t.Cleanup(w.end)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != c.ContentType() {
		t.Fatalf("subscribe: %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	return w
}

// next is the next event; nil at the end of the stream.
func (w *testWatcher) next() *masterapi.Event {
	w.t.Helper()
	late := time.AfterFunc(patience, w.end)
	defer late.Stop()
	data, err := w.records.Next()
	if err != nil {
		return nil
	}
	ev := &masterapi.Event{}
	if err := w.codec.Unmarshal(data, ev); err != nil {
		w.t.Errorf("event: %v", err)
	}
	return ev
}

// await returns the next event, which has to be of a kind.
func (w *testWatcher) await(kind masterapi.Event_Type) *masterapi.Event {
	w.t.Helper()
	ev := w.next()
	if ev == nil || ev.GetType() != kind {
		w.t.Fatalf("got %v, want %v", ev, kind)
	}
	return ev
}
