package agent

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"time"

	"mezzo/agent/fetch"
	"mezzo/internal/errs"
)

// Config is what an agent can be told. Names follow the flags of the same
// words: WorkDir is --work_dir.
type Config struct {
	IP            string // address to listen on; all interfaces when empty
	Port          int    // 0 takes a free port; the flag's default is DefaultPort
	AdvertiseIP   string // address told to others, when it is not IP
	AdvertisePort int    // port told to others, when it is not Port
	Hostname      string // name told to others; the machine's own when empty
	WorkDir       string // sandboxes and what must outlive the process

	Resources  string // as in resources.Parse; what is not named is measured
	Attributes string // "rack:r1;zone:west"

	UsageInterval             time.Duration // between two samples of usage
	RegistrationBackoffFactor time.Duration // first wait before a try to register, doubling
	ExecutorShutdownGrace     time.Duration // longest grace of tasks that end with the agent
	GCDelay                   time.Duration // how long a sandbox is kept after its task's end, on an empty disk
	GCDiskHeadroom            float64       // part of the disk that is to stay free of them
	DiskWatchInterval         time.Duration // between two looks for old ones

	ResourceEstimator               string        // EstimatorSlack, or empty: what is not used is not offered
	OversubscribedResourcesInterval time.Duration // least time between two messages of what is offered so
	SlackWindow                     time.Duration // in which the most that was used counts
	SlackMargin                     float64       // part of the machine's CPUs that is never offered so
	QoSController                   string        // QoSPressure, or empty: nobody is throttled or evicted

	ContainerDiskWatchInterval time.Duration // between two measurements of what containers use of the disk
	EnforceContainerDiskQuota  bool          // end those that use more than they asked for

	// How long an executor may take to subscribe after its container started, and
	// after the agent did.
	ExecutorRegistrationTimeout, ExecutorReregistrationTimeout time.Duration

	MaxCompletedFrameworks        int
	MaxCompletedTasksPerFramework int

	Fetch fetch.Config // its CacheDir is below WorkDir unless given; Log is the agent's

	Recover string // RecoverReconnect or RecoverCleanup
	Strict  bool   // end rather than go on without what is damaged of the checkpoint

	// DestroyOnExit kills every task when the agent's context ends. Without it
	// they live on, for the next agent on the same WorkDir.
	DestroyOnExit bool
}

// Values of Config.Recover.
const (
	RecoverReconnect = "reconnect" // tasks of an earlier agent go on
	RecoverCleanup   = "cleanup"   // they are killed, and the agent ends
)

// Values of Config.ResourceEstimator and Config.QoSController.
const (
	EstimatorSlack = "slack"    // offers what tasks were given and don't use
	QoSPressure    = "pressure" // takes it back when others suffer
)

// DefaultPort is where an agent listens unless told otherwise.
const DefaultPort = 5051

// Default returns the configuration of an agent that was told nothing.
func Default() Config {
	c := Config{Port: DefaultPort, Strict: true, EnforceContainerDiskQuota: true, GCDiskHeadroom: 0.1, SlackMargin: 0.1}
	c.SetDefaults()
	return c
}

// SetDefaults fills every zero field that has a default, except those whose zero
// means something: Port, switches and parts.
//
// Source: mesos slave/constants.hpp for the durations and numbers.
func (c *Config) SetDefaults() {
	if c.Hostname == "" {
		c.Hostname, _ = os.Hostname()
	}
	setDefault(&c.Recover, RecoverReconnect)
	setDefault(&c.UsageInterval, time.Second)
	setDefault(&c.RegistrationBackoffFactor, time.Second)
	setDefault(&c.ExecutorShutdownGrace, 5*time.Second)
	setDefault(&c.GCDelay, 7*24*time.Hour)
	setDefault(&c.DiskWatchInterval, time.Minute)
	setDefault(&c.OversubscribedResourcesInterval, 15*time.Second)
	setDefault(&c.SlackWindow, 5*time.Minute)
	setDefault(&c.ContainerDiskWatchInterval, 15*time.Second)
	setDefault(&c.ExecutorRegistrationTimeout, time.Minute)
	setDefault(&c.ExecutorReregistrationTimeout, 15*time.Second)
	setDefault(&c.MaxCompletedFrameworks, 50)
	setDefault(&c.MaxCompletedTasksPerFramework, 150)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every problem of c, as errs.Invalid.
func (c *Config) Validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format+": %w", append(args, errs.Invalid)...))
		}
	}
	check(c.IP == "" || net.ParseIP(c.IP) != nil, "ip %q is not an IP address", c.IP)
	check(c.AdvertiseIP == "" || net.ParseIP(c.AdvertiseIP) != nil, "advertise_ip %q is not an IP address", c.AdvertiseIP)
	check(c.Port >= 0 && c.Port <= math.MaxUint16, "port %d is not between 0 and 65535", c.Port)
	check(c.AdvertisePort >= 0 && c.AdvertisePort <= math.MaxUint16, "advertise_port %d is not between 0 and 65535", c.AdvertisePort)
	check(c.Hostname != "", "hostname is empty and the machine has none")
	check(filepath.IsAbs(c.WorkDir), "work_dir %q is not an absolute path", c.WorkDir)
	check(c.Recover == RecoverReconnect || c.Recover == RecoverCleanup, "recover %q is neither %s nor %s", c.Recover, RecoverReconnect, RecoverCleanup)
	check(c.UsageInterval > 0, "usage_interval %v is not positive", c.UsageInterval)
	check(c.RegistrationBackoffFactor > 0, "registration_backoff_factor %v is not positive", c.RegistrationBackoffFactor)
	check(c.ExecutorShutdownGrace > 0, "executor_shutdown_grace_period %v is not positive", c.ExecutorShutdownGrace)
	check(c.GCDelay > 0, "gc_delay %v is not positive", c.GCDelay)
	check(c.GCDiskHeadroom >= 0 && c.GCDiskHeadroom <= 1, "gc_disk_headroom %v is not between 0 and 1", c.GCDiskHeadroom)
	check(c.DiskWatchInterval > 0, "disk_watch_interval %v is not positive", c.DiskWatchInterval)
	check(c.ResourceEstimator == "" || c.ResourceEstimator == EstimatorSlack, "resource_estimator %q is not %s", c.ResourceEstimator, EstimatorSlack)
	check(c.QoSController == "" || c.QoSController == QoSPressure, "qos_controller %q is not %s", c.QoSController, QoSPressure)
	check(c.OversubscribedResourcesInterval > 0, "oversubscribed_resources_interval %v is not positive", c.OversubscribedResourcesInterval)
	check(c.SlackWindow > 0, "slack_window %v is not positive", c.SlackWindow)
	check(c.SlackMargin >= 0 && c.SlackMargin <= 1, "slack_margin %v is not between 0 and 1", c.SlackMargin)
	check(c.ContainerDiskWatchInterval > 0, "container_disk_watch_interval %v is not positive", c.ContainerDiskWatchInterval)
	check(c.ExecutorRegistrationTimeout > 0, "executor_registration_timeout %v is not positive", c.ExecutorRegistrationTimeout)
	check(c.ExecutorReregistrationTimeout > 0, "executor_reregistration_timeout %v is not positive", c.ExecutorReregistrationTimeout)
	check(c.MaxCompletedFrameworks >= 0, "max_completed_frameworks %d is negative", c.MaxCompletedFrameworks)
	check(c.MaxCompletedTasksPerFramework >= 0, "max_completed_executors_per_framework %d is negative", c.MaxCompletedTasksPerFramework)
	return errors.Join(problems...)
}
