package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	codeNotRun = 125 // mezzo's own trouble, as container tools say it
	codeKilled = 137 // 128 + SIGKILL
)

const runLong = `Run a command in a container, somewhere in the cluster, and stay until it ends.

What the task writes comes out as it is written: its stdout to stdout, its
stderr to stderr. The exit code is the task's; 127 and 126 if its command is not
there or cannot be run, 125 if the task could not be run at all, 130 if it was
interrupted.

Ctrl-C kills the task with its grace, a second Ctrl-C at once. With --detach the
task runs on alone: see mezzo ps, logs, kill.

Without a command the image's own is run. Without an image the command runs on
the file system of whichever agent it meets.

With --group the tasks of the file run together; a line of output has the name
of its task before it, and the exit code is that of the first task to fail. The
file is a TaskGroupInfo of the Mesos API:

  {"tasks": [
    {"name": "web", "command": {"value": "httpd -f"}, "container": {"type": "MESOS",
     "mesos": {"image": {"type": "DOCKER", "docker": {"name": "busybox:1.36"}}}}},
    {"name": "log", "command": {"value": "while :; do date; sleep 1; done"},
     "resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": 16}}]}]}

With -o json the task's states go to stderr as JSON, an object a line; with
--detach the last of them to stdout in place of the id.`

const runExample = `  mezzo run --image docker.io/library/busybox:1.36 -- echo hello
  mezzo run --image file:///images/app.tar --cpus 0.5 --mem 64 --name app
  mezzo run --cpus 2 --cpu-limit 4 --mem 1GiB -- make test
  mezzo run -d --name web --image nginx:1.27 --health-http 80/index.html
  mezzo run --group pod.json`

func runCommand(d Deps) *cobra.Command {
	s := runSpec{taskSpec: taskSpec{cpus: "0.1", mem: "32"}}
	var o options
	cmd := &cobra.Command{
		Use:     "run [flags] -- COMMAND [ARG]...",
		Short:   "Run a command in a container and wait for its end",
		Long:    runLong,
		Example: runExample,
	}
	o.add(cmd, d)
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the command is the command's
	f.StringVar(&s.image, "image", "", "image `reference`, or file:///path of an archive on the agent")
	f.StringVar(&s.name, "name", "", "the task's `name`; made from the image or the command unless given")
	f.StringVar(&s.cpus, "cpus", s.cpus, "CPUs guaranteed, a `number`, and its most unless --cpu-limit is given")
	f.StringVar(&s.mem, "mem", s.mem, "memory guaranteed, an `amount` in MiB or with a unit (64, 64MiB, 1GiB), and its most unless --mem-limit is given")
	f.StringVar(&s.disk, "disk", "", "disk, an `amount` as for --mem")
	f.StringVar(&s.cpuLimit, "cpu-limit", "", "CPUs at most: a `number`, or none")
	f.StringVar(&s.memLimit, "mem-limit", "", "memory at most: an `amount` as for --mem, or none")
	f.StringArrayVarP(&s.env, "env", "e", nil, "`KEY=VALUE` for the environment; KEY alone takes the value from here; may be repeated")
	f.StringArrayVarP(&s.volumes, "volume", "v", nil, "`HOST:CONTAINER[:ro]`, a path of the agent seen in the container; may be repeated")
	f.StringArrayVar(&s.uris, "uri", nil, "`URI` to fetch into the sandbox before the command starts, archives unpacked; with #sha256:HEX at its end\nas that content or not at all; may be repeated")
	f.StringVar(&s.user, "user", "", "user to run as, `name or uid[:gid]`; the image's unless given")
	f.StringVar(&s.group, "group", "", "`file` with a task group in JSON, to run its tasks together on one agent: one that fails ends the others")
	f.StringVar(&s.role, "role", "*", "role whose resources are used")
	f.BoolVar(&s.revocable, "revocable", false, "use CPUs that others were given and do not use; they, and the task, may be taken back at any time")
	f.DurationVar(&s.grace, "kill-grace", 0, "time between SIGTERM and SIGKILL when killed; 3s unless given")
	f.DurationVar(&s.timeout, "timeout", 0, "kill the task after it ran so long; never unless given")
	s.health.add(f)
	f.BoolVarP(&s.detach, "detach", "d", false, "print the task's id once it runs, and leave it running")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "say nothing but what the task says")
	completeFlag(cmd, d, "role", roleNames)
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &ExitError{Code: codeNotRun, Err: FlagError(c, err)} })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.command = args
		if err := s.check(cmd.Flags()); err != nil {
			return &ExitError{Code: codeNotRun, Err: err}
		}
		code, err := run(cmd.Context(), d, &o, &s)
		var exit *ExitError
		switch {
		case errors.As(err, &exit):
			return err
		case err != nil:
			return &ExitError{Code: codeNotRun, Err: err}
		case code != 0:
			return &ExitError{Code: code}
		}
		return nil
	}
	return cmd
}

// newTaskID makes an id that says what it is and is nobody else's.
func newTaskID(name string) string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return name + "-" + hex.EncodeToString(b[:])
}

// taskName is what a task is called that was given no name: busybox for
// docker.io/library/busybox:1.36, app for file:///images/app.tar, make for
// /usr/bin/make.
func taskName(s *taskSpec) string {
	name := s.image
	if name == "" {
		name = s.command[0]
	}
	name, _, _ = strings.Cut(name, "@")
	name = name[strings.LastIndex(name, "/")+1:]
	name, _, _ = strings.Cut(name, ":")
	if strings.HasPrefix(s.image, "file://") {
		name, _, _ = strings.Cut(name, ".")
	}
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, name)
	if strings.Trim(name, ".-") == "" {
		return "task"
	}
	return name[:min(len(name), 40)]
}

// noOfferAfter is how long an offer may take before the user is told why.
const noOfferAfter = 3 * time.Second

// checkImage knows a path from a reference, which the agent would refuse.
func checkImage(image string) error {
	if strings.HasPrefix(image, "/") || strings.HasPrefix(image, ".") {
		return fmt.Errorf("--image %q: want a reference like busybox:1.36, or file:///path of an archive on the agent", image)
	}
	return nil
}

// checkName refuses what no id may hold.
func checkName(what, name string) error {
	if len(name) > 200 || name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || r == '\\' || r == 0x7f }) {
		return fmt.Errorf("%s %q: want at most 200 characters without blanks and slashes", what, name)
	}
	return nil
}
