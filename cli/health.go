package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// healthSpec is a health check as it was typed.
type healthSpec struct {
	command, http, tcp             string
	delay, interval, timeout, mild time.Duration
	failures                       uint32
}

func (h *healthSpec) add(f *pflag.FlagSet) {
	f.StringVar(&h.command, "health-cmd", "", "`command` by a shell in the container, which tells by exit code 0 that the task is healthy")
	f.StringVar(&h.http, "health-http", "", "`PORT[/PATH]` that answers with 200 to 399 if the task is healthy")
	f.StringVar(&h.tcp, "health-tcp", "", "`PORT` that takes connections if the task is healthy")
	f.DurationVar(&h.delay, "health-delay", 0, "time from the start to the first check")
	f.DurationVar(&h.interval, "health-interval", 10*time.Second, "time between checks")
	f.DurationVar(&h.timeout, "health-timeout", 20*time.Second, "time that a check may take; 0: any")
	f.DurationVar(&h.mild, "health-grace", 10*time.Second, "time from the start in which failures do not count, unless the task was healthy before")
	f.Uint32Var(&h.failures, "health-failures", 3, "`number` of failures in a row for which the task is killed")
}

// check is nil if none was asked for.
func (h *healthSpec) check() (*v1.HealthCheck, error) {
	if h.delay < 0 || h.interval < 0 || h.timeout < 0 || h.mild < 0 {
		return nil, errors.New("--health-delay, --health-interval, --health-timeout and --health-grace want no negative times")
	}
	c := &v1.HealthCheck{
		DelaySeconds: proto.Float64(h.delay.Seconds()), IntervalSeconds: proto.Float64(h.interval.Seconds()), TimeoutSeconds: proto.Float64(h.timeout.Seconds()),
		GracePeriodSeconds: proto.Float64(h.mild.Seconds()), ConsecutiveFailures: &h.failures,
	}
	given := 0
	if h.command != "" {
		given++
		c.Type, c.Command = v1.HealthCheck_COMMAND.Enum(), &v1.CommandInfo{Value: &h.command}
	}
	if h.http != "" {
		given++
		text, path, _ := strings.Cut(h.http, "/")
		port, err := parsePort("--health-http", text)
		if err != nil {
			return nil, err
		}
		c.Type, c.Http = v1.HealthCheck_HTTP.Enum(), &v1.HealthCheck_HTTPCheckInfo{Port: &port, Path: proto.String("/" + path)}
	}
	if h.tcp != "" {
		given++
		port, err := parsePort("--health-tcp", h.tcp)
		if err != nil {
			return nil, err
		}
		c.Type, c.Tcp = v1.HealthCheck_TCP.Enum(), &v1.HealthCheck_TCPCheckInfo{Port: &port}
	}
	switch given {
	case 0:
		return nil, nil
	case 1:
		return c, nil
	}
	return nil, errors.New("a task has one health check: want one of --health-cmd, --health-http and --health-tcp")
}

func parsePort(flag, text string) (uint32, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%s %q: want a port from 1 to 65535", flag, text)
	}
	return uint32(port), nil
}

// health is what a status, nil if there is none yet, adds to the state.
func health(s *v1.TaskStatus) string {
	switch {
	case s == nil || s.Healthy == nil || terminal(s.GetState()):
		return ""
	case s.GetHealthy():
		return " (healthy)"
	}
	return " (unhealthy)"
}
