package master

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

// explain is the EXPLAIN call.
func (m *Master) explain(call *master.Call_Explain) (*master.Response, error) {
	if call == nil {
		return nil, fmt.Errorf("explain is missing: %w", errs.Invalid)
	}
	reply, err := m.lead().loop.put(request{event: core.Explain{
		Framework: ids.FrameworkID(call.GetFrameworkId().GetValue()),
		Role:      call.GetRole(),
		Agent:     ids.AgentID(call.GetAgentId().GetValue()),
	}})
	if err != nil {
		return nil, err
	}
	return &master.Response{Type: master.Response_EXPLAIN.Enum(), Explain: showExplanation(reply.Explanation)}, nil
}

func showExplanation(e *core.Explanation) *master.Response_Explain {
	out := &master.Response_Explain{
		FrameworkId: e.Framework.Proto(),
		Name:        &e.Name,
		OffersHeld:  count(e.OffersHeld),
		OldestOffer: core.TimeInfo(e.OldestOffer),
	}
	for i := range e.Standings {
		out.Standings = append(out.Standings, showStanding(&e.Standings[i]))
	}
	for i := range e.Holders {
		h := &e.Holders[i]
		out.Holders = append(out.Holders, &master.Response_Explain_Holder{
			FrameworkId: h.Framework.Proto(),
			Name:        &h.Name,
			Agents:      count(h.Agents),
			OffersHeld:  count(h.OffersHeld),
			Tasks:       count(h.Tasks),
			OldestOffer: core.TimeInfo(h.OldestOffer),
		})
	}
	return out
}

func showStanding(s *allocator.Explanation) *master.Response_Explain_Standing {
	out := &master.Response_Explain_Standing{
		Role:     &s.Role,
		Used:     proto.Float64(s.Share.Used.Float()),
		Total:    proto.Float64(s.Share.Total.Float()),
		Before:   s.Before,
		Requests: showRequests(s.Requests),
	}
	if s.Share.Resource != "" {
		out.Dominant = &s.Share.Resource
	}
	for i := range s.Reasons {
		r := &s.Reasons[i]
		out.Reasons = append(out.Reasons, &master.Response_Explain_Reason{
			Why:     proto.String(string(r.Why)),
			Detail:  &r.Detail,
			Agents:  count(r.Agents),
			Example: r.Example.Proto(),
			Until:   core.TimeInfo(r.Until),
		})
	}
	return out
}

// showRequests is what a framework asks for, in the form of the API.
func showRequests(list []allocator.Request) []*v1.Request {
	var out []*v1.Request
	for _, r := range list {
		p := &v1.Request{Resources: r.Amount.Resources().Proto()}
		if r.Agent != "" {
			p.AgentId = r.Agent.Proto()
		}
		out = append(out, p)
	}
	return out
}

func count(n int) *uint32 { return proto.Uint32(uint32(n)) }
