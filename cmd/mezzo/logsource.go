package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog"
	"mezzo/replog/paxos"
)

// logDir is the log's directory in a master's work_dir, or dir if it is one.
func logDir(dir string) string {
	for _, below := range []string{"log", filepath.Join("master", "log")} {
		if _, err := os.Stat(filepath.Join(dir, below)); err == nil {
			return filepath.Join(dir, below)
		}
	}
	return dir
}

// restingLog is a directory that nobody uses.
type restingLog struct{ dir string }

func (l restingLog) read(_ context.Context, from, to uint64, visit func(paxos.Entry, bool) error) error {
	state, entries, err := replog.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Position >= max(from, state.Begin) && (to == 0 || e.Position < to) {
			if err := visit(e, e.Position < state.Chosen); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l restingLog) status(context.Context) ([]replicaStatus, error) {
	r, err := replog.Verify(l.dir)
	if err != nil {
		return nil, err
	}
	state, err := replog.StateOf(r)
	if err != nil {
		return nil, err
	}
	s := replicaStatus{
		Addr: l.dir, Role: "at rest", Member: r.Member.String(), Begin: state.Begin, End: state.Chosen,
		Promised: uint64(state.Promised), Quorum: state.Members.Quorum(),
	}
	if state.Ensemble != (paxos.ID{}) {
		s.Ensemble = state.Ensemble.String()
	}
	for _, m := range state.Members.Members {
		s.Voters = append(s.Voters, m.Addr)
		if m.ID == paxos.ID(r.Member) {
			s.Addr = m.Addr
		}
	}
	for _, seg := range r.Segments {
		s.Bytes += seg.Size
	}
	return []replicaStatus{s}, nil
}

// runningLog is masters that run.
type runningLog struct{ addrs []string }

func dialReplica(addr string) (api.ReplicaClient, func() error, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(api.MaxMessageBytes)))
	if err != nil {
		return nil, nil, fmt.Errorf("reach replica %s: %w", addr, err)
	}
	return api.NewReplicaClient(conn), conn.Close, nil
}

// rpcText is an error of a replica in its own words.
func rpcText(addr string, err error) error {
	s := status.Convert(err)
	class := errs.Invalid
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		class = errs.Unavailable
	case codes.Unimplemented:
		return fmt.Errorf("%s is no master with a log: %w", addr, errs.Unsupported)
	}
	return fmt.Errorf("replica %s: %s: %w", addr, s.Message(), class)
}

func (l runningLog) status(ctx context.Context) (all []replicaStatus, err error) {
	asked := slices.Clone(l.addrs)
	for i := 0; i < len(asked); i++ {
		s, known := statusOf(ctx, asked[i])
		all = append(all, s)
		for _, addr := range known { // who is asked need not name all
			if !slices.Contains(asked, addr) {
				asked = append(asked, addr)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b replicaStatus) int { return len(b.Voters) - len(a.Voters) })
	return all, nil
}

func statusOf(ctx context.Context, addr string) (s replicaStatus, known []string) {
	s = replicaStatus{Addr: addr, Role: "unreachable"}
	client, hangUp, err := dialReplica(addr)
	if err != nil {
		s.Problem = err.Error()
		return s, nil
	}
	defer hangUp()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := client.Status(ctx, &api.StatusRequest{})
	if err != nil {
		s.Problem = errs.Text(rpcText(addr, err))
		return s, nil
	}
	s.Ensemble, s.Member, s.Problem = r.GetEnsemble(), r.GetMember(), r.GetProblem()
	s.Begin, s.End, s.Promised = r.GetBegin(), r.GetReadable(), r.GetPromised()
	s.Bytes, s.Quorum, s.Role = int64(r.GetDiskBytes()), int(r.GetQuorum()), "learns"
	for _, m := range r.GetMembers() {
		if m.GetVotes() {
			s.Voters = append(s.Voters, m.GetAddr())
			known = append(known, m.GetAddr())
			if m.GetId() == r.GetMember() {
				s.Role = "follows"
			}
		} else {
			s.Learners = append(s.Learners, m.GetAddr())
			known = append(known, m.GetAddr())
		}
	}
	switch {
	case r.GetBallot() != 0:
		s.Role = "leads"
	case r.GetEnsemble() == "":
		s.Role = "empty"
	}
	return s, known
}

func (l runningLog) read(ctx context.Context, from, to uint64, visit func(paxos.Entry, bool) error) error {
	var problems []error
	for _, addr := range l.addrs {
		err := readReplica(ctx, addr, from, to, visit)
		if !errors.Is(err, errs.Unavailable) {
			return err
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func readReplica(ctx context.Context, addr string, from, to uint64, visit func(paxos.Entry, bool) error) error {
	client, hangUp, err := dialReplica(addr)
	if err != nil {
		return err
	}
	defer hangUp()
	stream, err := client.Read(ctx, &api.ReadRequest{From: from, To: to})
	if err != nil {
		return rpcText(addr, err)
	}
	for {
		e, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return rpcText(addr, err)
		}
		err = visit(paxos.Entry{Position: e.GetPosition(), Ballot: paxos.Ballot(e.GetBallot()), Kind: paxos.Kind(e.GetKind()), Data: e.GetData()}, true)
		if err != nil {
			return err
		}
	}
}

// change asks the replica that leads.
func (l runningLog) change(ctx context.Context, addr string, add bool) error {
	all, _ := l.status(ctx)
	i := slices.IndexFunc(all, func(s replicaStatus) bool { return s.Role == "leads" })
	if i < 0 {
		return fmt.Errorf("none of %s leads: %w", strings.Join(l.addrs, ", "), errs.Unavailable)
	}
	client, hangUp, err := dialReplica(all[i].Addr)
	if err != nil {
		return err
	}
	defer hangUp()
	r := &api.ChangeRequest{Change: &api.ChangeRequest_Remove{Remove: addr}}
	if add {
		r.Change = &api.ChangeRequest_Add{Add: addr}
	}
	if _, err := client.Change(ctx, r); err != nil {
		return rpcText(all[i].Addr, err)
	}
	return nil
}

// entryView is what is shown of an entry.
type entryView struct {
	Position uint64   `json:"position"`
	Ballot   uint64   `json:"ballot"`
	Kind     string   `json:"kind"`
	Bytes    int      `json:"bytes"`
	Chosen   bool     `json:"chosen"`
	Changes  []string `json:"changes,omitempty"`
}

func viewEntry(e paxos.Entry, chosen bool) entryView {
	v := entryView{Position: e.Position, Ballot: uint64(e.Ballot), Bytes: len(e.Data), Chosen: chosen}
	switch e.Kind {
	case paxos.Nop:
		v.Kind = "nothing"
	case paxos.Truncate:
		to, _ := paxos.ParseTruncate(e.Data)
		v.Kind, v.Changes = "truncate", []string{fmt.Sprint("below ", to)}
	case paxos.Members:
		v.Kind = "members"
		if m, err := paxos.ParseMembership(e.Data); err == nil {
			for _, n := range m.Members {
				v.Changes = append(v.Changes, n.Addr)
			}
		}
	default:
		v.Kind = "data"
		changes := &api.Changes{}
		if proto.Unmarshal(e.Data, changes) == nil {
			for _, c := range changes.GetChanges() {
				if p := c.GetPut(); p != nil {
					v.Changes = append(v.Changes, fmt.Sprintf("put %s (%d bytes)", p.GetName(), len(p.GetValue())))
				} else {
					v.Changes = append(v.Changes, "delete "+c.GetDelete())
				}
			}
		}
	}
	return v
}

func (v entryView) String() string {
	doubt := ""
	if !v.Chosen {
		doubt = "  (accepted, not known to be chosen)"
	}
	return fmt.Sprintf("%d  %-8s  %s%s", v.Position, v.Kind, strings.Join(v.Changes, ", "), doubt)
}
