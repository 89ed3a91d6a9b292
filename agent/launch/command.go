package launch

import (
	"slices"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
)

// defaultPath is for commands on the host's file system, which have no image
// to name one.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// command fills what is run, as whom and with which environment.
func command(s *containerizer.Spec, t Task) error {
	c := t.Info.GetCommand()
	if err := argv(s, t.Info); err != nil {
		return err
	}
	s.User = c.GetUser()
	if s.User == "" && s.Image == "" {
		s.User = t.Framework.GetUser()
	}
	if strings.ContainsRune(s.User, 0) {
		return invalid("user %q has a NUL", s.User)
	}
	return environment(s, t)
}

// argv fills the command line by the rules of the container's type.
//
// Source: mesos docs/container-image.md (MESOS), docker/docker.cpp (DOCKER).
func argv(s *containerizer.Spec, i *v1.TaskInfo) error {
	c := i.GetCommand()
	s.Shell, s.Value, s.Args = c.GetShell(), c.GetValue(), c.GetArguments()
	for _, a := range append([]string{s.Value}, s.Args...) {
		if strings.ContainsRune(a, 0) {
			return invalid("command %q has a NUL", a)
		}
	}
	switch {
	case s.Shell && s.Value == "":
		return invalid("command.value is missing, and command.shell is true")
	case s.Shell:
		s.Args = nil
	case isDocker(i.GetContainer()):
		// Both go to the image's entry point.
		if s.Value != "" {
			s.Args = append([]string{s.Value}, s.Args...)
		}
		s.Value = ""
	case s.Value == "" && s.Image == "":
		return invalid("command.value is missing, and there is no image to name a command")
	}
	return nil
}

// environment tells the task who and where it is, and what its scheduler says;
// of one name the scheduler's value holds.
func environment(s *containerizer.Spec, t Task) error {
	inside := s.Sandbox
	if s.Image != "" {
		inside = containerizer.SandboxPath
	}
	task := t.Info.GetTaskId().GetValue()
	executor := string(t.Executor)
	if executor == "" {
		executor = task
	}
	env := []string{
		"MESOS_SANDBOX=" + inside,
		"MESOS_DIRECTORY=" + s.Sandbox,
		"MESOS_TASK_ID=" + task,
		"MESOS_EXECUTOR_ID=" + executor,
		"MESOS_FRAMEWORK_ID=" + t.Framework.GetId().GetValue(),
		"MESOS_AGENT_ID=" + string(t.Agent),
		"MESOS_SLAVE_ID=" + string(t.Agent),
		"MESOS_SLAVE_PID=slave(1)@" + t.Endpoint,
		"MESOS_AGENT_ENDPOINT=" + t.Endpoint,
		"MESOS_CONTAINER_ID=" + string(t.Container),
		"MESOS_CHECKPOINT=" + map[bool]string{true: "1", false: "0"}[t.Framework.GetCheckpoint()],
	}
	if s.Image == "" {
		env = append(env, "PATH="+defaultPath)
	}
	if r := t.Info.GetResources(); len(r) > 0 && r[0].GetAllocationInfo().GetRole() != "" {
		env = append(env, "MESOS_ALLOCATION_ROLE="+r[0].GetAllocationInfo().GetRole())
	}
	for _, v := range t.Info.GetCommand().GetEnvironment().GetVariables() {
		switch name := v.GetName(); {
		case v.GetType() != v1.Environment_Variable_VALUE:
			return unsupported("command.environment: variable %q of type %s is not supported", name, v.GetType())
		case name == "" || strings.ContainsAny(name, "=\x00"):
			return invalid("command.environment: %q is no name of a variable", name)
		case strings.ContainsRune(v.GetValue(), 0):
			return invalid("command.environment: value of %q has a NUL", name)
		default:
			env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
			env = append(env, name+"="+v.GetValue())
		}
	}
	s.Env = env
	return nil
}
