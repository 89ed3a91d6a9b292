package replog

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"mezzo/internal/errs"
	"mezzo/replog/paxos"
	"mezzo/replog/wal"
)

// kindState is the record of paxos.State; entries have their own kinds.
const kindState = wal.FirstState

const stateVersion = 1

// content says whose records a WAL has. The ensemble is in the state, since a
// replica has a disk before it has an ensemble.
var content = wal.ID([]byte("mezzo replog 1.."))

func encodeState(s paxos.State) []byte {
	b := append([]byte{stateVersion}, s.Ensemble[:]...)
	for _, v := range []uint64{uint64(s.Promised), s.Begin, s.Chosen} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return append(b, s.Members.Encode()...)
}

func parseState(b []byte) (paxos.State, error) {
	const size = 1 + 16 + 3*8
	if len(b) < size || b[0] != stateVersion {
		return paxos.State{}, fmt.Errorf("state of %d bytes has no version %d: %w", len(b), stateVersion, errs.Corrupt)
	}
	members, err := paxos.ParseMembership(b[size:])
	if err != nil {
		return paxos.State{}, fmt.Errorf("%w: %w", err, errs.Corrupt)
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[17+8*i:]) }
	return paxos.State{Ensemble: paxos.ID(b[1:17]), Promised: paxos.Ballot(at(0)), Begin: at(1), Chosen: at(2), Members: members}, nil
}

// stateOf is the state in what was found on a disk, zero if there is none yet.
func stateOf(r *wal.Report) (paxos.State, error) {
	record, ok := r.State[kindState]
	if !ok {
		return paxos.State{}, nil
	}
	return parseState(record.Payload)
}

func entryOf(r wal.Record) paxos.Entry {
	return paxos.Entry{Position: r.Position, Ballot: paxos.Ballot(r.Ballot), Kind: paxos.Kind(r.Kind), Data: r.Payload}
}

// records are what a Ready wants kept.
func records(r *paxos.Ready) []wal.Record {
	all := make([]wal.Record, 0, len(r.Entries)+1)
	if r.State != nil {
		all = append(all, wal.Record{Kind: kindState, Payload: encodeState(*r.State)})
	}
	for _, e := range r.Entries {
		all = append(all, wal.Record{Kind: uint8(e.Kind), Position: e.Position, Ballot: uint64(e.Ballot), Payload: e.Data})
	}
	return all
}

// restore opens the disk, and makes the core of what is on it.
func restore(cfg Config, d Deps) (*wal.WAL, wal.ID, *paxos.Core, error) {
	w, report, err := wal.Open(wal.Config{Dir: cfg.Dir, Ensemble: content, MustExist: cfg.MustExist, SegmentBytes: cfg.SegmentBytes}, wal.Deps{FS: d.FS, Fatal: d.Fatal})
	if err != nil {
		return nil, wal.ID{}, nil, err
	}
	for _, s := range report.Segments {
		if s.Torn > 0 {
			d.Log.Warn("cut what a crash left unfinished", "file", s.File, "offset", s.End, "bytes", s.Torn)
		}
	}
	core, err := coreOf(cfg, d, w, report)
	if err != nil {
		_ = w.Close()
		return nil, wal.ID{}, nil, err
	}
	return w, report.Member, core, nil
}

func coreOf(cfg Config, d Deps, w *wal.WAL, report *wal.Report) (*paxos.Core, error) {
	state, err := stateOf(report)
	if err != nil {
		return nil, err
	}
	if m := state.Members; len(m.Members) > cfg.Voters {
		return nil, fmt.Errorf("told of %d replicas, a quorum of %d, but ensemble %v has %d and decides by %d; remove some, or tell of all: %w", cfg.Voters, cfg.Voters/2+1, state.Ensemble, len(m.Members), m.Quorum(), errs.Conflict)
	}
	var entries []paxos.Entry
	if report.Last >= state.Chosen {
		for r, err := range w.Records(max(state.Chosen, report.First), report.Last) {
			if err != nil {
				return nil, err
			}
			entries = append(entries, entryOf(r))
		}
	}
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails
	_, initialized := report.State[kindInitialized]
	if state.Ensemble == (paxos.ID{}) && !cfg.Bootstrap && !initialized {
		d.Log.Warn("the log is empty and may not be begun: it waits for others that have one, or `mezzo log initialize` on all", "dir", cfg.Dir)
	}
	return paxos.New(paxos.Config{
		ID: paxos.ID(report.Member), Addr: cfg.Addr, Peers: cfg.Peers, Voters: cfg.Voters, Bootstrap: cfg.Bootstrap || initialized,
		Ensemble: paxos.ID(random[:16]), Seed: binary.BigEndian.Uint64(random[16:]),
	}, state, entries)
}
