package launch

import (
	"strings"

	v1 "mezzo/api/mesos/v1"
)

// maxHostname is what the kernel takes (sethostname(2), Linux).
const maxHostname = 64

// container fills what a ContainerInfo says; none is a command on the host's
// file system.
func container(p *Plan, c *v1.ContainerInfo) error {
	if c == nil {
		return nil
	}
	switch c.GetType() {
	case v1.ContainerInfo_MESOS:
		if err := checkMesos(c.GetMesos()); err != nil {
			return err
		}
	case v1.ContainerInfo_DOCKER:
		if err := checkDocker(c.GetDocker()); err != nil {
			return err
		}
	default:
		return invalid("container.type %s is not known", c.GetType())
	}
	if len(c.GetHostname()) > maxHostname || strings.ContainsAny(c.GetHostname(), "/\x00") {
		return invalid("container.hostname %q is no host name", c.GetHostname())
	}
	if err := checkRest(c); err != nil {
		return err
	}
	p.Spec.Image = image(c)
	p.Spec.AlwaysPull = c.GetDocker().GetForcePullImage() || !c.GetMesos().GetImage().GetCached()
	p.Spec.Hostname = c.GetHostname()
	var err error
	if p.Spec.Capabilities, err = capabilities(c.GetLinuxInfo()); err != nil {
		return err
	}
	return volumes(p, c.GetVolumes())
}

// image is the reference a container is made from; empty: none.
func image(c *v1.ContainerInfo) string {
	if isDocker(c) {
		return c.GetDocker().GetImage()
	}
	return c.GetMesos().GetImage().GetDocker().GetName()
}

func isDocker(c *v1.ContainerInfo) bool {
	return c != nil && c.GetType() == v1.ContainerInfo_DOCKER
}

func checkMesos(m *v1.ContainerInfo_MesosInfo) error {
	switch img := m.GetImage(); {
	case img == nil:
		return nil
	case img.GetType() != v1.Image_DOCKER:
		return unsupported("container.mesos.image.type %s: images are pulled from registries of the type DOCKER", img.GetType())
	case img.GetDocker().GetName() == "":
		return invalid("container.mesos.image.docker.name is missing")
	case img.GetDocker().GetCredential() != nil || img.GetDocker().GetConfig() != nil:
		return unsupported("container.mesos.image.docker: a task can't bring credentials, the agent has them")
	}
	return nil
}

func checkDocker(d *v1.ContainerInfo_DockerInfo) error {
	switch {
	case d.GetImage() == "":
		return invalid("container.docker.image is missing")
	case d.GetNetwork() != v1.ContainerInfo_DockerInfo_HOST:
		return unsupported("container.docker.network %s: tasks use the host's network", d.GetNetwork())
	case len(d.GetPortMappings()) > 0:
		return unsupported("container.docker.port_mappings: tasks use the host's network")
	case d.GetPrivileged():
		return unsupported("container.docker.privileged: name what is needed in linux_info.effective_capabilities")
	case len(d.GetParameters()) > 0:
		return unsupported("container.docker.parameters: %q is an option of another program", d.GetParameters()[0].GetKey())
	}
	return nil
}

// checkRest refuses what no type of container can have here.
func checkRest(c *v1.ContainerInfo) error {
	for _, n := range c.GetNetworkInfos() {
		if n.GetName() != "" || len(n.GetPortMappings()) > 0 || len(n.GetIpAddresses()) > 0 {
			return unsupported("container.network_infos: tasks use the host's network")
		}
	}
	switch l := c.GetLinuxInfo(); {
	case c.GetRlimitInfo() != nil:
		return unsupported("container.rlimit_info is not supported")
	case c.GetTtyInfo() != nil:
		return unsupported("container.tty_info is not supported")
	case l.GetSharePidNamespace():
		return unsupported("container.linux_info.share_pid_namespace: each task has its own")
	case l.GetSeccomp() != nil:
		return unsupported("container.linux_info.seccomp: the default profile is always on")
	case l.GetIpcMode() == v1.LinuxInfo_SHARE_PARENT:
		return unsupported("container.linux_info.ipc_mode SHARE_PARENT: the task has no parent")
	case l.GetShmSize() != 0:
		return unsupported("container.linux_info.shm_size is not supported")
	case l.GetBoundingCapabilities() != nil:
		return unsupported("container.linux_info.bounding_capabilities: name what is needed in effective_capabilities")
	}
	return nil
}

// capabilities are those a task asks for on top of the default set.
func capabilities(l *v1.LinuxInfo) ([]string, error) {
	asked := l.GetEffectiveCapabilities()
	if asked == nil {
		asked = l.GetCapabilityInfo() // clients older than effective_capabilities set it
	}
	var names []string
	for _, c := range asked.GetCapabilities() {
		if _, known := v1.CapabilityInfo_Capability_name[int32(c)]; !known || c == v1.CapabilityInfo_UNKNOWN {
			return nil, invalid("container.linux_info: capability %s is not known", c)
		}
		names = append(names, "CAP_"+c.String())
	}
	return names, nil
}
