package launch

// Goal: what a scheduler writes becomes exactly this container, or is refused
// by the name of its field. Method: scripts in testdata; the input of "plan" is
// a TaskInfo, that of "framework" a FrameworkInfo, in protobuf's text format.

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
	"mezzo/internal/errs"
)

func TestPlans(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		framework := &v1.FrameworkInfo{Id: &v1.FrameworkID{Value: proto.String("f1")}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "framework":
				parse(t, d, framework)
				return ""
			case "executor":
				info := &v1.ExecutorInfo{ExecutorId: &v1.ExecutorID{Value: proto.String("e1")}}
				parse(t, d, info)
				p, err := NewExecutor(Executor{
					Container: "c1", Agent: "a1", Endpoint: "10.0.0.1:5051", Framework: framework, Info: info, Sandbox: "/work/c1",
					Times: Times{15 * time.Minute, 2 * time.Second, 5 * time.Second},
				})
				if err != nil {
					return fmt.Sprintf("error: %v\n", err)
				}
				return print(p, true)
			case "pod":
				info := &v1.TaskInfo{TaskId: &v1.TaskID{Value: proto.String("t1")}}
				parse(t, d, info)
				p, err := New(Task{
					Container: "c1", Agent: "a1", Endpoint: "10.0.0.1:5051", Framework: framework, Info: info,
					Sandbox: "/work/p1/tasks/t1", Executor: "e1", Parent: "/work/p1",
				})
				if err != nil {
					return fmt.Sprintf("error: %v\n", err)
				}
				return print(p, d.HasArg("env")) + fmt.Sprintf("in parent %q\n", p.ParentDirs)
			case "plan":
				info := &v1.TaskInfo{TaskId: &v1.TaskID{Value: proto.String("t1")}}
				parse(t, d, info)
				p, err := New(Task{
					Container: "c1", Agent: "a1", Endpoint: "10.0.0.1:5051",
					Framework: framework, Info: info, Sandbox: "/work/c1",
				})
				if err != nil {
					return fmt.Sprintf("error: %v\n", err)
				}
				return Describe(info) + "\n" + print(p, d.HasArg("env"))
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func parse(t *testing.T, d *datadriven.TestData, m proto.Message) {
	t.Helper()
	fresh := m.ProtoReflect().New().Interface()
	if err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(d.Input), fresh); err != nil {
		d.Fatalf(t, "%v", err)
	}
	proto.Merge(m, fresh)
}

func print(p Plan, env bool) string {
	var out strings.Builder
	s := p.Spec
	fmt.Fprintf(&out, "run shell=%v value=%q args=%q image=%q\n", s.Shell, s.Value, s.Args, s.Image)
	if s.AlwaysPull {
		out.WriteString("pull always\n")
	}
	fmt.Fprintf(&out, "limits cpu %d/%d mem %d/%d revocable=%v\n",
		s.Limits.CPURequestMilli, s.Limits.CPULimitMilli, s.Limits.MemRequestBytes, s.Limits.MemLimitBytes, s.Limits.Revocable)
	if s.User != "" || s.Hostname != "" || len(s.Capabilities) > 0 {
		fmt.Fprintf(&out, "user=%q hostname=%q capabilities=%q\n", s.User, s.Hostname, s.Capabilities)
	}
	for _, m := range s.Mounts {
		fmt.Fprintf(&out, "mount %s at %s ro=%v\n", m.Source, m.Target, m.ReadOnly)
	}
	for _, d := range p.Dirs {
		fmt.Fprintf(&out, "make %s\n", d)
	}
	if env {
		fmt.Fprintf(&out, "id %s sandbox %s labels %v\n%s\n", s.ID, s.Sandbox, s.Labels, strings.Join(s.Env, "\n"))
	}
	return out.String()
}

// FuzzVolume: no path of a volume leaves the sandbox or reaches the kernel's
// directories, whatever is written.
func FuzzVolume(f *testing.F) {
	for _, p := range [][2]string{
		{"/data", "/srv"}, {"data", "data"}, {"..", "a/../../b"}, {"/a/../proc", "/.."}, {"", ""}, {"/", "."}, {"a\x00", "//x"},
	} {
		f.Add(p[0], p[1], true)
	}
	f.Fuzz(func(t *testing.T, containerPath, hostPath string, withImage bool) {
		p := Plan{Spec: containerizer.Spec{Sandbox: "/work/c1"}}
		if withImage {
			p.Spec.Image = "i"
		}
		m, dir, err := mount(&p, &v1.Volume{ContainerPath: &containerPath, HostPath: &hostPath, Mode: v1.Volume_RW.Enum()})
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("class of %v", err)
			}
			return
		}
		for _, p := range []string{m.Source, m.Target} {
			if !path.IsAbs(p) || path.Clean(p) != p || p == "/" && p == m.Target || strings.ContainsRune(p, 0) {
				t.Fatalf("path %q of %q, %q", p, containerPath, hostPath)
			}
		}
		if strings.HasPrefix(m.Target+"/", "/proc/") {
			t.Fatalf("target %q", m.Target)
		}
		if dir != "" && (!filepath.IsLocal(dir) || m.Source != "/work/c1/"+dir) {
			t.Fatalf("directory %q, source %q", dir, m.Source)
		}
	})
}
