package launch

import (
	"slices"
	"strings"
	"time"

	"mezzo/internal/flags"
)

// executorEnvironment is what an executor is told of itself and its agent, over
// what a task is.
//
// Source: mesos slave/slave.cpp, executorEnvironment.
func executorEnvironment(env []string, x Executor) []string {
	scheduler := make(map[string]bool) // its values hold
	for _, v := range x.Info.GetCommand().GetEnvironment().GetVariables() {
		scheduler[v.GetName()] = true
	}
	set := func(name, value string) {
		if scheduler[name] {
			return
		}
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		env = append(env, name+"="+value)
	}
	grace := x.Times.ShutdownGrace
	if g := x.Info.GetShutdownGracePeriod(); g != nil {
		grace = time.Duration(g.GetNanoseconds())
	}
	env = slices.DeleteFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, "MESOS_TASK_ID=") && !scheduler["MESOS_TASK_ID"]
	})
	set("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", flags.FormatDuration(grace))
	set("MESOS_CHECKPOINT", "1") // the agent always does
	set("MESOS_RECOVERY_TIMEOUT", flags.FormatDuration(x.Times.Recovery))
	set("MESOS_SUBSCRIPTION_BACKOFF_MAX", flags.FormatDuration(x.Times.SubscriptionBackoffMax))
	set("MESOS_HTTP_COMMAND_EXECUTOR", "0")
	if i := strings.LastIndexByte(x.Endpoint, ':'); i > 0 {
		set("LIBPROCESS_IP", strings.Trim(x.Endpoint[:i], "[]"))
		set("LIBPROCESS_PORT", "0")
	}
	return env
}
