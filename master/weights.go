package master

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
	"mezzo/master/core"
	"mezzo/resources"
)

// updateWeights is the UPDATE_WEIGHTS call.
func updateWeights(call *master.Call) (core.Event, error) {
	if call.UpdateWeights == nil {
		return nil, fmt.Errorf("update_weights is missing: %w", errs.Invalid)
	}
	return parseWeights(call.GetUpdateWeights().GetWeightInfos())
}

func parseWeights(list []*v1.WeightInfo) (core.Event, error) {
	weights := map[string]core.Weight{}
	for _, info := range list {
		role := info.GetRole()
		if _, twice := weights[role]; twice {
			return nil, fmt.Errorf("role %q is named twice: %w", role, errs.Invalid)
		}
		w, err := parseWeight(info.GetWeight())
		if err != nil {
			return nil, fmt.Errorf("weight of role %q: %w", role, err)
		}
		weights[role] = w
	}
	return core.SetWeights{Weights: weights}, nil
}

// parseWeight reads a weight, exact to three digits.
func parseWeight(v float64) (core.Weight, error) {
	w := math.Round(v * float64(core.WeightUnit))
	if !(w >= 1 && w <= math.MaxUint32) {
		return 0, fmt.Errorf("%v is not from 0.001 to %v: %w", v, math.MaxUint32/uint32(core.WeightUnit), errs.Invalid)
	}
	return core.Weight(w), nil
}

// showWeights is all weights that are not 1, by role.
func showWeights(s *core.Snapshot) []*v1.WeightInfo {
	out := []*v1.WeightInfo{}
	for _, role := range slices.Sorted(maps.Keys(s.Weights)) {
		out = append(out, &v1.WeightInfo{Role: &role, Weight: proto.Float64(s.Weights[role].Float())})
	}
	return out
}

// getWeights serves GET /weights.
func (m *Master) getWeights(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	list := []json.RawMessage{}
	for _, info := range showWeights(s) {
		list = append(list, raw(info))
	}
	respondJSON(w, r, list)
}

// putWeights serves PUT /weights: a list of WeightInfo as JSON.
func (m *Master) putWeights(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		refuse(w, http.StatusBadRequest, "read weights: %v", err)
		return
	}
	infos := make([]*v1.WeightInfo, len(list))
	for i, text := range list {
		infos[i] = &v1.WeightInfo{}
		if err := mesosjson.Unmarshal(text, infos[i]); err != nil {
			fail(w, err)
			return
		}
	}
	ev, err := parseWeights(infos)
	m.change(w, ev, err, http.StatusOK)
}

// ParseWeights reads the flag's form, "role=2,other=0.5".
func ParseWeights(text string) (map[string]core.Weight, error) {
	out := map[string]core.Weight{}
	if text == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		role, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		v, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q is not role=weight: %w", part, errs.Invalid)
		}
		if _, twice := out[role]; twice {
			return nil, fmt.Errorf("role %q is named twice: %w", role, errs.Invalid)
		}
		if err := resources.ValidateRole(role); err != nil {
			return nil, err
		}
		if out[role], err = parseWeight(v); err != nil {
			return nil, fmt.Errorf("weight of role %q: %w", role, err)
		}
	}
	return out, nil
}

// FormatWeights is the flag's form of weights.
func FormatWeights(weights map[string]core.Weight) string {
	var out []string
	for _, role := range slices.Sorted(maps.Keys(weights)) {
		out = append(out, role+"="+strconv.FormatFloat(weights[role].Float(), 'g', -1, 64))
	}
	return strings.Join(out, ",")
}
