package master

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
	"mezzo/master/core"
	"mezzo/resources"
)

// roleTally is what is known of one role, those below it not counted.
type roleTally struct {
	name       string
	weight     core.Weight
	frameworks []string // ids of those subscribed in it
	allocated  resources.Quantities
	offered    resources.Quantities
	reserved   resources.Quantities
	quota      *core.QuotaView  // nil: none
	share      *allocator.Share // nil: neither it nor those below it have frameworks
}

// tallyRoles finds the roles that are known: the default one, those allowed by
// --roles, and those that have frameworks, resources, reservations, a weight or
// quota. They are in the order of their names.
func tallyRoles(s *core.Snapshot, allowed []string) []*roleTally {
	known := map[string]*roleTally{}
	of := func(name string) *roleTally {
		t := known[name]
		if t == nil {
			t = &roleTally{name: name, weight: cmp.Or(s.Weights[name], core.WeightUnit)}
			known[name] = t
		}
		return t
	}
	of(resources.DefaultRole)
	for _, name := range allowed {
		of(name)
	}
	for name := range s.Weights {
		of(name)
	}
	for i := range s.Quotas {
		of(s.Quotas[i].Role).quota = &s.Quotas[i]
	}
	for i := range s.Agents {
		for item := range s.Agents[i].Total.Reserved("").All() {
			if name := item.ReservedTo(); item.Kind() == resources.KindScalar {
				t := of(name)
				t.reserved = t.reserved.Add(resources.Quantities{{Name: item.Name(), Amount: item.Scalar()}})
			} else {
				of(name)
			}
		}
	}
	for i := range s.Frameworks {
		f := &s.Frameworks[i]
		for _, name := range f.Roles() {
			of(name).frameworks = append(of(name).frameworks, string(f.ID))
		}
		for name, part := range f.Used().Allocations() {
			of(name).allocated = of(name).allocated.Add(part.Quantities())
		}
		for _, o := range f.Offers {
			of(o.Role).offered = of(o.Role).offered.Add(o.Resources.Quantities())
		}
	}
	for i := range s.Shares {
		if t := known[s.Shares[i].Role]; t != nil {
			t.share = &s.Shares[i]
		}
	}
	out := make([]*roleTally, 0, len(known))
	for _, name := range slices.Sorted(maps.Keys(known)) {
		out = append(out, known[name])
	}
	return out
}

// showRoles is all roles in the form of the API.
func showRoles(s *core.Snapshot, allowed []string) []*v1.Role {
	var out []*v1.Role
	for _, t := range tallyRoles(s, allowed) {
		weight := t.weight.Float()
		role := &v1.Role{Name: &t.name, Weight: &weight, Resources: t.allocated.Add(t.offered).Resources().Proto()}
		for _, id := range t.frameworks {
			role.Frameworks = append(role.Frameworks, &v1.FrameworkID{Value: &id})
		}
		out = append(out, role)
	}
	return out
}

type roleModel struct {
	Name       string             `json:"name"`
	Weight     float64            `json:"weight"`
	Frameworks []string           `json:"frameworks"`
	Resources  map[string]float64 `json:"resources"` // allocated or offered
	Allocated  map[string]float64 `json:"allocated"`
	Offered    map[string]float64 `json:"offered"`
	Reserved   map[string]float64 `json:"reserved"`
	Quota      *quotaModel        `json:"quota,omitempty"`
	Share      *shareModel        `json:"share,omitempty"` // none as long as it has nothing
}

// shareModel is mezzo's own: what a role, with those below it, has of its
// dominant resource.
type shareModel struct {
	Resource string  `json:"resource"`
	Used     float64 `json:"used"`
	Total    float64 `json:"total"`
}

type quotaModel struct {
	Role      string             `json:"role"`
	Guarantee map[string]float64 `json:"guarantee"`
	Limit     map[string]float64 `json:"limit"`
	Consumed  map[string]float64 `json:"consumed"` // by the roles below it too
}

func modelRole(t *roleTally) roleModel {
	m := roleModel{
		Name:       t.name,
		Weight:     t.weight.Float(),
		Frameworks: append([]string{}, t.frameworks...),
		Resources:  modelQuantities(t.allocated.Add(t.offered)),
		Allocated:  modelQuantities(t.allocated),
		Offered:    modelQuantities(t.offered),
		Reserved:   modelQuantities(t.reserved),
	}
	if q := t.quota; q != nil {
		m.Quota = &quotaModel{t.name, modelQuantities(q.Guarantee), modelQuantities(q.Limit), modelQuantities(q.Consumed)}
	}
	if s := t.share; s != nil && s.Total > 0 {
		m.Share = &shareModel{s.Resource, s.Used.Float(), s.Total.Float()}
	}
	return m
}

func modelQuantities(q resources.Quantities) map[string]float64 {
	out := map[string]float64{}
	for _, a := range q {
		out[a.Name] = a.Amount.Float()
	}
	return out
}

// roles serves GET /roles.
func (m *Master) roles(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	list := []roleModel{}
	for _, t := range tallyRoles(s, m.cfg.Roles) {
		list = append(list, modelRole(t))
	}
	respondJSON(w, r, map[string]any{"roles": list})
}
