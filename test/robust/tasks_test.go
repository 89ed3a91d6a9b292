package robust

import (
	"archive/tar"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/images/imagetest"
)

// testTasks runs what cannot run, or runs wild: it ends as it should, with a
// reason in words.
func testTasks(t *testing.T, c *cluster) {
	wild := subscribe(t, c.Master, nil)
	defer wild.teardown(t)
	for _, list := range [][]wildTask{commands(c), imagesOf(t, c), users(c), environments(c), volumes(t, c)} {
		for _, tc := range list {
			whole := false
			ok := t.Run(tc.name, func(t *testing.T) {
				wild.t = t
				wild.wake()
				o := wild.offer(hosts[0])
				task := command(o, "wild", "exit 0", "cpus:1;mem:32")
				if tc.image != "" {
					task.Container = container(tc.image)
				}
				tc.change(task)
				wild.accept([]*v1.Offer{o}, task)
				s := wild.outcome("wild")
				if s.GetState() != tc.state || !contains(s.GetMessage(), tc.says) || len(s.GetMessage()) > 3000 ||
					tc.state == v1.TaskState_TASK_FAILED && s.GetMessage() == "" {
					t.Errorf("status %.3000v, want %v and %q", s, tc.state, tc.says)
				}
				wild.rest()
				c.works(t)
				readable(t, c.Master)
				whole = true
			})
			if !ok && !whole {
				return // what comes next would suffer for it
			}
		}
	}
}

// wildTask is a task and how it has to end.
type wildTask struct {
	name   string
	image  string // empty: the host's file system
	change func(*v1.TaskInfo)
	state  v1.TaskState
	says   string
}

const (
	finished = v1.TaskState_TASK_FINISHED
	failed   = v1.TaskState_TASK_FAILED
	refusal  = v1.TaskState_TASK_ERROR
)

// container is one of an image, or of a MESOS container without one.
func container(image string) *v1.ContainerInfo {
	c := &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Mesos: &v1.ContainerInfo_MesosInfo{}}
	if image != "" {
		c.Mesos.Image = &v1.Image{Type: v1.Image_DOCKER.Enum(), Docker: &v1.Image_Docker{Name: &image}}
	}
	return c
}

func shell(script string) func(*v1.TaskInfo) {
	return func(t *v1.TaskInfo) { t.Command.Value = &script }
}

func argv(words ...string) func(*v1.TaskInfo) {
	return func(t *v1.TaskInfo) {
		t.Command.Shell, t.Command.Value, t.Command.Arguments = proto.Bool(false), &words[0], words
	}
}

func commands(c *cluster) []wildTask {
	return []wildTask{
		{"no such command", "", argv("no-such-program"), failed, `"no-such-program"`},
		{"no such command in an image", c.Image, argv("/no/such/program"), failed, `"/no/such/program"`},
		{"no such command in a shell", c.Image, shell("no-such-program"), failed, "status 127"},
		{"not executable", "", argv("/etc/passwd"), failed, `"/etc/passwd"`},
		{"a directory", c.Image, argv("/etc"), failed, `"/etc"`},
		{"not a program", "", argv(c.Dir + "/busybox.tar"), failed, "busybox.tar"},
		{"empty script", "", shell(""), refusal, "command.value"},
		{"no value", "", func(t *v1.TaskInfo) { t.Command.Value = nil }, refusal, "command.value"},
		{"no program", "", argv(""), refusal, "command"},
		{"NUL", "", shell("echo a\x00b"), refusal, "NUL"},
		{"NUL in an argument", "", argv("echo", "a\x00b"), refusal, "NUL"},
		{"not UTF-8", "", shell("printf '\xff' | wc -c"), finished, ""},
		{"64 kB of arguments", "", argv("true", strings.Repeat("x", 64<<10)), finished, ""},
		{"1 MB argument", "", argv("true", strings.Repeat("x", 1<<20)), failed, "longer than the kernel takes"},
		{"10,000 arguments", "", argv(append([]string{"true"}, strings.Split(strings.Repeat("x ", 10_000), " ")...)...), finished, ""},
		{"1 MB script", "", shell("true " + strings.Repeat("x", 1<<20)), failed, "longer than the kernel takes"},
		{"1 GB of output", "", shell("head -c 1000000000 /dev/zero; test $(du -sm . | cut -f1) -lt 80"), finished, ""},
		{"kills all it sees", c.Image, shell("kill -9 -1; exit 0"), finished, ""},
		{"closes its output", "", shell("exec >&- 2>&-; exit 0"), finished, ""},
		{"replaces its output by a fifo", "", shell("rm stdout stderr; mkfifo stdout stderr; echo hi; exit 0"), finished, ""},
		{"replaces its output by a link", "", shell("rm stdout; ln -s /etc/mezzo-was-here stdout; echo hi; exit 0"), finished, ""},
		{"removes its sandbox", "", shell(`cd /; rm -rf "$MESOS_SANDBOX"; exit 0`), finished, ""},
		{"locks its output", "", shell("flock -x stdout true; exit 0"), finished, ""},
		{"leaves a child that holds its output", c.Image, shell("sleep 1000 & exit 0"), finished, ""},
		{"leaves a daemon", c.Image, shell("setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit 0"), finished, ""},
		{"ignores TERM", c.Image, func(t *v1.TaskInfo) {
			shell("trap '' TERM; while :; do sleep 0.1; done")(t)
			t.KillPolicy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(3e8)}}
			t.MaxCompletionTime = &v1.DurationInfo{Nanoseconds: proto.Int64(3e8)}
		}, failed, "completion"},
		{"endless grace", "", func(t *v1.TaskInfo) {
			t.KillPolicy = &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(math.MaxInt64)}}
		}, finished, ""},
		{"endless time", "", func(t *v1.TaskInfo) {
			t.MaxCompletionTime = &v1.DurationInfo{Nanoseconds: proto.Int64(math.MaxInt64)}
		}, finished, ""},
		{"limits without end", "", func(t *v1.TaskInfo) {
			limit("cpus", math.Inf(1))(t)
		}, finished, ""},
		{"a check whose times have no end", "", func(t *v1.TaskInfo) {
			t.Check = &v1.CheckInfo{Type: v1.CheckInfo_TCP.Enum(), Tcp: &v1.CheckInfo_Tcp{Port: proto.Uint32(1)}, DelaySeconds: proto.Float64(math.Inf(1))}
		}, refusal, "check"},
		{"labels that are no text", "", func(t *v1.TaskInfo) {
			t.Labels = &v1.Labels{Labels: []*v1.Label{{Key: proto.String("\xff\x00</script>"), Value: proto.String("\xfe")}}}
		}, finished, ""},
		{"no time at all", "", func(t *v1.TaskInfo) {
			t.Command.Value = proto.String("sleep 1000")
			t.MaxCompletionTime = &v1.DurationInfo{Nanoseconds: proto.Int64(1)}
		}, failed, ""},
	}
}

// imagesOf are images that aren't there, or are none.
func imagesOf(t *testing.T, c *cluster) []wildTask {
	nothing := func(*v1.TaskInfo) {}
	at := func(name string, make func(path string) error) string {
		path := filepath.Join(c.Dir, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		return "file://" + path
	}
	file := func(name string, data []byte) string {
		return at(name, func(p string) error { return os.WriteFile(p, data, 0o600) })
	}
	// Of content that nobody has: what is known by its digest needs not be read.
	whole := filepath.Join(c.Dir, "whole.tar")
	if err := imagetest.WriteBusybox(whole, imagetest.Options{Padding: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(image)
	damaged[len(damaged)/2] ^= 0xff // most of it is padding
	return []wildTask{
		{"no such archive", "file:///nowhere/image.tar", nothing, failed, "/nowhere/image.tar"},
		{"no path", "file://", nothing, failed, "file://"},
		{"path on another host", "file://host/image.tar", nothing, failed, "file://host/image.tar"},
		{"relative path", "file:image.tar", nothing, failed, "file:image.tar"},
		{"path that leads up", "file:///tmp/../etc/passwd", nothing, failed, "clean absolute path"},
		{"path with a NUL", "file:///tmp/a%00b", nothing, failed, "clean absolute path"},
		{"path with a newline", "file:///tmp/a\nb", nothing, failed, ""},
		{"a directory", "file:///etc", nothing, failed, "not a regular file"},
		{"a device", "file:///dev/zero", nothing, failed, "not a regular file"},
		{"a link to a device", at("zero.tar", func(p string) error { return os.Symlink("/dev/zero", p) }), nothing, failed, "not a regular file"},
		{"a fifo", at("fifo.tar", func(p string) error { return syscall.Mkfifo(p, 0o600) }), nothing, failed, "not a regular file"},
		{"a file of the kernel", "file:///proc/kmsg", nothing, failed, "/proc/kmsg"},
		{"no archive", file("text.tar", []byte("hello")), nothing, failed, "text.tar"},
		{"empty archive", file("empty.tar", nil), nothing, failed, "empty.tar"},
		{"zeros", file("zeros.tar", make([]byte, 1<<20)), nothing, failed, "zeros.tar"},
		{"cut off archive", file("cut.tar", image[:len(image)/2]), nothing, failed, "cut.tar"},
		{"damaged archive", file("damaged.tar", damaged), nothing, failed, "damaged.tar"},
		{"archive of something else", at("other.tar", otherArchive), nothing, failed, "other.tar"},
		{"no such member", c.Image + "#nobody", nothing, failed, "nobody"},
		{"bad reference", "Not A Reference!", nothing, failed, "Not A Reference!"},
		{"long reference", strings.Repeat("a", 10_000), nothing, failed, "reference"},
		{"nobody's registry", "127.0.0.1:1/app:1", nothing, failed, "127.0.0.1:1"},
		{"digest that is none", "busybox@sha256:123", nothing, failed, "sha256:123"},
		{"an option", "--help", nothing, failed, "--help"},
	}
}

// otherArchive is a tar whose files have the names of an image's, and names that
// lead elsewhere.
func otherArchive(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	for name, text := range map[string]string{
		"oci-layout":       `{"imageLayoutVersion":"1.0.0"}`,
		"index.json":       `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../../etc/passwd","size":-1}]}`,
		"../../etc/passwd": "pwned",
	} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}

func users(c *cluster) []wildTask {
	as := func(user string) func(*v1.TaskInfo) {
		return func(t *v1.TaskInfo) { t.Command.User = &user; t.Command.Value = proto.String("id") }
	}
	return []wildTask{
		{"user who is not there", "", as("no-such-user"), failed, "no-such-user"},
		{"user who is not in the image", c.Image, as("no-such-user"), failed, "no-such-user"},
		{"group that is not there", c.Image, as("0:no-such-group"), failed, "no-such-group"},
		{"uid of nobody", c.Image, as("54321"), finished, ""},
		{"large uid", c.Image, as("4294967294"), failed, "4294967294"},
		{"uid that the kernel takes for none", c.Image, as("4294967295"), failed, "4294967295"},
		{"absurd uid", c.Image, as("99999999999999999999"), failed, "99999999999999999999"},
		{"negative uid", c.Image, as("-1"), failed, "-1"},
		{"empty parts", c.Image, as(":"), failed, "user:group"},
		{"three parts", c.Image, as("0:0:0"), failed, "user:group"},
		{"NUL", "", as("ro\x00ot"), refusal, "NUL"},
		{"newline", "", as("root\nroot"), failed, "root"},
		{"path", c.Image, as("../root"), failed, "../root"},
	}
}

func environments(c *cluster) []wildTask {
	prints := func(name, value, script string) func(*v1.TaskInfo) {
		return func(t *v1.TaskInfo) {
			env(name, value)(t)
			t.Command.Value = &script
		}
	}
	return []wildTask{
		{"empty name", "", env("", "x"), refusal, "variable"},
		{"value with =", c.Image, prints("A", "=b=c", `[ "$A" = "=b=c" ]`), finished, ""},
		{"value with newlines", c.Image, prints("A", "a\nB=c", `[ -z "$B" ]`), finished, ""},
		{"name with a space", c.Image, env("A B", "c"), finished, ""},
		{"value that is not UTF-8", c.Image, prints("A", "\xff", `exit 0`), finished, ""},
		{"variable of the loader", "", env("LD_PRELOAD", "/nowhere.so"), finished, ""},
		{"1 MB value", "", env("A", strings.Repeat("x", 1<<20)), failed, `"A"`},
		{"overrides ours", c.Image, prints("MESOS_TASK_ID", "mine", `[ "$MESOS_TASK_ID" = mine ]`), finished, ""},
		{"a secret", "", func(t *v1.TaskInfo) {
			t.Command.Environment = &v1.Environment{Variables: []*v1.Environment_Variable{{
				Name: proto.String("S"), Type: v1.Environment_Variable_SECRET.Enum(),
				Secret: &v1.Secret{Type: v1.Secret_VALUE.Enum(), Value: &v1.Secret_Value{Data: []byte("x")}},
			}}}
		}, refusal, `"S"`},
		{"something to fetch", "", func(t *v1.TaskInfo) {
			t.Command.Uris = []*v1.CommandInfo_URI{{Value: proto.String("gopher://h/x")}}
		}, refusal, "gopher"},
		{"something to fetch to elsewhere", "", func(t *v1.TaskInfo) {
			t.Command.Uris = []*v1.CommandInfo_URI{{Value: proto.String("file:///etc/hostname"), OutputFile: proto.String("../../x")}}
		}, refusal, "../../x"},
	}
}

func volumes(t *testing.T, c *cluster) []wildTask {
	volume := func(host, target string) func(*v1.TaskInfo) {
		return func(t *v1.TaskInfo) {
			if t.Container == nil {
				t.Container = container("")
			}
			t.Container.Volumes = append(t.Container.Volumes, &v1.Volume{Mode: v1.Volume_RW.Enum(), HostPath: &host, ContainerPath: &target})
		}
	}
	link := filepath.Join(c.Dir, "link")
	if err := os.Symlink("/run/mezzo", link); err != nil {
		t.Fatal(err)
	}
	both := func(a, b func(*v1.TaskInfo)) func(*v1.TaskInfo) { return func(t *v1.TaskInfo) { a(t); b(t) } }
	list := []wildTask{
		{"over all", c.Image, volume("/tmp", "/"), refusal, `"/"`},
		{"with dots", c.Image, volume("/tmp/../etc", "/data"), refusal, ".."},
		{"target with dots", c.Image, volume("/tmp", "/data/../proc"), refusal, ".."},
		{"source that is not there", c.Image, volume("/no/such/dir", "/data"), failed, "/no/such/dir"},
		{"no source", c.Image, volume("", "/data"), refusal, "host_path"},
		{"no target", c.Image, volume("/tmp", ""), refusal, "container_path"},
		{"NUL", c.Image, volume("/tmp/\x00", "/data"), refusal, "host_path"},
		{"sandbox-relative source", c.Image, volume("mine", "/data"), finished, ""},
		{"relative source that leads up", c.Image, volume("../../..", "/data"), refusal, "host_path"},
		{"relative target that leads up", c.Image, volume("/tmp", "../../etc"), refusal, "container_path"},
		{"twice the same target", c.Image, both(volume("/tmp", "/data"), volume("/etc", "/data")), refusal, "/data"},
		{"file over a directory", c.Image, volume("/etc/passwd", "/bin"), failed, "/bin"},
		{"host's target that is not there", "", volume("/tmp", "/no/such/dir"), failed, "/no/such/dir"},
		{"containerd's files", c.Image, both(volume("/run", "/data"), shell("! ls /data/mezzo/*/containerd.sock")), finished, ""},
		{"containerd's own directory", c.Image, volume("/run/containerd", "/data"), failed, "containerd"},
		{"containerd's own directory by another name", c.Image, volume("/var/run/containerd", "/data"), failed, "containerd"},
		{"containerd's through a link of its own", c.Image, volume(link, "/data"), failed, "belongs to containerd"},
		{"containerd's through a link", c.Image, both(volume("/var/run", "/data"), shell("! ls /data/mezzo/*/containerd.sock")), finished, ""},
		{"containerd's through /proc", c.Image, both(volume("/proc", "/data"), shell("! ls /data/1/root/run/mezzo/*/containerd.sock")), finished, ""},
		{"sandbox of all", c.Image, both(volume(c.Dir, "/data"), shell("! ls /data/w/containerd/root")), finished, ""},
	}
	for _, kernel := range []string{"/proc", "/sys", "/dev", "/proc/self", "/sys/fs/cgroup", "/dev/shm", "//proc//"} {
		list = append(list, wildTask{"over " + kernel, c.Image, volume("/tmp", kernel), refusal, "container_path"})
	}
	return list
}

// killed ends a task at once.
func (f *framework) kill(task string) {
	f.t.Helper()
	f.call(&scheduler.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{
		TaskId: &v1.TaskID{Value: &task}, KillPolicy: &v1.KillPolicy{GracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(0)}},
	}})
}
