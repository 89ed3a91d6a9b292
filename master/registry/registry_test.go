package registry

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/registry"
	"mezzo/internal/errs"
)

func framework(id string) *registry.Framework {
	return &registry.Framework{Info: &v1.FrameworkInfo{Id: ids.FrameworkID(id).Proto(), Name: proto.String("n"), User: proto.String("u")}, State: registry.Framework_CONNECTED, Since: 5}
}

// TestAdd: goal, that what was kept comes back, whatever its name; method, odd
// names through the variables' names and values.
func TestAdd(t *testing.T) {
	for _, id := range []string{"a", "a/b c", "ä%2F", "\x80\xff", strings.Repeat("x/", 500), "#"} {
		s := NewState()
		for _, c := range []Change{
			Agent(ids.AgentID(strings.ToValidUTF8(id, "?")), &registry.Agent{State: registry.Agent_GONE, Since: 3}),
			Role(strings.ToValidUTF8(id, "?"), &registry.Role{Weight: 2000}),
			Framework(ids.FrameworkID(strings.ToValidUTF8(id, "?")), framework(strings.ToValidUTF8(id, "?"))),
			Maintenance(&registry.Maintenance{}),
		} {
			if len(c.Name) > 512 {
				t.Errorf("name of %d bytes", len(c.Name))
			}
			if err := s.Add(c); err != nil {
				t.Errorf("%q: %v", id, err)
			}
		}
		id = strings.ToValidUTF8(id, "?")
		if s.Agents[ids.AgentID(id)].GetSince() != 3 || s.Roles[id].GetWeight() != 2000 || s.Frameworks[ids.FrameworkID(id)].GetSince() != 5 {
			t.Errorf("%q: %v", id, s)
		}
	}
	for name, c := range map[string]struct {
		change Change
		class  error
	}{
		"unknown":    {Change{"registry/planet/x", []byte{}}, errs.Unsupported},
		"garbage":    {Change{"registry/agent/x", []byte{0xff}}, errs.Corrupt},
		"other's":    {Change{"registry/agent/x", Agent("y", &registry.Agent{}).Value}, errs.Corrupt},
		"without id": {Change{"registry/framework/x", []byte{}}, errs.Corrupt},
	} {
		if err := NewState().Add(c.change); !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.change.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAdd: no bytes crash it.
func FuzzAdd(f *testing.F) {
	c := Framework("f", framework("f"))
	f.Add(c.Name, c.Value)
	f.Add(maintenance, []byte{1})
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		err := NewState().Add(Change{name, value})
		if err != nil && !errors.Is(err, errs.Corrupt) && !errors.Is(err, errs.Unsupported) {
			t.Errorf("error %v has no class", err)
		}
	})
}
