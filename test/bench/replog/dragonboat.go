package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lni/dragonboat/v3"
	"github.com/lni/dragonboat/v3/client"
	"github.com/lni/dragonboat/v3/config"
	"github.com/lni/dragonboat/v3/logger"
	"github.com/lni/dragonboat/v3/statemachine"
)

func mkdir(dir string) error { return os.MkdirAll(dir, 0o700) }

type dragon struct {
	hosts   []*dragonboat.NodeHost
	leader  *dragonboat.NodeHost
	session *client.Session
}

// idle is a state machine that keeps nothing.
type idle struct{}

func (idle) Lookup(any) (any, error)                    { return nil, nil }
func (idle) Update([]byte) (statemachine.Result, error) { return statemachine.Result{}, nil }
func (idle) Close() error                               { return nil }
func (idle) SaveSnapshot(io.Writer, statemachine.ISnapshotFileCollection, <-chan struct{}) error {
	return nil
}
func (idle) RecoverFromSnapshot(io.Reader, []statemachine.SnapshotFile, <-chan struct{}) error {
	return nil
}

func openDragonboat(dir string, n int) (system, error) {
	for _, name := range []string{"raft", "rsm", "transport", "grpc", "dragonboat", "logdb", "raftpb", "config", "utils", "pebblekv"} {
		logger.GetLogger(name).SetLevel(logger.CRITICAL)
	}
	d := &dragon{}
	members := map[uint64]dragonboat.Target{}
	addrs := addresses(n)
	for i, addr := range addrs {
		members[uint64(i+1)] = addr
	}
	const cluster = 1
	for i, addr := range addrs {
		h, err := dragonboat.NewNodeHost(config.NodeHostConfig{NodeHostDir: filepath.Join(dir, strconv.Itoa(i)), RTTMillisecond: 50, RaftAddress: addr})
		if err != nil {
			return nil, err
		}
		d.hosts = append(d.hosts, h)
		err = h.StartCluster(members, false, func(uint64, uint64) statemachine.IStateMachine { return idle{} },
			config.Config{NodeID: uint64(i + 1), ClusterID: cluster, ElectionRTT: 10, HeartbeatRTT: 1})
		if err != nil {
			return nil, err
		}
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if id, ok, err := d.hosts[0].GetLeaderID(cluster); err == nil && ok {
			d.leader = d.hosts[id-1]
			d.session = d.leader.GetNoOPSession(cluster)
			return d, nil
		}
	}
	return nil, fmt.Errorf("dragonboat elected nobody")
}

func (d *dragon) append(_ int, data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := d.leader.SyncPropose(ctx, d.session, data)
	return err
}

func (d *dragon) close() {
	for _, h := range d.hosts {
		h.Stop()
	}
}
