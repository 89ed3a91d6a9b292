package master

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

// reserveResources is the RESERVE_RESOURCES call.
func reserveResources(call *master.Call) (core.Event, error) {
	c := call.GetReserveResources()
	return operate(c != nil, "reserve_resources", c.GetAgentId(), &v1.Offer_Operation{
		Type: v1.Offer_Operation_RESERVE.Enum(), Reserve: &v1.Offer_Operation_Reserve{Resources: c.GetResources(), Source: c.GetSource()},
	})
}

// unreserveResources is the UNRESERVE_RESOURCES call.
func unreserveResources(call *master.Call) (core.Event, error) {
	c := call.GetUnreserveResources()
	return operate(c != nil, "unreserve_resources", c.GetAgentId(), &v1.Offer_Operation{
		Type: v1.Offer_Operation_UNRESERVE.Enum(), Unreserve: &v1.Offer_Operation_Unreserve{Resources: c.GetResources()},
	})
}

// createVolumes is the CREATE_VOLUMES call.
func createVolumes(call *master.Call) (core.Event, error) {
	c := call.GetCreateVolumes()
	return operate(c != nil, "create_volumes", c.GetAgentId(), &v1.Offer_Operation{
		Type: v1.Offer_Operation_CREATE.Enum(), Create: &v1.Offer_Operation_Create{Volumes: c.GetVolumes()},
	})
}

// destroyVolumes is the DESTROY_VOLUMES call.
func destroyVolumes(call *master.Call) (core.Event, error) {
	c := call.GetDestroyVolumes()
	return operate(c != nil, "destroy_volumes", c.GetAgentId(), &v1.Offer_Operation{
		Type: v1.Offer_Operation_DESTROY.Enum(), Destroy: &v1.Offer_Operation_Destroy{Volumes: c.GetVolumes()},
	})
}

// growVolume is the GROW_VOLUME call.
func growVolume(call *master.Call) (core.Event, error) {
	c := call.GetGrowVolume()
	return operate(c != nil, "grow_volume", c.GetAgentId(), &v1.Offer_Operation{
		Type: v1.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: &v1.Offer_Operation_GrowVolume{Volume: c.GetVolume(), Addition: c.GetAddition()},
	})
}

// shrinkVolume is the SHRINK_VOLUME call.
func shrinkVolume(call *master.Call) (core.Event, error) {
	c := call.GetShrinkVolume()
	return operate(c != nil, "shrink_volume", c.GetAgentId(), &v1.Offer_Operation{
		Type: v1.Offer_Operation_SHRINK_VOLUME.Enum(), ShrinkVolume: &v1.Offer_Operation_ShrinkVolume{Volume: c.GetVolume(), Subtract: c.GetSubtract()},
	})
}

func operate(there bool, part string, on *v1.AgentID, op *v1.Offer_Operation) (core.Event, error) {
	if !there {
		return nil, fmt.Errorf("%s is missing: %w", part, errs.Invalid)
	}
	return core.Operate{Agent: ids.AgentID(on.GetValue()), Operation: op}, nil
}

// teardown is the TEARDOWN call.
func teardown(call *master.Call) (core.Event, error) {
	if call.Teardown == nil {
		return nil, fmt.Errorf("teardown is missing: %w", errs.Invalid)
	}
	return core.Teardown{Framework: ids.FrameworkID(call.GetTeardown().GetFrameworkId().GetValue())}, nil
}

// maxForm is the largest form taken, in bytes.
const maxForm = 1 << 20

// postTeardown serves POST /teardown: a form with frameworkId.
func (m *Master) postTeardown(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r, "frameworkId")
	m.change(w, core.Teardown{Framework: ids.FrameworkID(form.Get("frameworkId"))}, err, http.StatusOK)
}

// postOperation serves POST /reserve and its like: a form with slaveId and, in the
// field named, a list of resources as JSON.
func (m *Master) postOperation(field string, make func([]*v1.Resource) *v1.Offer_Operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, err := readForm(w, r, "slaveId", field)
		var list []*v1.Resource
		if err == nil {
			list, err = readResources(form.Get(field))
		}
		m.change(w, core.Operate{Agent: ids.AgentID(form.Get("slaveId")), Operation: make(list)}, err, http.StatusAccepted)
	}
}

// readForm reads a body of fields, of which some must be there.
func readForm(w http.ResponseWriter, r *http.Request, fields ...string) (url.Values, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, fmt.Errorf("read form: %w: %w", err, errs.Invalid)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("read form: %w: %w", err, errs.Invalid)
	}
	for _, f := range fields {
		if form.Get(f) == "" {
			return nil, fmt.Errorf("missing '%s' in the form: %w", f, errs.Invalid)
		}
	}
	return form, nil
}

func readResources(text string) ([]*v1.Resource, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("read resources: %w: %w", err, errs.Invalid)
	}
	list := make([]*v1.Resource, len(raw))
	for i, b := range raw {
		list[i] = &v1.Resource{}
		if err := mesosjson.Unmarshal(b, list[i]); err != nil {
			return nil, fmt.Errorf("read resource %d: %w: %w", i, err, errs.Invalid)
		}
	}
	return list, nil
}

func reserveForm(list []*v1.Resource) *v1.Offer_Operation {
	return &v1.Offer_Operation{Type: v1.Offer_Operation_RESERVE.Enum(), Reserve: &v1.Offer_Operation_Reserve{Resources: list}}
}

func unreserveForm(list []*v1.Resource) *v1.Offer_Operation {
	return &v1.Offer_Operation{Type: v1.Offer_Operation_UNRESERVE.Enum(), Unreserve: &v1.Offer_Operation_Unreserve{Resources: list}}
}

func createForm(list []*v1.Resource) *v1.Offer_Operation {
	return &v1.Offer_Operation{Type: v1.Offer_Operation_CREATE.Enum(), Create: &v1.Offer_Operation_Create{Volumes: list}}
}

func destroyForm(list []*v1.Resource) *v1.Offer_Operation {
	return &v1.Offer_Operation{Type: v1.Offer_Operation_DESTROY.Enum(), Destroy: &v1.Offer_Operation_Destroy{Volumes: list}}
}

// showOperations are those that are not over.
func showOperations(s *core.Snapshot) *master.Response_GetOperations {
	g := &master.Response_GetOperations{}
	for _, o := range s.Operations {
		g.Operations = append(g.Operations, o.Proto())
	}
	return g
}
