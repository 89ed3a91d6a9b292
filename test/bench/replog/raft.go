package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

type hashiRaft struct {
	nodes  []*raft.Raft
	stores []*wal.WAL
	leader *raft.Raft
}

// nothing is a state machine that keeps nothing.
type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nothing{}, nil }
func (nothing) Restore(r io.ReadCloser) error       { return r.Close() }
func (nothing) Persist(s raft.SnapshotSink) error   { return s.Close() }
func (nothing) Release()                            {}

func openRaft(dir string, n int) (system, error) {
	h := &hashiRaft{}
	var servers []raft.Server
	for i, addr := range addresses(n) {
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := mkdir(at); err != nil {
			return nil, err
		}
		store, err := wal.Open(at)
		if err != nil {
			return nil, err
		}
		transport, err := raft.NewTCPTransport(addr, nil, 4, 10*time.Second, io.Discard)
		if err != nil {
			return nil, err
		}
		cfg := raft.DefaultConfig()
		cfg.LocalID, cfg.Logger = raft.ServerID(addr), hclog.NewNullLogger()
		cfg.BatchApplyCh, cfg.MaxAppendEntries = true, 512
		node, err := raft.NewRaft(cfg, nothing{}, store, store, raft.NewInmemSnapshotStore(), transport)
		if err != nil {
			return nil, err
		}
		h.nodes, h.stores = append(h.nodes, node), append(h.stores, store)
		servers = append(servers, raft.Server{ID: cfg.LocalID, Address: transport.LocalAddr()})
	}
	if err := h.nodes[0].BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, node := range h.nodes {
			if node.State() == raft.Leader {
				h.leader = node
				return h, nil
			}
		}
	}
	return nil, fmt.Errorf("raft elected nobody")
}

func (h *hashiRaft) append(_ int, data []byte) error {
	return h.leader.Apply(data, time.Minute).Error()
}

func (h *hashiRaft) close() {
	for i, node := range h.nodes {
		_ = node.Shutdown().Error()
		h.stores[i].Close()
	}
}
