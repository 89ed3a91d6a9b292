package nested

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"mezzo/api/checkpoint"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// id makes one of the outermost part first.
func id(parts ...string) (out *v1.ContainerID) {
	for _, p := range parts {
		out = &v1.ContainerID{Value: proto.String(p), Parent: out}
	}
	return out
}

func TestNamesDiffer(t *testing.T) {
	seen := make(map[ids.ContainerID]string)
	for _, parts := range [][]string{{"a"}, {"a", "b"}, {"a.b"}, {"b", "a"}, {"a", "b", "c"}, {"a.b", "c"}, {"a", "b.c"}, {"1:a", "b"}, {"a1", "b"}} {
		name, what := Name(id(parts...)), strings.Join(parts, " / ")
		if other, there := seen[name]; there {
			t.Errorf("%q and %q have the same name %s", what, other, name)
		}
		if seen[name] = what; len(name) > 63 {
			t.Errorf("%q: a name of %d bytes", what, len(name))
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b *v1.ContainerID
		same bool
	}{
		{id("a"), id("a"), true}, {id("a", "b"), id("a", "b"), true}, {id("a.b"), id("a", "b"), false},
		{id("b"), id("a", "b"), false}, {id("a", "b"), id("b"), false}, {id("a", "b"), id("x", "b"), false},
	} {
		if got := Same(c.a, c.b); got != c.same {
			t.Errorf("%v and %v: %t", c.a, c.b, got)
		}
	}
}

func TestCheck(t *testing.T) {
	deep := id(strings.Split(strings.Repeat("x", MaxDepth), "")...)
	for _, c := range []struct {
		name string
		id   *v1.ContainerID
		ok   bool
	}{
		{"one", id("a"), true}, {"in another", id("a", "b"), true}, {"as deep as can be", deep, true},
		{"deeper", &v1.ContainerID{Value: proto.String("y"), Parent: deep}, false},
		{"none", nil, false}, {"empty", id(""), false}, {"parent's is a path", id("../a", "b"), false},
	} {
		if err := Check(c.id); (err == nil) != c.ok || err != nil && !errors.Is(err, errs.Invalid) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestInside(t *testing.T) {
	table := New()
	add := func(within ids.ContainerID, parts ...string) ids.ContainerID {
		c := Container{ID: id(parts...), Within: within}
		c.Name = Name(c.ID)
		table.Add(c)
		return c.Name
	}
	a := add("task", "task", "a")
	ab := add(a, "task", "a", "b")
	abc := add(ab, "task", "a", "b", "c")
	other := add("other", "other", "a")
	alone := add("", "alone")
	if d := cmp.Diff([]ids.ContainerID{abc, ab, a}, table.Inside("task")); d != "" {
		t.Errorf("in the task (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]ids.ContainerID{alone}, table.Standalone()); d != "" {
		t.Errorf("standalone (-want +got):\n%s", d)
	}
	table.Remove(ab)
	table.Remove(other)
	if got := table.Inside("other"); got != nil || len(table.All()) != 3 {
		t.Errorf("after removals: %v in other, %d in all", got, len(table.All()))
	}
}

func TestRecords(t *testing.T) {
	ended := Container{
		ID: id("task", "a"), Within: "task", InGroup: true, Framework: "f", Executor: "e", State: Ended, PID: 7,
		Resources: []*v1.Resource{{Name: proto.String("cpus"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(1)}}},
		Ceilings:  map[string]*v1.Value_Scalar{"mem": {Value: proto.Float64(32)}},
		End:       End{Status: proto.Int32(256), Reason: v1.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum(), Message: "why"},
	}
	for _, c := range []Container{ended, {ID: id("alone")}} {
		c.Name = Name(c.ID)
		got, err := FromRecord(c.Record())
		if d := cmp.Diff(c, got, protocmp.Transform()); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
	for name, spoil := range map[string]func(*checkpoint.Nested){
		"no id":        func(r *checkpoint.Nested) { r.ContainerId = nil },
		"another name": func(r *checkpoint.Nested) { r.Name = "x" },
		"no parent":    func(r *checkpoint.Nested) { r.Within = "" },
	} {
		c := ended
		c.Name = Name(c.ID)
		r := c.Record()
		spoil(r)
		if _, err := FromRecord(r); !errors.Is(err, errs.Corrupt) {
			t.Errorf("%s: got %v, want corrupt", name, err)
		}
	}
}
