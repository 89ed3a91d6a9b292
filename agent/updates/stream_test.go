package updates

// Goal: order, retries, duplicates and closing of one stream. Method: scripts
// in testdata, and random lives of a stream against its stated invariants.

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestStreams(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &Stream{}
		now := epoch
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.HasArg("at") {
				var text string
				d.ScanArgs(t, "at", &text)
				after, err := time.ParseDuration(text)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				now = epoch.Add(after)
			}
			switch d.Cmd {
			case "new":
				s, now = &Stream{}, epoch
			case "add":
				fresh, err := s.Add(Update{UUID: id(t, d), Terminal: d.HasArg("terminal"), Status: &v1.TaskStatus{Message: proto.String("x")}})
				if err != nil {
					return err.Error() + "\n"
				}
				if !fresh {
					return "dropped\n"
				}
			case "ack":
				if err := s.Ack(id(t, d)); err != nil {
					return err.Error() + "\n"
				}
			case "rewind":
				s.Rewind()
			case "hasten":
				s.Hasten(now)
			case "due":
				return due(s, now)
			default:
				d.Fatalf(t, "unknown command")
			}
			return state(s)
		})
	})
}

func id(t *testing.T, d *datadriven.TestData) UUID {
	t.Helper()
	var n int
	d.ScanArgs(t, "id", &n)
	return UUID{byte(n)}
}

func due(s *Stream, now time.Time) string {
	u, ok := s.Due(now)
	if !ok {
		return "nothing\n"
	}
	at, _ := s.NextWake()
	return fmt.Sprintf("send %d, again at %v\n", u.UUID[0], at.Sub(epoch))
}

func state(s *Stream) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pending %d", s.Pending())
	if u, ok := s.Latest(); ok {
		fmt.Fprintf(&b, ", latest %d", u.UUID[0])
	}
	if s.Closed() {
		b.WriteString(", closed")
	}
	return b.String() + "\n"
}

// TestRandomStream: acknowledgements come back for whatever was sent, late or
// twice; every update is delivered in order, and none after the terminal one.
func TestRandomStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Stream
		var added, acked []UUID
		now, next := epoch, byte(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				next++
				u := Update{UUID: UUID{next}, Terminal: rapid.IntRange(0, 9).Draw(t, "end") == 0}
				ended := s.ended
				fresh, err := s.Add(u)
				if ended != errors.Is(err, errs.Conflict) || fresh == ended {
					t.Fatalf("Add after end=%v: %v, %v", ended, fresh, err)
				}
				if fresh {
					added = append(added, u.UUID)
				}
			},
			"add again": func(t *rapid.T) {
				if len(added) == 0 {
					t.Skip()
				}
				u := Update{UUID: rapid.SampledFrom(added).Draw(t, "again")}
				if fresh, err := s.Add(u); fresh || err != nil {
					t.Fatalf("duplicate taken: %v, %v", fresh, err)
				}
			},
			"due": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(LastRetry)).Draw(t, "later")))
				u, ok := s.Due(now)
				if ok && u.UUID != added[len(acked)] {
					t.Fatalf("sent %d, its turn was %d", u.UUID[0], added[len(acked)][0])
				}
				if at, pending := s.NextWake(); ok && (!pending || !at.After(now) || at.Sub(now) > LastRetry) {
					t.Fatalf("next sending at %v of now %v", at, now)
				}
			},
			"ack": func(t *rapid.T) {
				who := UUID{rapid.Byte().Draw(t, "who")}
				if err := s.Ack(who); err == nil {
					acked = append(acked, who)
				}
			},
			"rewind": func(*rapid.T) { s.Rewind() },
			"": func(t *rapid.T) {
				if len(acked)+s.Pending() != len(added) {
					t.Fatalf("%d added, %d acknowledged, %d pending", len(added), len(acked), s.Pending())
				}
				for i, u := range acked {
					if u != added[i] {
						t.Fatalf("acknowledged out of order: %v of %v", acked, added)
					}
				}
				if s.Closed() && s.Pending() > 0 {
					t.Fatal("closed with pending updates")
				}
			},
		})
	})
}

func TestParseUUID(t *testing.T) {
	want := UUID{1, 2, 15: 3}
	if got, err := ParseUUID(want[:]); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for _, b := range [][]byte{nil, make([]byte, 15), make([]byte, 17)} {
		if _, err := ParseUUID(b); !errors.Is(err, errs.Invalid) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}
