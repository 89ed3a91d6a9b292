package main

import (
	"context"
	"errors"
	"log/slog"

	"mezzo/internal/flags"
	"mezzo/master"
)

func newMaster(p process, name string) *service {
	s := newService(p, name, "Runs a master: it offers the resources of its agents to frameworks.")
	cfg := master.Default()
	cfg.WorkDir = "/var/lib/mezzo/master"
	replica := &replicaConfig{}
	masterFlags(s.flags, &cfg)
	replicaFlags(s.flags, replica)
	s.run = func(ctx context.Context, log *slog.Logger) error {
		access := master.Access{}
		if replica.access != "" {
			var err error
			if access, err = master.ReadAccess(replica.access); err != nil {
				return err
			}
		}
		e, l, err := replica.open(ctx, &cfg, log)
		if err != nil {
			return err
		}
		m, err := master.New(cfg, master.Deps{
			Log: log, LogLevel: s.loud, LogFile: s.logFile(), Flags: s.flags.Values(), Version: versionInfo(), Contender: e, Replica: l.Server(), State: e.Variables(access),
		})
		if err == nil {
			err = m.Run(ctx)
		}
		return errors.Join(err, e.Close())
	}
	return s
}

// masterFlags are those that a master alone has a use for, and where it listens.
func masterFlags(s *flags.Set, c *master.Config) {
	s.String(&c.IP, "ip", "Address to listen on; all of them unless given.")
	s.Int(&c.Port, "port", "Port to listen on; 0 takes a free one.")
	s.String(&c.AdvertiseIP, "advertise_ip", "Address told to others, where it differs from --ip.")
	s.Int(&c.AdvertisePort, "advertise_port", "Port told to others, where it differs from --port.")
	s.String(&c.Hostname, "hostname", "Name told to others.")
	s.Path(&c.WorkDir, "work_dir", "Directory for what must outlive the process.")
	placeFlags(s, c)
	masterTuning(s, c)
}

// masterTuning are the master's flags that `mezzo local` has too.
func masterTuning(s *flags.Set, c *master.Config) {
	s.String(&c.Cluster, "cluster", "Name of the cluster, for people.")
	offeringFlags(s, c)
	registryFlags(s, c)
	s.Duration(&c.AgentPingTimeout, "agent_ping_timeout", "Time between two pings of an agent, and for each answer.")
	s.Alias("slave_ping_timeout", "agent_ping_timeout")
	s.Int(&c.MaxAgentPingTimeouts, "max_agent_ping_timeouts", "Pings in a row without an answer after which an agent is unreachable.")
	s.Alias("max_slave_ping_timeouts", "max_agent_ping_timeouts")
	s.Bool(&c.RootSubmissions, "root_submissions", "Whether frameworks of the user root may register.")
	s.Strings(&c.Roles, "roles", "The only roles that frameworks may use, separated by commas; any unless given.")
	s.Int(&c.MaxCompletedFrameworks, "max_completed_frameworks", "Ended frameworks that are remembered.")
	s.Int(&c.MaxCompletedTasksPerFramework, "max_completed_tasks_per_framework", "Ended tasks that are remembered of each framework.")
	s.Int(&c.MaxUnreachableTasksPerFramework, "max_unreachable_tasks_per_framework", "Unreachable tasks that are remembered of each framework.")
	s.Int(&c.MaxOperatorEventStreamSubscribers, "max_operator_event_stream_subscribers", "Operators that may watch events at once; beyond it, the oldest has to go.")
	s.Int(&c.MaxUsageSamplesPerSecond, "max_usage_samples_per_second", "Samples of what tasks use that agents may send in a second, all together. While there are more tasks, each agent reports less often than every second.")
}
