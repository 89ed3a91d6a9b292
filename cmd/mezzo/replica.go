package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mezzo/election"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
	"mezzo/master"
	"mezzo/replog"
)

// replicaConfig is how a master's replica of the log finds the others.
type replicaConfig struct {
	masters        string
	zk             string
	quorum         int
	sessionTimeout time.Duration
	initialize     bool
	access         string
}

// replicaFlags are those of masters that are several.
func replicaFlags(s *flags.Set, r *replicaConfig) {
	r.sessionTimeout, r.initialize = election.DefaultSessionTimeout, true
	s.String(&r.masters, "masters", "All masters, this one among them, as \"h1:5050,h2:5050,h3:5050\": they agree by themselves on who\nleads. Unless given, this is the only one.")
	s.Secret(&r.zk, "zk", "ZooKeeper that says which master leads: zk://[user:pass@]host:port,…/path, or file:///path of a\nfile with that.")
	s.Int(&r.quorum, "quorum", "With --zk: how many masters are a majority; 2 of 3, 3 of 5.")
	s.Duration(&r.sessionTimeout, "zk_session_timeout", "Silence after which ZooKeeper gives this master up.")
	s.Path(&r.access, "state_access", "File that says which tokens open which of the log's variables to programs elsewhere: a line for each\nprefix, with the SHA-256 of the token. Unless given, none is open.")
	s.Bool(&r.initialize, "log_auto_initialize", "Whether a new log is begun when all masters have none. Without, `mezzo log initialize` does it.")
}

// registryFlags are those about what outlives a master.
func registryFlags(s *flags.Set, c *master.Config) {
	s.Duration(&c.AgentReregisterTimeout, "agent_reregister_timeout", "Time that agents have to come back after another master leads, before they are unreachable.")
	s.Alias("slave_reregister_timeout", "agent_reregister_timeout")
	s.Var("recovery_agent_removal_limit", "If more than this part of all agents don't come back, as \"90%\", the master ends instead.", func(v string) error {
		number, found := strings.CutSuffix(v, "%")
		p, err := strconv.ParseFloat(number, 64)
		if !found || err != nil || !(p > 0 && p <= 100) {
			return fmt.Errorf("%q is not a part above 0%% and at most 100%%: %w", v, errs.Invalid)
		}
		c.RecoveryAgentRemovalLimit = p / 100
		return nil
	}, func() string { return strconv.FormatFloat(100*c.RecoveryAgentRemovalLimit, 'g', -1, 64) + "%" })
	s.Alias("recovery_slave_removal_limit", "recovery_agent_removal_limit")
	var rate string
	s.Var("agent_removal_rate_limit", "How many silent agents become unreachable in a time at most, as \"1/10mins\"; any unless given.", func(v string) error {
		number, per, found := strings.Cut(v, "/")
		n, err := strconv.Atoi(number)
		d, err2 := flags.ParseDuration(per)
		if !found || err != nil || err2 != nil || n <= 0 || d <= 0 {
			return fmt.Errorf("%q is not a number and a time, as 1/10mins: %w", v, errs.Invalid)
		}
		rate, c.AgentRemovalGap = v, d/time.Duration(n)
		return nil
	}, func() string { return rate })
	s.Alias("slave_removal_rate_limit", "agent_removal_rate_limit")
	s.Duration(&c.RegistryStoreTimeout, "registry_store_timeout", "Time that a change may take to be durable, before another master is to lead.")
	s.Duration(&c.RegistryGCInterval, "registry_gc_interval", "Time between two looks for agents to be forgotten.")
	s.Duration(&c.RegistryMaxAgentAge, "registry_max_agent_age", "How long unreachable and gone agents are remembered.")
	s.Int(&c.RegistryMaxAgentCount, "registry_max_agent_count", "How many of each are remembered.")
}

// open makes the replica, and what contends through it.
func (r *replicaConfig) open(ctx context.Context, c *master.Config, log *slog.Logger) (*master.Ensemble, *replog.Log, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("configure master: %w", err)
	}
	cfg := replog.Config{Dir: filepath.Join(c.WorkDir, "log"), Bootstrap: r.initialize}
	var zk *election.ZooKeeper
	var err error
	switch {
	case r.zk != "":
		if zk, err = election.NewZooKeeper(r.zk, election.Config{SessionTimeout: r.sessionTimeout, Log: log}); err != nil {
			return nil, nil, err
		}
		if r.quorum < 1 && r.masters == "" {
			return nil, nil, fmt.Errorf("--zk needs --quorum, the number of masters that are a majority: %w", errs.Invalid)
		}
	case r.quorum != 0:
		return nil, nil, fmt.Errorf("--quorum is for --zk; the majority of --masters is known: %w", errs.Invalid)
	}
	if (zk != nil || r.masters != "") && c.Port == 0 {
		return nil, nil, fmt.Errorf("masters that are several need a --port that the others know: %w", errs.Invalid)
	}
	cfg.Addr = c.Advertised()
	if r.masters != "" {
		if cfg.Peers, cfg.Addr, err = peers(r.masters, c); err != nil {
			return nil, nil, err
		}
	}
	if r.quorum > 0 {
		cfg.Quorum, cfg.Voters = r.quorum, 2*r.quorum-1
	}
	l, err := replog.Open(cfg, replog.Deps{Log: log.With("component", "log"), Fatal: func(err error) {
		log.Error("the log's disk failed; the process ends so that nothing is promised that was not kept", "err", err)
		os.Exit(1)
	}})
	if err != nil {
		return nil, nil, err
	}
	if zk != nil && r.masters == "" {
		go func() {
			err := zk.Join(ctx, cfg.Addr, func(members []string) { _ = l.SetPeers(ctx, members) })
			if ctx.Err() == nil {
				log.Error("this master's log is not known to the others", "err", err)
			}
		}()
	}
	return master.NewEnsemble(l, zk, log), l, nil
}

// peers are the masters of a list, and the one that this is: its host is one of
// this machine's addresses, or the name that it tells others.
func peers(list string, c *master.Config) (all []string, own string, err error) {
	if all, err = election.ParseList(list); err != nil {
		return nil, "", fmt.Errorf("--masters=%s: %w", list, err)
	}
	var mine []string
	for _, addr := range all {
		host, port, _ := net.SplitHostPort(addr)
		if port == strconv.Itoa(c.Port) && isOwn(host, c) {
			mine = append(mine, addr)
		}
	}
	switch len(mine) {
	case 1:
		return all, mine[0], nil
	case 0:
		return nil, "", fmt.Errorf("--masters=%s has no address of this master, which listens on port %d; name it so, or say --ip, --advertise_ip or --hostname: %w", list, c.Port, errs.Invalid)
	default:
		return nil, "", fmt.Errorf("--masters=%s names this master more than once, as %s: %w", list, strings.Join(mine, " and "), errs.Invalid)
	}
}

func isOwn(host string, c *master.Config) bool {
	if slices.Contains([]string{c.IP, c.AdvertiseIP, c.Hostname}, host) {
		return true
	}
	if c.IP != "" && !net.ParseIP(c.IP).IsUnspecified() || c.AdvertiseIP != "" {
		return false // it says who it is
	}
	ips, err := net.LookupHost(host)
	own, err2 := net.InterfaceAddrs()
	if err = errors.Join(err, err2); err != nil {
		return false
	}
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		ip, _, err := net.ParseCIDR(a.String())
		return err == nil && slices.Contains(ips, ip.String())
	})
}
