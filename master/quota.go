package master

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/quota"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/resources"
)

// updateQuota is the UPDATE_QUOTA call.
func updateQuota(call *master.Call) (core.Event, error) {
	if call.UpdateQuota == nil {
		return nil, fmt.Errorf("update_quota is missing: %w", errs.Invalid)
	}
	quotas := map[string]allocator.Quota{}
	for _, c := range call.GetUpdateQuota().GetQuotaConfigs() {
		if _, twice := quotas[c.GetRole()]; twice {
			return nil, fmt.Errorf("role %q is named twice: %w", c.GetRole(), errs.Invalid)
		}
		guarantee, err := parseAmounts(c.GetGuarantees(), false)
		if err != nil {
			return nil, fmt.Errorf("guarantees of role %q: %w", c.GetRole(), err)
		}
		limit, err := parseAmounts(c.GetLimits(), true)
		if err != nil {
			return nil, fmt.Errorf("limits of role %q: %w", c.GetRole(), err)
		}
		quotas[c.GetRole()] = allocator.Quota{Guarantee: guarantee, Limit: limit}
	}
	return core.SetQuotas{Quotas: quotas, Force: call.GetUpdateQuota().GetForce()}, nil
}

// parseAmounts reads amounts by name; those of 0 count only if zeros is set.
func parseAmounts(m map[string]*v1.Value_Scalar, zeros bool) (resources.Quantities, error) {
	var out resources.Quantities
	for _, name := range slices.Sorted(maps.Keys(m)) {
		amount, err := resources.ScalarOf(m[name].GetValue())
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case name == "":
			return nil, fmt.Errorf("a resource has no name: %w", errs.Invalid)
		case amount > 0 || zeros:
			out = append(out, resources.Quantity{Name: name, Amount: amount})
		}
	}
	return out, nil
}

// setQuota is the SET_QUOTA call, which UPDATE_QUOTA replaces.
func setQuota(call *master.Call) (core.Event, error) {
	if call.SetQuota == nil {
		return nil, fmt.Errorf("set_quota is missing: %w", errs.Invalid)
	}
	return quotaRequest(call.GetSetQuota().GetQuotaRequest())
}

// quotaRequest is the older way to set quota: what is guaranteed is the limit
// too, and roles that have quota are refused.
func quotaRequest(q *quota.QuotaRequest) (core.Event, error) {
	for i, r := range q.GetGuarantee() {
		if slices.ContainsFunc(q.GetGuarantee()[:i], func(o *v1.Resource) bool { return o.GetName() == r.GetName() }) {
			return nil, fmt.Errorf("guarantee of role %q has %s twice: %w", q.GetRole(), r.GetName(), errs.Invalid)
		}
	}
	r, err := resources.FromProto(q.GetGuarantee())
	if err != nil {
		return nil, fmt.Errorf("guarantee of role %q: %w", q.GetRole(), err)
	}
	amounts := r.Quantities()
	if len(amounts) == 0 || !r.Equal(amounts.Resources()) {
		return nil, fmt.Errorf("guarantee of role %q is %q, not plain amounts: %w", q.GetRole(), r, errs.Invalid)
	}
	return core.SetQuotas{
		Quotas: map[string]allocator.Quota{q.GetRole(): {Guarantee: amounts, Limit: amounts}},
		Force:  q.GetForce(),
		Only:   core.OnlyWithout,
	}, nil
}

// removeQuota is the REMOVE_QUOTA call.
func removeQuota(call *master.Call) (core.Event, error) {
	if call.RemoveQuota == nil {
		return nil, fmt.Errorf("remove_quota is missing: %w", errs.Invalid)
	}
	return withoutQuota(call.GetRemoveQuota().GetRole()), nil
}

func withoutQuota(role string) core.SetQuotas {
	return core.SetQuotas{Quotas: map[string]allocator.Quota{role: {}}, Only: core.OnlyWith}
}

// showQuota is all quota in the form of the API, the older one too.
func showQuota(s *core.Snapshot) *quota.QuotaStatus {
	out := &quota.QuotaStatus{}
	for i := range s.Quotas {
		q := &s.Quotas[i]
		out.Configs = append(out.Configs, &quota.QuotaConfig{
			Role:       &q.Role,
			Guarantees: showAmounts(q.Guarantee),
			Limits:     showAmounts(q.Limit),
		})
		if len(q.Guarantee) > 0 {
			out.Infos = append(out.Infos, &quota.QuotaInfo{Role: &q.Role, Guarantee: q.Guarantee.Resources().Proto()})
		}
	}
	return out
}

func showAmounts(q resources.Quantities) map[string]*v1.Value_Scalar {
	out := map[string]*v1.Value_Scalar{}
	for _, a := range q {
		out[a.Name] = &v1.Value_Scalar{Value: proto.Float64(a.Amount.Float())}
	}
	return out
}

// getQuota serves GET /quota.
func (m *Master) getQuota(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	body, err := mesosjson.Marshal(showQuota(s))
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, r, "application/json", body)
}

// postQuota serves POST /quota: a QuotaRequest as JSON.
func (m *Master) postQuota(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	q := &quota.QuotaRequest{}
	if err := mesosjson.Unmarshal(body, q); err != nil {
		fail(w, err)
		return
	}
	ev, err := quotaRequest(q)
	m.change(w, ev, err, http.StatusOK)
}

// deleteQuota serves DELETE /quota/ROLE.
func (m *Master) deleteQuota(w http.ResponseWriter, r *http.Request) {
	_, role, _ := strings.Cut(trim(r.URL.Path), "/quota/")
	m.change(w, withoutQuota(role), nil, http.StatusOK)
}
