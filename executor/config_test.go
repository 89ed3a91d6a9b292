package executor

// Goal: what an agent of Mesos or mezzo sets is read, and what is wrong is
// named. Method: a table over one good environment.

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mezzo/internal/errs"
)

func goodEnv() map[string]string {
	return map[string]string{
		envAgent: "10.0.0.1:5051", envFramework: "m-0001", envExecutor: "e", envDirectory: "/var/lib/x", envSandbox: "/mnt/mesos/sandbox",
		envCheck: "1", envRecovery: "15mins", envBackoff: "2secs", envGrace: "5secs", envToken: "a.b-c",
	}
}

func TestFromEnv(t *testing.T) {
	got, err := fromEnv(func(name string) string { return goodEnv()[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Agent: "10.0.0.1:5051", Framework: "m-0001", Executor: "e", Directory: "/var/lib/x", Sandbox: "/mnt/mesos/sandbox",
		Checkpoint: true, RecoveryTimeout: 15 * time.Minute, SubscriptionBackoffMax: 2 * time.Second,
		ShutdownGracePeriod: 5 * time.Second, Token: "a.b-c",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFromEnvRefuses(t *testing.T) {
	for _, tc := range []struct{ name, value, says string }{
		{envAgent, "", `MESOS_AGENT_ENDPOINT: agent "" is not host:port: invalid`},
		{envAgent, "10.0.0.1", "is not host:port"},
		{envAgent, ":5051", "is not host:port"},
		{envAgent, "h:99999", "is not host:port"},
		{envAgent, "h/x?:1", "is not host:port"},
		{envFramework, "", "MESOS_FRAMEWORK_ID: framework id is empty"},
		{envExecutor, "../x", "MESOS_EXECUTOR_ID: executor id"},
		{envCheck, "perhaps", `MESOS_CHECKPOINT: "perhaps" is neither 1 nor 0`},
		{envRecovery, "soon", "MESOS_RECOVERY_TIMEOUT: want a time"},
		{envBackoff, "-2secs", `MESOS_SUBSCRIPTION_BACKOFF_MAX: "-2secs" is below zero`},
		{envGrace, "5", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: want a time"},
		{envToken, "a\nb", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN: token has"},
	} {
		env := maps.Clone(goodEnv())
		env[tc.name] = tc.value
		_, err := fromEnv(func(name string) string { return env[name] })
		if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s=%q: error %v, want %q", tc.name, tc.value, err, tc.says)
		}
	}
	_, err := fromEnv(func(string) string { return "" })
	for _, name := range []string{envAgent, envFramework, envExecutor} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("empty environment: %v does not name %s", err, name)
		}
	}
}

func TestDefaults(t *testing.T) {
	cfg, err := fromEnv(func(name string) string {
		return map[string]string{envAgent: "[::1]:5051", envFramework: "f", envExecutor: "e", envGrace: "0ns"}[name]
	})
	if err != nil || cfg.Checkpoint {
		t.Fatalf("%v, %v", cfg, err)
	}
	cfg.setDefaults()
	if cfg.RecoveryTimeout != 15*time.Minute || cfg.SubscriptionBackoffMax != 2*time.Second || cfg.MinBackoff != 100*time.Millisecond {
		t.Errorf("defaults %+v", cfg)
	}
	if cfg.ShutdownGracePeriod != 1 {
		t.Errorf("no grace became %v", cfg.ShutdownGracePeriod)
	}
}

// TestTokenIsNotInherited: tasks see the environment of their executor.
func TestTokenIsNotInherited(t *testing.T) {
	for name, value := range goodEnv() {
		t.Setenv(name, value)
	}
	cfg, err := FromEnv()
	if err != nil || cfg.Token != "a.b-c" {
		t.Errorf("token %q, %v", cfg.Token, err)
	}
	if _, there := os.LookupEnv(envToken); there {
		t.Error("token is still in the environment")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []Config{{}, {Agent: "h:1", Framework: "f"}, {Agent: "h:1", Framework: "f", Executor: "e", Token: "a b"}} {
		if _, err := New(cfg); !errors.Is(err, errs.Invalid) {
			t.Errorf("New(%+v) = %v", cfg, err)
		}
	}
}
