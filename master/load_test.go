package master_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// TestManyTasks: goal, that readers of a large state get it whole, each time, while
// offers go on; method, 10,000 tasks, readers that never rest, a framework that is
// offered something, refuses it for no time at all, and is offered it again.
func TestManyTasks(t *testing.T) {
	const agents, each, readers, offers = 1000, 10, 4, 40
	m := start(t, nil)
	id := &v1.FrameworkID{Value: proto.String("many")}
	var group sync.WaitGroup
	for n := range agents {
		group.Go(func() { attachLoaded(t, m, fmt.Sprintf("h%04d", n), id) })
	}
	group.Wait()
	s := subscribe(t, m, codec.Protobuf, &v1.FrameworkInfo{})
	done := make(chan struct{})
	var read [readers]int
	for n := range readers {
		group.Go(func() {
			path := [...]string{"/state", "/tasks?limit=10000", "/state", "/master/state.json"}[n%readers]
			for {
				select {
				case <-done:
					return
				default:
				}
				code, body := fetch(t, m, path)
				if code != http.StatusOK || countTasks(t, body) != agents*each {
					t.Errorf("%s: %d with %d tasks, want %d", path, code, countTasks(t, body), agents*each)
					return
				}
				read[n]++
			}
		})
	}
	for range offers {
		list := s.await(scheduler.Event_OFFERS).GetOffers().GetOffers()
		decline := &scheduler.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{Filters: &v1.Filters{RefuseSeconds: proto.Float64(0)}}}
		for _, o := range list {
			decline.Decline.OfferIds = append(decline.Decline.OfferIds, o.GetId())
		}
		s.mustCall(decline)
	}
	close(done)
	group.Wait()
	t.Logf("documents read meanwhile: %v", read)
	for n, count := range read {
		if count == 0 {
			t.Errorf("reader %d read nothing", n)
		}
	}
}

// countTasks counts the tasks of a document.
func countTasks(t *testing.T, body string) int {
	t.Helper()
	type list []struct{ ID string }
	var doc struct {
		Tasks      list
		Frameworks []struct{ Tasks list }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Error(err)
	}
	n := len(doc.Tasks)
	for _, f := range doc.Frameworks {
		n += len(f.Tasks)
	}
	return n
}
