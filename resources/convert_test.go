package resources

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// volume is a persistent one of reserved disk.
func volume(t *testing.T, of, id string, change ...func(*v1.Resource)) Resources {
	t.Helper()
	r := mustParse(t, of).Proto()[0]
	r.Disk = &v1.Resource_DiskInfo{
		Persistence: &v1.Resource_DiskInfo_Persistence{Id: proto.String(id), Principal: proto.String("p")},
		Volume:      &v1.Volume{ContainerPath: proto.String("data"), Mode: v1.Volume_RW.Enum()},
	}
	for _, f := range change {
		f(r)
	}
	out, err := FromProto([]*v1.Resource{r})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustParse(t *testing.T, text string) Resources {
	t.Helper()
	r, err := Parse(text, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func containerPath(p string) func(*v1.Resource) {
	return func(r *v1.Resource) { r.Disk.Volume.ContainerPath = &p }
}

func sharedVolume(r *v1.Resource) { r.Shared = &v1.Resource_SharedInfo{} }

func TestConversions(t *testing.T) {
	parse := func(s string) Resources { return mustParse(t, s) }
	ten := volume(t, "disk(r,p)@r:10", "id")
	for _, c := range []struct {
		name     string
		make     func() (Conversion, error)
		from, to Resources // empty to: refused with
		why      string
	}{
		{"reserve", func() (Conversion, error) { return Reserve(parse("cpus(r,p)@r:1;ports(r,p)@r:[1-5]"), Resources{}) },
			parse("cpus@r:1;ports@r:[1-5]"), parse("cpus(r,p)@r:1;ports(r,p)@r:[1-5]"), ""},
		{"refine", func() (Conversion, error) { return Reserve(parse("cpus(r)(r/s,p)@r/s:1"), Resources{}) }, parse("cpus(r)@r/s:1"), parse("cpus(r)(r/s,p)@r/s:1"), ""},
		{"reserve again", func() (Conversion, error) { return Reserve(parse("cpus(s,p):1"), parse("cpus(r,q):1")) }, parse("cpus(r,q):1"), parse("cpus(s,p):1"), ""},
		{"reserve of another amount", func() (Conversion, error) { return Reserve(parse("cpus(s,p):1"), parse("cpus(r,q):2")) }, Resources{}, Resources{}, "not what is to be reserved"},
		{"reserve what the flags do", func() (Conversion, error) { return Reserve(parse("cpus(s,p):1"), parse("cpus(r):1")) }, Resources{}, Resources{}, "agent's flags"},
		{"reserve statically", func() (Conversion, error) { return Reserve(parse("cpus(r):1"), Resources{}) }, Resources{}, Resources{}, "not dynamically"},
		{"reserve nothing", func() (Conversion, error) { return Reserve(Resources{}, Resources{}) }, Resources{}, Resources{}, "no resources"},
		{"reserve revocable", func() (Conversion, error) { return Reserve(parse("cpus(r,p){REV}:1"), Resources{}) }, Resources{}, Resources{}, "revocable"},
		{"reserve a volume", func() (Conversion, error) { return Reserve(ten, Resources{}) }, Resources{}, Resources{}, "persistent volume"},
		{"unreserve", func() (Conversion, error) { return Unreserve(parse("mem(r,p)@r:64")) }, parse("mem(r,p)@r:64"), parse("mem@r:64"), ""},
		{"unreserve what is not", func() (Conversion, error) { return Unreserve(parse("mem@r:64")) }, Resources{}, Resources{}, "not dynamically"},
		{"create", func() (Conversion, error) { return Create(ten) }, parse("disk(r,p)@r:10"), ten, ""},
		{"create shared", func() (Conversion, error) { return Create(volume(t, "disk(r,p)@r:10", "id", sharedVolume)) },
			parse("disk(r,p)@r:10"), volume(t, "disk(r,p)@r:10", "id", sharedVolume), ""},
		{"create of what the flags reserve", func() (Conversion, error) { return Create(volume(t, "disk(r):10", "id")) }, parse("disk(r):10"), volume(t, "disk(r):10", "id"), ""},
		{"create of unreserved disk", func() (Conversion, error) { return Create(volume(t, "disk:10", "id")) }, Resources{}, Resources{}, "not of reserved"},
		{"create above the sandbox", func() (Conversion, error) { return Create(volume(t, "disk(r,p):10", "id", containerPath("a/../../b"))) }, Resources{}, Resources{}, "not below"},
		{"create at an absolute path", func() (Conversion, error) { return Create(volume(t, "disk(r,p):10", "id", containerPath("/etc"))) }, Resources{}, Resources{}, "not below"},
		{"create with a path as id", func() (Conversion, error) { return Create(volume(t, "disk(r,p):10", "a/b")) }, Resources{}, Resources{}, "name of a directory"},
		{"create the parent", func() (Conversion, error) { return Create(volume(t, "disk(r,p):10", "..")) }, Resources{}, Resources{}, "name of a directory"},
		{"create of a host path", func() (Conversion, error) {
			return Create(volume(t, "disk(r,p):10", "id", func(r *v1.Resource) { r.Disk.Volume.HostPath = proto.String("/etc") }))
		}, Resources{}, Resources{}, "place of its own"},
		{"create one twice", func() (Conversion, error) { return Create(ten.Add(volume(t, "disk(r,p)@r:20", "id"))) }, Resources{}, Resources{}, "twice"},
		{"create no volume", func() (Conversion, error) { return Create(parse("disk(r,p):10")) }, Resources{}, Resources{}, "no persistent volume"},
		{"destroy", func() (Conversion, error) { return Destroy(ten) }, ten, parse("disk(r,p)@r:10"), ""},
		{"grow", func() (Conversion, error) { return Grow(ten, parse("disk(r,p)@r:5")) }, ten.Add(parse("disk(r,p)@r:5")), volume(t, "disk(r,p)@r:15", "id"), ""},
		{"grow by another's", func() (Conversion, error) { return Grow(ten, parse("disk(s,p)@r:5")) }, Resources{}, Resources{}, "cannot be added"},
		{"grow by nothing", func() (Conversion, error) { return Grow(ten, Resources{}) }, Resources{}, Resources{}, "cannot be added"},
		{"grow a shared one", func() (Conversion, error) {
			return Grow(volume(t, "disk(r,p)@r:10", "id", sharedVolume), parse("disk(r,p)@r:5"))
		}, Resources{}, Resources{}, "shared"},
		{"shrink", func() (Conversion, error) { return Shrink(ten, 4000) }, ten, volume(t, "disk(r,p)@r:6", "id").Add(parse("disk(r,p)@r:4")), ""},
		{"shrink to nothing", func() (Conversion, error) { return Shrink(ten, 10000) }, Resources{}, Resources{}, "cannot be taken"},
	} {
		got, err := c.make()
		if c.why != "" {
			if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.why)
			}
			continue
		}
		if err != nil || !got.From.Equal(c.from) || !got.To.Equal(c.to) {
			t.Errorf("%s: %v makes %v of %v, want %v of %v", c.name, err, got.To, got.From, c.to, c.from)
		}
		rest := parse("gpus:1;disk:3")
		after, err := got.Apply(rest.Add(got.From))
		if err != nil || !after.Equal(rest.Add(got.To)) {
			t.Errorf("%s: applied: %v, %v", c.name, after, err)
		}
		if _, err := got.Apply(rest); !errors.Is(err, errs.Conflict) {
			t.Errorf("%s: applied to what lacks it: %v", c.name, err)
		}
	}
}
