package cli

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// taskSpec is what the user asked for, as it was typed.
type taskSpec struct {
	name, image, user string
	command           []string

	cpus, mem, disk    string
	cpuLimit, memLimit string

	env, volumes   []string
	uris           []string
	grace, timeout time.Duration
	health         healthSpec
}

// part checks all of s and reports every problem. lookup finds variables of the
// environment.
func (s *taskSpec) part(lookup func(string) string) (part, error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if s.image == "" && len(s.command) == 0 {
		return part{}, errors.New("nothing to run: give --image, or a command after --")
	}
	if s.name == "" {
		s.name = taskName(s)
	}
	note(checkName("--name", s.name))
	note(checkImage(s.image))
	want, err := s.wanted()
	note(err)
	limits, err := s.limits(want)
	note(err)
	env, err := s.environment(lookup)
	note(err)
	volumes, err := s.mounts()
	note(err)
	check, err := s.health.check()
	note(err)
	if s.grace < 0 || s.timeout < 0 {
		note(errors.New("--kill-grace and --timeout want no negative times"))
	}
	if len(problems) > 0 {
		return part{}, errors.Join(problems...)
	}
	t := &v1.TaskInfo{Name: &s.name, Command: s.commandInfo(env), Container: s.container(volumes), Limits: limits, HealthCheck: check}
	if s.grace > 0 {
		t.KillPolicy = killPolicy(s.grace)
	}
	if s.timeout > 0 {
		t.MaxCompletionTime = &v1.DurationInfo{Nanoseconds: proto.Int64(s.timeout.Nanoseconds())}
	}
	return part{task: t, want: want}, nil
}

func (s *taskSpec) wanted() (map[string]float64, error) {
	cpus, err := parseCPUs("--cpus", s.cpus)
	if err != nil {
		return nil, err
	}
	mem, err := parseMiB("--mem", s.mem)
	if err != nil {
		return nil, err
	}
	want := map[string]float64{"cpus": cpus, "mem": mem}
	if s.disk != "" {
		if want["disk"], err = parseMiB("--disk", s.disk); err != nil {
			return nil, err
		}
	}
	return want, nil
}

// limits are the ceilings that differ from the request.
func (s *taskSpec) limits(want map[string]float64) (map[string]*v1.Value_Scalar, error) {
	limits := make(map[string]*v1.Value_Scalar)
	set := func(flag, name, text string, parse func() (float64, error)) error {
		v := math.Inf(1)
		if text == "" {
			return nil
		}
		if text != "none" {
			var err error
			if v, err = parse(); err != nil {
				return fmt.Errorf("%w; or none", err)
			}
			if v < want[name] {
				return fmt.Errorf("%s %s is below the request, %s", flag, text, quantity(name, want))
			}
		}
		limits[name] = &v1.Value_Scalar{Value: &v}
		return nil
	}
	return limits, errors.Join(
		set("--cpu-limit", "cpus", s.cpuLimit, func() (float64, error) { return parseCPUs("--cpu-limit", s.cpuLimit) }),
		set("--mem-limit", "mem", s.memLimit, func() (float64, error) { return parseMiB("--mem-limit", s.memLimit) }),
	)
}

// The wire counts thousandths, of CPUs and of MiB; a request is at least one.
const least, mostCPUs, mostMiB = 0.001, 1e6, 1e12

func parseCPUs(flag, text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= least && v <= mostCPUs) {
		return 0, fmt.Errorf("%s %q: want a number of CPUs, at least 0.001", flag, text)
	}
	return v, nil
}

// units are powers of two, whichever way they are written.
var units = map[string]float64{
	"": 1, "B": 1.0 / (1 << 20),
	"K": 1.0 / (1 << 10), "KB": 1.0 / (1 << 10), "KIB": 1.0 / (1 << 10),
	"M": 1, "MB": 1, "MIB": 1,
	"G": 1 << 10, "GB": 1 << 10, "GIB": 1 << 10,
	"T": 1 << 20, "TB": 1 << 20, "TIB": 1 << 20,
}

// parseMiB reads "64", "64MiB", "1.5g" as MiB.
func parseMiB(flag, text string) (float64, error) {
	digits := strings.TrimRight(text, "bBiIkKmMgGtT")
	unit, ok := units[strings.ToUpper(text[len(digits):])]
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !ok || !(v*unit >= least && v*unit <= mostMiB) {
		return 0, fmt.Errorf("%s %q: want a positive amount like 64 (MiB), 64MiB or 1.5GiB", flag, text)
	}
	return v * unit, nil
}

func (s *taskSpec) environment(lookup func(string) string) (*v1.Environment, error) {
	vars := make(map[string]string)
	for _, e := range s.env {
		key, value, given := strings.Cut(e, "=")
		if key == "" {
			return nil, fmt.Errorf("--env %q: want KEY=VALUE", e)
		}
		if !given {
			value = lookup(key)
		}
		vars[key] = value
	}
	if len(vars) == 0 {
		return nil, nil
	}
	env := &v1.Environment{}
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		env.Variables = append(env.Variables, &v1.Environment_Variable{
			Name:  proto.String(key),
			Value: proto.String(vars[key]),
			Type:  v1.Environment_Variable_VALUE.Enum(),
		})
	}
	return env, nil
}

func (s *taskSpec) mounts() ([]*v1.Volume, error) {
	var volumes []*v1.Volume
	for _, v := range s.volumes {
		parts := strings.Split(v, ":")
		mode := v1.Volume_RW
		if len(parts) == 3 && (parts[2] == "ro" || parts[2] == "rw") {
			if parts[2] == "ro" {
				mode = v1.Volume_RO
			}
			parts = parts[:2]
		}
		if len(parts) != 2 || !path.IsAbs(parts[0]) || !path.IsAbs(parts[1]) {
			return nil, fmt.Errorf("--volume %q: want /host/path:/container/path, and :ro for reading alone", v)
		}
		volumes = append(volumes, &v1.Volume{HostPath: &parts[0], ContainerPath: &parts[1], Mode: mode.Enum()})
	}
	return volumes, nil
}

// commandInfo runs the command as it was typed, without a shell; none: what the
// image says.
func (s *taskSpec) commandInfo(env *v1.Environment) *v1.CommandInfo {
	c := &v1.CommandInfo{Shell: proto.Bool(false), Environment: env}
	for i := range s.uris {
		c.Uris = append(c.Uris, &v1.CommandInfo_URI{Value: &s.uris[i]})
	}
	if s.user != "" {
		c.User = &s.user
	}
	if len(s.command) > 0 {
		c.Value, c.Arguments = &s.command[0], s.command
	}
	return c
}

func (s *taskSpec) container(volumes []*v1.Volume) *v1.ContainerInfo {
	if s.image == "" && len(volumes) == 0 {
		return nil
	}
	c := &v1.ContainerInfo{Type: v1.ContainerInfo_MESOS.Enum(), Volumes: volumes}
	if s.image != "" {
		c.Mesos = &v1.ContainerInfo_MesosInfo{Image: &v1.Image{
			Type:   v1.Image_DOCKER.Enum(),
			Docker: &v1.Image_Docker{Name: &s.image},
		}}
	}
	return c
}
