package mesosgo

// Goal: what mezzo writes, the mesos-go library reads, and the other way round,
// in protobuf and in JSON. Method: random messages of every type that both
// know, from fixed seeds, go through the library and come back the same.

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"mezzo/api/codec"

	_ "mezzo/api/mesos/v1"
	_ "mezzo/api/mesos/v1/agent"
	_ "mezzo/api/mesos/v1/allocator"
	_ "mezzo/api/mesos/v1/executor"
	_ "mezzo/api/mesos/v1/maintenance"
	_ "mezzo/api/mesos/v1/master"
	_ "mezzo/api/mesos/v1/quota"
	_ "mezzo/api/mesos/v1/scheduler"
)

func TestWire(t *testing.T) {
	p := startPeer(t)
	s := compare(p.descriptors(t))

	t.Run("differences", func(t *testing.T) {
		// What the round trips leave out, in full; each line is explained in
		// the file's head.
		listed, err := os.ReadFile("testdata/differences.txt")
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(listed)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				want = append(want, line)
			}
		}
		if d := cmp.Diff(want, s.diff); d != "" {
			t.Errorf("(-listed +found):\n%s", d)
		}
	})

	for _, mt := range s.messages {
		name := short(string(mt.Descriptor().FullName()))
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(40) {
				g := newGenerator(seed, s)
				m := mt.New()
				g.Fill(m)
				p.roundTrip(t, s, "mesos."+name, m.Interface())
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func (p *peer) roundTrip(t *testing.T, s *schema, name string, m proto.Message) {
	t.Helper()
	withDefaults := proto.Clone(m)
	s.setDefaults(withDefaults.ProtoReflect())
	for _, tc := range []struct {
		format string
		codec  codec.Codec
		want   proto.Message
	}{
		{"protobuf", codec.Protobuf, m},
		{"json", codec.JSON, withDefaults},
	} {
		sent, err := tc.codec.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		ans := p.ask(t, request{Message: name, Format: tc.format, Data: sent})
		for _, back := range []struct {
			codec codec.Codec
			data  []byte
		}{{codec.Protobuf, ans.Protobuf}, {codec.JSON, ans.JSON}} {
			got := m.ProtoReflect().New().Interface()
			if err := back.codec.Unmarshal(back.data, got); err != nil {
				t.Fatalf("sent as %s, %s came back as %q: %v", tc.format, back.codec.ContentType(), back.data, err)
			}
			if d := cmp.Diff(tc.want, got, protocmp.Transform()); d != "" {
				t.Errorf("sent as %s, %s came back (-sent +got):\n%s", tc.format, back.codec.ContentType(), d)
			}
		}
	}
}
