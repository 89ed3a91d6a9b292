package replog

import (
	"fmt"

	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/replog/paxos"
)

func encode(m paxos.Message) *api.Message {
	p := &api.Message{
		Type: uint32(m.Type), From: m.From[:], Addr: m.Addr, Ensemble: m.Ensemble[:], Chosen: m.Chosen, Ballot: uint64(m.Ballot),
		Low: m.Low, High: m.High, Begin: m.Begin, Stamp: m.Stamp, Voters: uint32(m.Voters), Gap: m.Gap,
	}
	for _, e := range m.Entries {
		p.Entries = append(p.Entries, &api.Entry{Position: e.Position, Ballot: uint64(e.Ballot), Kind: uint32(e.Kind), Data: e.Data})
	}
	if len(m.Members.Members) > 0 {
		p.Members = m.Members.Encode()
	}
	return p
}

// decode checks what came from another replica. Whether it makes sense is the
// core's to judge.
func decode(p *api.Message) (paxos.Message, error) {
	if len(p.GetFrom()) != 16 || len(p.GetEnsemble()) != 16 || p.GetAddr() == "" || len(p.GetAddr()) > paxos.MaxAddr {
		return paxos.Message{}, fmt.Errorf("message of %x at %q in ensemble %x is nobody's: %w", p.GetFrom(), p.GetAddr(), p.GetEnsemble(), errs.Invalid)
	}
	if t := p.GetType(); t < uint32(paxos.Hello) || t > uint32(paxos.Resign) {
		return paxos.Message{}, fmt.Errorf("message of %q has type %d, which is unknown here: %w", p.GetAddr(), t, errs.Invalid)
	}
	m := paxos.Message{
		Type: paxos.Type(p.GetType()), From: paxos.ID(p.GetFrom()), Addr: p.GetAddr(), Ensemble: paxos.ID(p.GetEnsemble()),
		Chosen: p.GetChosen(), Ballot: paxos.Ballot(p.GetBallot()), Low: p.GetLow(), High: p.GetHigh(),
		Begin: p.GetBegin(), Stamp: p.GetStamp(), Voters: int(p.GetVoters()), Gap: p.GetGap(),
	}
	for _, e := range p.GetEntries() {
		if k := e.GetKind(); k < uint32(paxos.Nop) || k > uint32(paxos.Members) || len(e.GetData()) > maxEntryBytes {
			return paxos.Message{}, fmt.Errorf("entry of %q at position %d has kind %d and %d bytes: %w", m.Addr, e.GetPosition(), k, len(e.GetData()), errs.Invalid)
		}
		m.Entries = append(m.Entries, paxos.Entry{Position: e.GetPosition(), Ballot: paxos.Ballot(e.GetBallot()), Kind: paxos.Kind(e.GetKind()), Data: e.GetData()})
	}
	if b := p.GetMembers(); len(b) > 0 {
		var err error
		if m.Members, err = paxos.ParseMembership(b); err != nil {
			return paxos.Message{}, fmt.Errorf("message of %q: %w: %w", m.Addr, err, errs.Invalid)
		}
	}
	return m, nil
}
