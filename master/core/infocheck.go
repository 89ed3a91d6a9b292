package core

import (
	"bytes"
	"fmt"
	"strings"

	v1 "mezzo/api/mesos/v1"
)

// checkEnvironment refuses variables that are neither a value nor a secret.
func checkEnvironment(command *v1.CommandInfo) error {
	for _, v := range command.GetEnvironment().GetVariables() {
		switch v.GetType() {
		case v1.Environment_Variable_VALUE:
			if v.Value == nil || v.Secret != nil {
				return invalid("environment variable %q has no value, or a secret too", v.GetName())
			}
		case v1.Environment_Variable_SECRET:
			if v.Secret == nil || v.Value != nil {
				return invalid("environment variable %q has no secret, or a value too", v.GetName())
			}
			if err := checkSecret(v.GetSecret()); err != nil {
				return fmt.Errorf("environment variable %q: %w", v.GetName(), err)
			}
		default:
			return invalid("environment variable %q is of an unknown type", v.GetName())
		}
		if strings.ContainsAny(v.GetName(), "=\x00") || strings.ContainsRune(v.GetValue(), 0) {
			return invalid("environment variable %q has a zero byte, or an = in its name", v.GetName())
		}
	}
	return nil
}

func checkSecret(s *v1.Secret) error {
	switch s.GetType() {
	case v1.Secret_REFERENCE:
		if s.Reference == nil || s.Value != nil {
			return invalid("secret of type REFERENCE has no reference, or a value too")
		}
	case v1.Secret_VALUE:
		if s.Value == nil || s.Reference != nil {
			return invalid("secret of type VALUE has no value, or a reference too")
		}
		if bytes.IndexByte(s.GetValue().GetData(), 0) >= 0 {
			return invalid("secret has a zero byte, which no environment can hold")
		}
	default:
		return invalid("secret is of an unknown type")
	}
	return nil
}

func checkContainer(c *v1.ContainerInfo) error {
	for _, v := range c.GetVolumes() {
		if err := checkVolume(v); err != nil {
			return fmt.Errorf("volume %q: %w", v.GetContainerPath(), err)
		}
	}
	if c == nil || c.GetType() != v1.ContainerInfo_DOCKER {
		return nil
	}
	if c.GetDocker() == nil {
		return invalid("container of type DOCKER has no docker")
	}
	for _, p := range c.GetDocker().GetParameters() {
		if p.GetKey() == "name" {
			return invalid("docker parameter \"name\" is not a task's to choose")
		}
	}
	return nil
}

func checkVolume(v *v1.Volume) error {
	origins := 0
	for _, set := range []bool{v.HostPath != nil, v.Image != nil, v.Source != nil} {
		if set {
			origins++
		}
	}
	if origins != 1 {
		return invalid("exactly one of host_path, image and source is to be set")
	}
	if v.Source == nil {
		return nil
	}
	s := v.GetSource()
	fits, known := map[v1.Volume_Source_Type]bool{
		v1.Volume_Source_DOCKER_VOLUME: s.DockerVolume != nil,
		v1.Volume_Source_HOST_PATH:     s.HostPath != nil,
		v1.Volume_Source_SANDBOX_PATH:  s.SandboxPath != nil,
		v1.Volume_Source_SECRET:        s.Secret != nil,
		v1.Volume_Source_CSI_VOLUME:    s.GetCsiVolume().GetStaticProvisioning() != nil,
	}[s.GetType()]
	if !known || !fits {
		return invalid("source of type %v is unknown or not described", s.GetType())
	}
	return nil
}

// probe is what a check and a health check have in common.
type probe struct {
	name    string
	kind    string
	command *v1.CommandInfo
	set     bool // what the kind needs is there
	path    string
	seconds []float64
}

func checkProbes(t *v1.TaskInfo) error {
	var probes []probe
	if c := t.GetCheck(); c != nil {
		p := probe{name: "check", kind: c.GetType().String(), command: c.GetCommand().GetCommand(), path: c.GetHttp().GetPath()}
		p.set = map[string]bool{"COMMAND": p.command != nil, "HTTP": c.Http != nil, "TCP": c.Tcp != nil}[p.kind]
		p.seconds = []float64{c.GetDelaySeconds(), c.GetIntervalSeconds(), c.GetTimeoutSeconds()}
		probes = append(probes, p)
	}
	if h := t.GetHealthCheck(); h != nil {
		if s := h.GetHttp().GetScheme(); s != "" && s != "http" && s != "https" {
			return invalid("health_check: scheme %q is neither http nor https", s)
		}
		p := probe{name: "health_check", kind: h.GetType().String(), command: h.GetCommand(), path: h.GetHttp().GetPath()}
		p.set = map[string]bool{"COMMAND": p.command != nil, "HTTP": h.Http != nil, "TCP": h.Tcp != nil}[p.kind]
		p.seconds = []float64{h.GetDelaySeconds(), h.GetIntervalSeconds(), h.GetTimeoutSeconds(), h.GetGracePeriodSeconds()}
		probes = append(probes, p)
	}
	for _, p := range probes {
		if err := p.check(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (p probe) check() error {
	switch {
	case !p.set:
		return invalid("type %v is unknown, or what it needs is missing", p.kind)
	case p.kind == "COMMAND" && p.command.Value == nil:
		return invalid("the command has no value")
	case p.kind == "HTTP" && p.path != "" && p.path[0] != '/':
		return invalid("path %q does not start with a slash", p.path)
	}
	for _, s := range p.seconds {
		if !(s >= 0) {
			return invalid("a time of %v s is negative", s)
		}
	}
	return checkEnvironment(p.command)
}
