package election

// Goal: whatever is in a znode or comes from a socket is read or refused, in
// bounds. Method: tables and fuzzing.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

func TestContenders(t *testing.T) {
	got := contenders([]string{
		"json.info_0000000010", "log_replicas", "json.info_0000000009", "info_0000000001", "json.info_",
		"json.info_-000000001", "json.info_x", "json.info_4294967296", "json.info_2147483647",
	})
	want := []string{"json.info_0000000009", "json.info_0000000010", "json.info_2147483647"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAddress(t *testing.T) {
	for _, tc := range []struct{ body, want string }{
		// As Mesos 1.11 writes it.
		{`{"address":{"hostname":"m1","ip":"10.1.2.3","port":5050},"capabilities":[{"type":"AGENT_UPDATE"}],"hostname":"m1","id":"7d4e-1","ip":50462986,"pid":"master@10.1.2.3:5050","port":5050,"version":"1.11.0"}`, "10.1.2.3:5050"},
		// As before 0.24.
		{`{"hostname":"m1","id":"7d4e-1","ip":50462986,"pid":"master@10.1.2.3:5050","port":5051}`, "10.1.2.3:5051"},
		{`{"address":{"ip":"fd00::1","port":5050},"ip":0,"port":5050}`, "[fd00::1]:5050"},
		{`{"address":{"hostname":"m1","port":5052},"ip":50462986,"port":5050}`, "10.1.2.3:5052"},
		{`{"ip":50462986}`, ""},
		{`{"port":5050}`, ""},
		{`{"ip":-1,"port":5050}`, ""},
		{`{"address":{"ip":"10.1.2.3","port":65536}}`, ""},
		{`null`, ""}, {``, ""}, {`{`, ""}, {`"10.1.2.3:5050"`, ""}, {"\x00\x01", ""},
	} {
		got, err := address([]byte(tc.body))
		if got != tc.want || (err == nil) != (tc.want != "") || err != nil && !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: got %q, %v, want %q", tc.body, got, err, tc.want)
		}
	}
}

// FuzzAddress: what is accepted is an address with a port, and no other error
// than of one class comes.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{`{"address":{"ip":"10.1.2.3","port":5050}}`, `{"ip":50462986,"port":5050}`, `{"ip":1e3,"port":"5"}`, "[]", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		addr, err := address(body)
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if at, err := netip.ParseAddrPort(addr); err != nil || at.Port() == 0 {
			t.Fatalf("%q: %v", addr, err)
		}
	})
}

// FuzzRecord: what a contender writes, a reader finds.
func FuzzRecord(f *testing.F) {
	f.Add("id", uint32(50462986), uint32(5050), "10.1.2.3", int32(5050), "h")
	f.Add("", uint32(0), uint32(0), "", int32(-1), "\xff")
	f.Fuzz(func(t *testing.T, id string, ip, port uint32, addr string, addrPort int32, host string) {
		body, err := record(&v1.MasterInfo{
			Id: proto.String(id), Ip: proto.Uint32(ip), Port: proto.Uint32(port), Hostname: proto.String(host),
			Address: &v1.Address{Ip: proto.String(addr), Port: proto.Int32(addrPort), Hostname: proto.String(host)},
		})
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if _, err := address(body); err != nil || id == "" {
			t.Fatalf("%s: %v", body, err)
		}
	})
}

// chunks is a connection on which some bytes arrive, a few at once.
type chunks struct {
	net.Conn
	r io.Reader
	n int
}

func (c *chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }
func (c *chunks) Close() error               { return nil }

// FuzzFrames: however the bytes arrive, what passes is what was sent, up to the
// first length that is out of bounds, and the greeting is read rightly.
func FuzzFrames(f *testing.F) {
	greeting := binary.BigEndian.AppendUint32(nil, 37)
	greeting = append(greeting, make([]byte, 4)...)
	greeting = binary.BigEndian.AppendUint32(greeting, 4000)
	greeting = append(greeting, make([]byte, 29)...)
	reply := append(binary.BigEndian.AppendUint32(nil, 16), make([]byte, 16)...)
	f.Add(slices.Concat(greeting, reply, reply), 3)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 100)
	f.Add(greeting[:20], 1)
	f.Fuzz(func(t *testing.T, sent []byte, n int) {
		n = max(1, min(n, 1000))
		var granted []time.Duration
		c := newFrames(&chunks{r: bytes.NewReader(sent), n: n}, time.Hour, func(d time.Duration) { granted = append(granted, d) })
		defer c.Close()
		var want []byte
		var greeted []time.Duration
		var bad bool
		for rest, low, high := sent, minGreeting, maxGreeting; len(rest) > 0; low, high = minFrame, maxFrame {
			if len(rest) < 4 {
				want = append(want, rest...)
				break
			}
			size := int(binary.BigEndian.Uint32(rest))
			if bad = size < low || size > high; bad {
				break
			}
			whole := len(rest) >= 4+size
			if low == minGreeting && whole {
				if ms := int32(binary.BigEndian.Uint32(rest[8:])); ms > 0 {
					greeted = append(greeted, time.Duration(ms)*time.Millisecond)
				}
			}
			end := min(len(rest), 4+size)
			want, rest = append(want, rest[:end]...), rest[end:]
		}
		got, err := io.ReadAll(c)
		if bad != errors.Is(err, errs.Corrupt) || !bytes.HasPrefix(got, want) || len(got) > len(want)+3 {
			t.Fatalf("got %x, %v, want %x, bad %v", got, err, want, bad)
		}
		if !slices.Equal(granted, greeted) {
			t.Fatalf("granted %v, want %v", granted, greeted)
		}
	})
}
