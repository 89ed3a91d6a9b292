package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"mezzo/agent"
	"mezzo/agent/fetch"
	"mezzo/election"
	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
	"mezzo/internal/loglevel"
	"mezzo/isolator"
	"mezzo/isolator/projquota"
)

func newAgent(p process, name string) *service {
	s := newService(p, name, "Runs an agent: it holds the tasks of one machine.")
	cfg := agent.Default()
	cfg.WorkDir = "/var/lib/mezzo/agent"
	var node nodeConfig
	var masters string
	// Shown without the password that may be in it.
	s.flags.Var("master", "The master's host:port; several, separated by commas, are asked in turn; or\nzk://[user:password@]host:port,…/path, where ZooKeeper knows who leads. Required.",
		func(v string) error { masters = v; return nil }, func() string { return election.Redact(masters) })
	s.flags.String(&cfg.IP, "ip", "Address to listen on; all of them unless given.")
	s.flags.Int(&cfg.Port, "port", "Port to listen on; 0 takes a free one.")
	s.flags.String(&cfg.AdvertiseIP, "advertise_ip", "Address told to others, where it differs from --ip.")
	s.flags.Int(&cfg.AdvertisePort, "advertise_port", "Port told to others, where it differs from --port.")
	s.flags.String(&cfg.Hostname, "hostname", "Name told to others.")
	s.flags.Path(&cfg.WorkDir, "work_dir", "Directory for sandboxes and for what must outlive the process.")
	s.flags.String(&cfg.Recover, "recover", "What becomes of tasks that an earlier agent left: reconnect lets them go on, cleanup kills them\nand ends the agent.")
	s.flags.Bool(&cfg.Strict, "strict", "End, rather than go on, when part of what an earlier agent wrote down is damaged.")
	agentTuning(s.flags, &cfg)
	node.add(s.flags)
	addFetcher(s.flags, &cfg.Fetch)
	s.run = func(ctx context.Context, log *slog.Logger) error {
		detector, err := detect(masters, log)
		if err != nil {
			return err
		}
		if cfg.WorkDir, err = filepath.Abs(cfg.WorkDir); err != nil {
			return err
		}
		m, err := node.open(ctx, cfg.WorkDir, log)
		if err != nil {
			return err
		}
		a, err := m.agent(ctx, cfg, agentDeps{detector: detector, flags: s.flags.Values(), loud: s.loud, logFile: s.logFile()})
		if err != nil {
			return errors.Join(err, m.abandon(ctx))
		}
		return errors.Join(a.Run(ctx), m.close())
	}
	return s
}

// agentTuning are the agent's flags that `mezzo local` has too.
func agentTuning(s *flags.Set, c *agent.Config) {
	s.String(&c.Resources, "resources", "What is offered, as \"cpus:4;mem:1024;ports:[31000-32000]\" or JSON. CPUs, memory, disk and ports\nthat are not named are measured.")
	s.String(&c.Attributes, "attributes", "What is told of the machine, as \"rack:r1;zone:west\".")
	s.Duration(&c.UsageInterval, "usage_interval", "Time between two samples of what tasks and machine use.")
	s.Duration(&c.RegistrationBackoffFactor, "registration_backoff_factor", "Time before the second try to register; it doubles from there.")
	s.Duration(&c.ExecutorShutdownGrace, "executor_shutdown_grace_period", "Longest time that a task which ends with its agent has to end by itself.")
	s.Duration(&c.GCDelay, "gc_delay", "How long a sandbox is kept after its task's end, on an empty disk; less the fuller it is.")
	fraction(s, &c.GCDiskHeadroom, "gc_disk_headroom", "Part of the disk that is to stay free of old sandboxes, between 0 and 1.")
	s.Duration(&c.DiskWatchInterval, "disk_watch_interval", "Time between two looks for sandboxes that are old enough.")
	s.String(&c.ResourceEstimator, "resource_estimator", "\"slack\" offers CPUs that tasks were given and do not use, as revocable resources; nothing does unless given.")
	s.Duration(&c.OversubscribedResourcesInterval, "oversubscribed_resources_interval", "Least time between two changes of what is offered so.")
	s.Duration(&c.SlackWindow, "slack_window", "Time in which the most that a task used counts as what it uses.")
	fraction(s, &c.SlackMargin, "slack_margin", "Part of the machine's CPUs that is never offered so, between 0 and 1.")
	s.String(&c.QoSController, "qos_controller", "\"pressure\" throttles, then evicts tasks on revocable resources when others suffer; nothing does unless given.")
	s.Duration(&c.ContainerDiskWatchInterval, "container_disk_watch_interval", "Time between two measurements of what containers use of the disk.")
	s.Bool(&c.EnforceContainerDiskQuota, "enforce_container_disk_quota", "End tasks whose sandbox, with what they write over their image, is larger than the disk they asked for.")
	s.Duration(&c.ExecutorRegistrationTimeout, "executor_registration_timeout", "How long an executor may take to subscribe after its container started.")
	s.Duration(&c.ExecutorReregistrationTimeout, "executor_reregistration_timeout", "How long it may take to subscribe again after the agent started.")
	s.Int(&c.MaxCompletedFrameworks, "max_completed_frameworks", "Ended frameworks that are remembered.")
	s.Int(&c.MaxCompletedTasksPerFramework, "max_completed_executors_per_framework", "Ended tasks that are remembered of each framework.")
}

// fraction is a flag between 0 and 1.
func fraction(s *flags.Set, to *float64, name, help string) {
	s.Var(name, help, func(v string) error {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return fmt.Errorf("want a number between 0 and 1: %w", errs.Invalid)
		}
		*to = n
		return nil
	}, func() string { return strconv.FormatFloat(*to, 'g', -1, 64) })
}

func detect(masters string, log *slog.Logger) (election.Detector, error) {
	if masters == "" {
		return nil, fmt.Errorf("--master is missing: give the master's host:port, or zk://host:port/path: %w", errs.Invalid)
	}
	return election.NewDetector(masters, election.Config{Log: log})
}

// addFetcher are the flags of the fetcher.
func addFetcher(s *flags.Set, c *fetch.Config) {
	c.CacheBytes, c.Stall = 2<<30, time.Minute
	s.Bytes(&c.CacheBytes, "fetcher_cache_size", "How much the cache of fetched files may hold.")
	s.Path(&c.CacheDir, "fetcher_cache_dir", "Directory of that cache, emptied at each start; below the work_dir unless given. No other agent may\nuse it, and users must get through to it.")
	s.Duration(&c.Stall, "fetcher_stall_timeout", "A fetch fails when no byte came for so long.")
	s.String(&c.FrameworksHome, "frameworks_home", "Directory in which relative paths of URIs begin; they are refused without it.")
	s.Path(&c.HadoopClient, "hadoop_client", "Program that fetches hdfs:// and s3:// URIs, which are refused without it.")
}

// agentDeps are what one agent of a machine has of its own.
type agentDeps struct {
	detector election.Detector
	flags    map[string]string
	loud     *loglevel.Level
	logFile  string
}

func (m *machine) agent(ctx context.Context, cfg agent.Config, d agentDeps) (*agent.Agent, error) {
	var a *agent.Agent // made before the first launch
	progress := func(id isolator.ID, p images.Progress) { a.Progress(id, p) }
	containers, err := m.containers(cfg.WorkDir, progress)
	if err != nil {
		return nil, err
	}
	deps := agent.Deps{Log: m.log, LogLevel: d.loud, LogFile: d.logFile, Containers: containers, Images: m.images, Detector: d.detector, Flags: d.flags, Version: versionInfo()}
	if cfg.EnforceContainerDiskQuota {
		if err := os.MkdirAll(cfg.WorkDir, 0o711); err != nil {
			return nil, fmt.Errorf("work_dir: %w", err)
		}
		if p, err := projquota.Open(cfg.WorkDir, projquota.DefaultRange); err == nil {
			deps.Projects = p
		} else {
			m.log.Debug("disk is held to what is measured alone", "why", err)
		}
	}
	a, err = agent.New(ctx, cfg, deps)
	return a, err
}
