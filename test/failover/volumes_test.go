package failover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesosjson"
)

// reserved is a resource dynamically reserved for role r by principal p.
func reserved(name string, v float64) *v1.Resource {
	res := scalar(name, v)
	res.Reservations = []*v1.Resource_ReservationInfo{{
		Type: v1.Resource_ReservationInfo_DYNAMIC.Enum(), Role: proto.String("r"), Principal: proto.String("p"),
	}}
	return res
}

func volume(id string, mebibytes float64) *v1.Resource {
	res := reserved("disk", mebibytes)
	res.Disk = &v1.Resource_DiskInfo{
		Persistence: &v1.Resource_DiskInfo_Persistence{Id: &id, Principal: proto.String("p")},
		Volume:      &v1.Volume{ContainerPath: proto.String("data"), Mode: v1.Volume_RW.Enum()},
	}
	return res
}

// done waits until an operation is in a state.
func (s *site) done(id string, state v1.OperationState) {
	s.t.Helper()
	until(s.t, fmt.Sprintf("operation %s is %s", id, state), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		all := s.operations[id]
		return len(all) > 0 && all[len(all)-1].GetState() == state
	})
}

// operate performs operations with ids of their own, then launches tasks.
func (s *site) operate(tasks []*v1.TaskInfo, ops ...*v1.Offer_Operation) {
	s.t.Helper()
	var offers []*v1.Offer
	until(s.t, "an offer", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		offers = s.offers
		return len(offers) > 0
	})
	s.note(func() { s.offers = nil })
	if len(tasks) > 0 {
		for _, t := range tasks {
			t.AgentId = offers[0].GetAgentId()
		}
		ops = append(ops, &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: tasks}})
	}
	if err := s.client.Accept(s.t.Context(), offers, ops, &v1.Filters{RefuseSeconds: proto.Float64(0)}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) inVolume(id, command string) *v1.TaskInfo {
	return &v1.TaskInfo{
		Name: &id, TaskId: &v1.TaskID{Value: &id}, Command: &v1.CommandInfo{Value: &command, User: proto.String("nobody")},
		Resources: []*v1.Resource{reserved("cpus", 0.1), scalar("mem", 32), volume("store", 64)},
	}
}

// TestVolumes: goal, that what is reserved stays so, and that the data of a
// persistent volume outlives tasks and the agent's process, and goes with the
// volume; method, a framework's operations and an operator's, on real containers.
func TestVolumes(t *testing.T) {
	s := newSite(t, func(f *v1.FrameworkInfo) {
		f.Roles, f.Principal = []string{"r"}, proto.String("p")
		for _, c := range []v1.FrameworkInfo_Capability_Type{v1.FrameworkInfo_Capability_MULTI_ROLE, v1.FrameworkInfo_Capability_RESERVATION_REFINEMENT} {
			f.Capabilities = append(f.Capabilities, &v1.FrameworkInfo_Capability{Type: c.Enum()})
		}
	})
	id := func(v string) *v1.OperationID { return &v1.OperationID{Value: &v} }
	s.operate([]*v1.TaskInfo{s.inVolume("writer", "echo kept > data/file")},
		&v1.Offer_Operation{Type: v1.Offer_Operation_RESERVE.Enum(), Id: id("reserve"), Reserve: &v1.Offer_Operation_Reserve{
			Resources: []*v1.Resource{reserved("cpus", 1), reserved("disk", 100)},
		}},
		&v1.Offer_Operation{Type: v1.Offer_Operation_CREATE.Enum(), Id: id("create"), Create: &v1.Offer_Operation_Create{Volumes: []*v1.Resource{volume("store", 64)}}},
		&v1.Offer_Operation{Type: v1.Offer_Operation_UNRESERVE.Enum(), Id: id("wrong"), Unreserve: &v1.Offer_Operation_Unreserve{Resources: []*v1.Resource{reserved("mem", 1)}}},
	)
	s.is("writer", v1.TaskState_TASK_FINISHED)
	s.done("reserve", v1.OperationState_OPERATION_FINISHED)
	s.done("create", v1.OperationState_OPERATION_FINISHED)
	s.done("wrong", v1.OperationState_OPERATION_ERROR)
	dir := filepath.Join(s.work, "volumes", "roles", "r", "store")
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "kept\n" {
		t.Errorf("the volume has %q, %v", b, err)
	}

	s.agent.kill()
	s.note(func() { s.offers = nil })
	s.agent.start()
	until(t, "the agent is offered again, with its volume", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, o := range s.offers {
			for _, r := range o.GetResources() {
				if r.GetDisk().GetPersistence().GetId() == "store" && r.GetScalar().GetValue() == 64 {
					return true
				}
			}
		}
		return false
	})
	s.operate([]*v1.TaskInfo{s.inVolume("reader", "grep -q kept data/file && exec sleep 1000")})
	st := s.is("reader", v1.TaskState_TASK_RUNNING)

	// An operator: what is in use stays.
	operator := func(kind, part, field string, list ...*v1.Resource) int {
		t.Helper()
		return post(t, s.master, kind, part, object{"agent_id": object{"value": st.GetAgentId().GetValue()}, field: list})
	}
	if code := operator("DESTROY_VOLUMES", "destroy_volumes", "volumes", volume("store", 64)); code < 400 {
		t.Errorf("destroy what is in use: %d", code)
	}
	if err := s.client.Kill(t.Context(), st.GetTaskId(), st.GetAgentId(), nil); err != nil {
		t.Fatal(err)
	}
	s.is("reader", v1.TaskState_TASK_KILLED)
	until(t, "it can be destroyed", func() bool {
		return operator("DESTROY_VOLUMES", "destroy_volumes", "volumes", volume("store", 64)) == 202
	})
	until(t, "its data are gone", func() bool {
		entries, err := os.ReadDir(filepath.Dir(dir))
		return err == nil && len(entries) == 0
	})
	until(t, "it is unreserved", func() bool {
		return operator("UNRESERVE_RESOURCES", "unreserve_resources", "resources", reserved("cpus", 1), reserved("disk", 100)) == 202
	})
	if code := operator("UNRESERVE_RESOURCES", "unreserve_resources", "resources", reserved("cpus", 1)); code != 409 {
		t.Errorf("unreserve what is not reserved any more: %d, want 409", code)
	}
}

// post makes a call of the master's operator API.
func post(t *testing.T, master, kind, part string, of object) int {
	t.Helper()
	for field, v := range of {
		list, ok := v.([]*v1.Resource)
		if !ok {
			continue
		}
		var all []json.RawMessage
		for _, r := range list {
			b, err := mesosjson.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
		of[field] = all
	}
	body, err := json.Marshal(object{"type": kind, part: of})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+master+"/api/v1", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); resp.StatusCode >= 400 {
		t.Logf("%s: %d %s %v", kind, resp.StatusCode, text, err)
	}
	return resp.StatusCode
}
