package executor

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"mezzo/api/ids"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
)

// Config is what an executor knows of itself and of its agent. FromEnv fills
// it; Agent, Framework and Executor must be set.
type Config struct {
	Agent     string // host:port
	Framework ids.FrameworkID
	Executor  ids.ExecutorID

	Directory string // the sandbox as the agent's machine sees it
	Sandbox   string // the sandbox as the executor sees it

	// Checkpoint is the framework's: its executors outlive the agent's restart.
	Checkpoint bool

	RecoveryTimeout        time.Duration // 15m: without an agent, with Checkpoint
	SubscriptionBackoffMax time.Duration // 2s: between two tries to subscribe
	ShutdownGracePeriod    time.Duration // 5s: from SHUTDOWN to the container's end

	Token string // the agent's own, sent as Authorization: Bearer; "": none

	HTTP *http.Client // no proxy, no overall timeout
	Log  *slog.Logger // silent

	CallTimeout time.Duration // 30s: for an answer to a call
	MinBackoff  time.Duration // 100ms: before subscribing again, doubled up to SubscriptionBackoffMax
	Heartbeat   time.Duration // 30m: between heartbeats, ours and the agent's
}

// The variables that an agent sets.
const (
	envAgent     = "MESOS_AGENT_ENDPOINT"
	envFramework = "MESOS_FRAMEWORK_ID"
	envExecutor  = "MESOS_EXECUTOR_ID"
	envDirectory = "MESOS_DIRECTORY"
	envSandbox   = "MESOS_SANDBOX"
	envCheck     = "MESOS_CHECKPOINT"
	envRecovery  = "MESOS_RECOVERY_TIMEOUT"
	envBackoff   = "MESOS_SUBSCRIPTION_BACKOFF_MAX"
	envGrace     = "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"
	envToken     = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"
)

// FromEnv reads the variables MESOS_… that the agent set. It takes the token
// out of the environment, so that the tasks don't inherit it; a second call
// finds none.
//
// Errors: errs.Invalid, joined, each naming the variable.
func FromEnv() (Config, error) {
	cfg, err := fromEnv(os.Getenv)
	return cfg, errors.Join(err, os.Unsetenv(envToken))
}

func fromEnv(get func(string) string) (Config, error) {
	cfg := Config{
		Agent:     get(envAgent),
		Framework: ids.FrameworkID(get(envFramework)),
		Executor:  ids.ExecutorID(get(envExecutor)),
		Directory: get(envDirectory),
		Sandbox:   get(envSandbox),
		Token:     get(envToken),
	}
	problems := []error{
		named(envAgent, checkEndpoint(cfg.Agent)),
		named(envFramework, ids.Validate("framework", string(cfg.Framework))),
		named(envExecutor, ids.Validate("executor", string(cfg.Executor))),
		named(envToken, checkToken(cfg.Token)),
	}
	if v := get(envCheck); v != "" {
		b, err := strconv.ParseBool(v)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is neither 1 nor 0: %w", envCheck, v, errs.Invalid))
		}
		cfg.Checkpoint = b
	}
	for name, d := range map[string]*time.Duration{
		envRecovery: &cfg.RecoveryTimeout,
		envBackoff:  &cfg.SubscriptionBackoffMax,
		envGrace:    &cfg.ShutdownGracePeriod,
	} {
		v := get(name)
		if v == "" {
			continue
		}
		read, err := flags.ParseDuration(v)
		if err == nil && read < 0 {
			err = fmt.Errorf("%q is below zero: %w", v, errs.Invalid)
		}
		problems = append(problems, named(name, err))
		*d = max(read, 1) // zero stands for the default
	}
	if err := errors.Join(problems...); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func named(variable string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", variable, err)
}

func checkEndpoint(s string) error {
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil && !strings.ContainsAny(s, "/?#@%\\ ") {
			return nil
		}
	}
	return fmt.Errorf("agent %q is not host:port: %w", s, errs.Invalid)
}

// checkToken keeps a token from ending its header. It is not repeated.
func checkToken(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\x7f' }) {
		return fmt.Errorf("token has a blank or control character: %w", errs.Invalid)
	}
	return nil
}

func (c *Config) check() error {
	return errors.Join(
		checkEndpoint(c.Agent),
		ids.Validate("framework", string(c.Framework)),
		ids.Validate("executor", string(c.Executor)),
		checkToken(c.Token),
	)
}

// setDefaults fills what is unset.
func (c *Config) setDefaults() {
	for d, unset := range map[*time.Duration]time.Duration{
		&c.RecoveryTimeout:        15 * time.Minute,
		&c.SubscriptionBackoffMax: 2 * time.Second,
		&c.ShutdownGracePeriod:    5 * time.Second,
		&c.CallTimeout:            30 * time.Second,
		&c.MinBackoff:             100 * time.Millisecond,
		&c.Heartbeat:              30 * time.Minute,
	} {
		if *d <= 0 {
			*d = unset
		}
	}
	c.MinBackoff = min(c.MinBackoff, c.SubscriptionBackoffMax)
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}
