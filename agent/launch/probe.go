package launch

import (
	"math"

	v1 "mezzo/api/mesos/v1"
)

// checkProbes refuses checks that could not be made.
func checkProbes(i *v1.TaskInfo) error {
	if h := i.GetHealthCheck(); h != nil {
		set := map[v1.HealthCheck_Type]bool{
			v1.HealthCheck_COMMAND: h.GetCommand().GetValue() != "", v1.HealthCheck_HTTP: h.Http != nil, v1.HealthCheck_TCP: h.Tcp != nil,
		}[h.GetType()]
		if !set {
			return invalid("health_check: type %s is unknown, or what it needs is missing", h.GetType())
		}
		if err := checkTimes("health_check", h.GetDelaySeconds(), h.GetIntervalSeconds(), h.GetTimeoutSeconds(), h.GetGracePeriodSeconds()); err != nil {
			return err
		}
		if err := checkPorts("health_check", h.GetHttp().GetPort(), h.GetTcp().GetPort()); err != nil {
			return err
		}
		if _, err := checkCommand("health_check", h.GetCommand()); err != nil {
			return err
		}
	}
	if c := i.GetCheck(); c != nil {
		command := c.GetCommand().GetCommand()
		set := map[v1.CheckInfo_Type]bool{
			v1.CheckInfo_COMMAND: command.GetValue() != "", v1.CheckInfo_HTTP: c.Http != nil, v1.CheckInfo_TCP: c.Tcp != nil,
		}[c.GetType()]
		if !set {
			return invalid("check: type %s is unknown, or what it needs is missing", c.GetType())
		}
		if err := checkTimes("check", c.GetDelaySeconds(), c.GetIntervalSeconds(), c.GetTimeoutSeconds()); err != nil {
			return err
		}
		if err := checkPorts("check", c.GetHttp().GetPort(), c.GetTcp().GetPort()); err != nil {
			return err
		}
		if _, err := checkCommand("check", command); err != nil {
			return err
		}
	}
	return nil
}

// maxSeconds is the longest time of a check: what a duration can hold, and more
// than a century.
const maxSeconds = 4e9

func checkTimes(field string, seconds ...float64) error {
	for _, s := range seconds {
		if !(s >= 0 && s <= maxSeconds) {
			return invalid("%s: %v is not a time in seconds", field, s)
		}
	}
	return nil
}

func checkPorts(field string, ports ...uint32) error {
	for _, p := range ports {
		if p > math.MaxUint16 {
			return invalid("%s: there is no port %d", field, p)
		}
	}
	return nil
}

// checkCommand refuses the command of a check that could not be run.
func checkCommand(field string, c *v1.CommandInfo) (env []string, err error) {
	for _, v := range c.GetEnvironment().GetVariables() {
		if v.GetType() != v1.Environment_Variable_VALUE {
			return nil, unsupported("%s: variable %q of type %s is not supported", field, v.GetName(), v.GetType())
		}
		env = append(env, v.GetName()+"="+v.GetValue())
	}
	if len(c.GetUris()) > 0 {
		return nil, unsupported("%s: nothing is fetched for its command", field)
	}
	return env, nil
}

// Environment is that of a check's command, over the task's own.
func Environment(c *v1.CommandInfo) []string {
	env, _ := checkCommand("", c) // it was checked
	return env
}
