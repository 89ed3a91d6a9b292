package codec_test

// Goal: the codec chosen is the one that real clients and RFC 9110 §12.5.1 ask
// for, and both codecs refuse bad input with a sentence for its sender.

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/internal/errs"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

func contentType(c codec.Codec, ok bool) string {
	if !ok {
		return "none"
	}
	return c.ContentType()
}

const (
	jsonType     = "application/json"
	protobufType = "application/x-protobuf"
)

func TestForContentType(t *testing.T) {
	for header, want := range map[string]string{
		"application/json":                     jsonType,
		"application/json; charset=utf-8":      jsonType,
		"application/json;charset":             jsonType,
		" Application/JSON ":                   jsonType,
		"application/x-protobuf":               protobufType,
		"application/x-protobuf;messageType=x": protobufType,
		"application/recordio":                 "none",
		"application/jsonp":                    "none",
		"text/plain":                           "none",
		"*/*":                                  "none",
		"":                                     "none",
		";":                                    "none",
	} {
		if got := contentType(codec.ForContentType(header)); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"":                                  jsonType,
		"  ":                                jsonType,
		"*/*":                               jsonType,
		"application/*":                     jsonType,
		"application/json":                  jsonType,
		"Application/JSON; charset=utf-8":   jsonType,
		"application/x-protobuf":            protobufType,
		"application/x-protobuf, text/html": protobufType,
		"application/x-protobuf,*/*;q=0.8":  protobufType,
		"application/x-protobuf, */*":       jsonType,
		"application/x-protobuf,application/json":             jsonType,
		"application/json;q=0.5,application/x-protobuf;q=0.6": protobufType,
		"application/json;q=0, */*":                           protobufType,
		"application/json;q=0":                                "none",
		"*/*;q=0":                                             "none",
		"*/*;q=0, application/json;q=0.001":                   jsonType,
		"application/*;q=0, */*":                              "none",
		"text/html, image/*":                                  "none",
		"application/recordio":                                "none",
		"application/json;q=high":                             "none",
		"application/json;q=NaN":                              "none",
		"application/json;q=2, application/x-protobuf":        protobufType,
		",,;;, application/json":                              jsonType,
		"json":                                                "none",
	} {
		if got := contentType(codec.Negotiate(accept)); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
}

func decline() *scheduler.Call {
	return &scheduler.Call{
		FrameworkId: &v1.FrameworkID{Value: proto.String("f")},
		Type:        scheduler.Call_DECLINE.Enum(),
		Decline:     &scheduler.Call_Decline{OfferIds: []*v1.OfferID{{Value: proto.String("o1")}, {Value: proto.String("o2")}}},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.Protobuf} {
		want := decline()
		data, err := c.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := &scheduler.Call{Suppress: &scheduler.Call_Suppress{}}
		if err := c.Unmarshal(data, got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(want, got) {
			t.Errorf("%s: got %v, want %v", c.ContentType(), got, want)
		}
	}
}

func TestRequiredFields(t *testing.T) {
	m := decline()
	m.Decline.OfferIds[1].Value = nil
	partial, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(`{"type":"DECLINE","decline":{"offer_ids":[{"value":"o1"},{}]}}`)
	const path = "decline.offer_ids[1].value is missing"
	for c, data := range map[codec.Codec][]byte{codec.Protobuf: partial, codec.JSON: text} {
		if _, err := c.Marshal(m); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Marshal: %v", c.ContentType(), err)
		}
		if err := c.Unmarshal(data, &scheduler.Call{}); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Unmarshal: %v", c.ContentType(), err)
		}
	}
}

func TestMalformed(t *testing.T) {
	// A ContainerID within a ContainerID, deeper than any reader should go.
	deep := []byte("\x0a\x01x")
	for range 200 {
		deep = append(append([]byte("\x0a\x01x\x12"), varint(len(deep))...), deep...)
	}
	for name, tc := range map[string]struct {
		c    codec.Codec
		data []byte
	}{
		"protobuf cut off": {codec.Protobuf, []byte("\x0a\x05ab")},
		"protobuf group":   {codec.Protobuf, []byte("\x0b")},
		"protobuf nested":  {codec.Protobuf, deep},
		"JSON cut off":     {codec.JSON, []byte(`{"value":"a`)},
		"JSON nested":      {codec.JSON, append(bytes.Repeat([]byte(`{"parent":`), 250), bytes.Repeat([]byte("}"), 250)...)},
		"JSON empty":       {codec.JSON, nil},
	} {
		if err := tc.c.Unmarshal(tc.data, &v1.ContainerID{}); !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func varint(n int) []byte {
	if n < 0x80 {
		return []byte{byte(n)}
	}
	return append([]byte{byte(n) | 0x80}, varint(n>>7)...)
}

func FuzzNegotiate(f *testing.F) {
	f.Add("application/json;q=0.5,application/x-protobuf;q=0.6, */*;q=0")
	f.Fuzz(func(t *testing.T, header string) {
		if c, ok := codec.Negotiate(header); ok != (c != nil) {
			t.Errorf("codec %v, ok %v", c, ok)
		}
		if c, ok := codec.ForContentType(header); ok != (c != nil) {
			t.Errorf("codec %v, ok %v", c, ok)
		}
	})
}

// FuzzProtobuf checks that whatever is read can be written and read again.
func FuzzProtobuf(f *testing.F) {
	data, err := codec.Protobuf.Marshal(decline())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range []codec.Codec{codec.Protobuf, codec.JSON} {
			var m scheduler.Call
			if err := codec.Protobuf.Unmarshal(data, &m); err != nil {
				if !errors.Is(err, errs.Invalid) {
					t.Fatalf("error of no class: %v", err)
				}
				return
			}
			again, err := c.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Unmarshal(again, &scheduler.Call{}); err != nil {
				t.Fatalf("%s: %v\n%q", c.ContentType(), err, again)
			}
		}
	})
}
