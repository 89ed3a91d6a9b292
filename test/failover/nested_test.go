package failover

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

type object = map[string]any

// agentCall makes a call of the agent's operator API.
func (s *site) agentCall(call object) (int, object) {
	s.t.Helper()
	body, err := json.Marshal(call)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.Post("http://"+s.at+"/api/v1", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Logf("%v: %v", call["type"], err) // the agent may be on its way
		return 0, nil
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	answer := object{}
	if json.Unmarshal(out, &answer) != nil && resp.StatusCode >= 300 {
		s.t.Logf("%v: %d %s", call["type"], resp.StatusCode, out)
	}
	return resp.StatusCode, answer
}

// TestNested: goal, that containers within containers, and standalone ones, run
// with images of their own, are there when the agent comes back from a kill -9,
// and that their ends are told; method, the calls on real containers.
func TestNested(t *testing.T) {
	s := newSite(t)
	s.accept(func(o *v1.Offer) *v1.Offer_Operation {
		return &v1.Offer_Operation{Type: v1.Offer_Operation_LAUNCH.Enum(), Launch: &v1.Offer_Operation_Launch{TaskInfos: []*v1.TaskInfo{{
			Name: proto.String("around"), TaskId: &v1.TaskID{Value: proto.String("around")}, AgentId: o.GetAgentId(),
			Command: &v1.CommandInfo{Value: proto.String("sleep 1000")}, Resources: []*v1.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		}}}}
	})
	st := s.is("around", v1.TaskState_TASK_RUNNING)
	around := object{"value": st.GetContainerStatus().GetContainerId().GetValue()}
	in := func(name string) object { return object{"value": name, "parent": around} }
	alone := object{"value": "alone"}
	image := object{"type": "MESOS", "mesos": object{"image": object{"type": "DOCKER", "docker": object{"name": s.image}}}}
	launch := func(id object, command string) {
		t.Helper()
		if code, _ := s.agentCall(object{"type": "LAUNCH_CONTAINER", "launch_container": object{
			"container_id": id, "command": object{"value": command, "shell": true}, "container": image,
		}}); code != 200 {
			t.Fatalf("launch %v: %d", id, code)
		}
	}
	wait := func(id object) object {
		t.Helper()
		code, answer := s.agentCall(object{"type": "WAIT_CONTAINER", "wait_container": object{"container_id": id}})
		if code != 200 {
			t.Fatalf("wait for %v: %d", id, code)
		}
		end, _ := answer["wait_container"].(object)
		return end
	}
	launch(in("side"), "echo beside; trap 'exit 7' TERM; while :; do sleep 0.1; done")
	launch(in("stays"), "sleep 1000")
	launch(in("quick"), "exit 2")
	launch(alone, "sleep 1000")
	if end := wait(in("quick")); end["exit_status"] != 512.0 {
		t.Errorf("the quick one: %v", end)
	}
	if n := len(shims(s.work)); n < 4 {
		t.Errorf("%d containers, want 4", n)
	}

	s.agent.kill()
	s.agent.start()
	until(t, "the agent is back", func() bool {
		code, _ := s.agentCall(object{"type": "GET_HEALTH"})
		return code == 200
	})
	if code, _ := s.agentCall(object{"type": "LAUNCH_CONTAINER", "launch_container": object{"container_id": alone, "command": object{"value": "sleep 1000"}}}); code != 202 {
		t.Errorf("launch what runs: %d, want 202", code)
	}
	if end := wait(in("quick")); end["exit_status"] != 512.0 {
		t.Errorf("the quick one, asked again: %v", end)
	}
	for id, signal := range map[string]int{"side": 15, "alone": 9} {
		of, want := in(id), 7*256.0
		if id == "alone" {
			of, want = alone, 9.0
		}
		if code, _ := s.agentCall(object{"type": "KILL_CONTAINER", "kill_container": object{"container_id": of, "signal": signal}}); code != 200 {
			t.Errorf("kill %s: %d", id, code)
		}
		if end := wait(of); end["exit_status"] != want {
			t.Errorf("%s ended by %v, want status %v", id, end, want)
		}
		if code, _ := s.agentCall(object{"type": "REMOVE_CONTAINER", "remove_container": object{"container_id": of}}); code != 200 {
			t.Errorf("remove %s: %d", id, code)
		}
	}
	if err := s.client.Kill(t.Context(), st.GetTaskId(), st.GetAgentId(), nil); err != nil {
		t.Fatal(err)
	}
	s.is("around", v1.TaskState_TASK_KILLED)
	until(t, "no container is left", func() bool { return len(shims(s.work)) == 0 })
}
