package master

import (
	"encoding/json"

	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

// amounts is resources as the older endpoints show them: names to numbers, and
// to text for ranges and sets. What may be taken back has a name of its own.
func amounts(r resources.Resources) map[string]any {
	out := map[string]any{"cpus": 0.0, "gpus": 0.0, "mem": 0.0, "disk": 0.0}
	for _, part := range []struct {
		suffix string
		of     resources.Resources
	}{{"", r.NonRevocable()}, {"_revocable", r.Revocable()}} {
		ranges, sets := map[string]resources.Ranges{}, map[string]resources.Set{}
		for item := range part.of.All() {
			name := item.Name() + part.suffix
			switch item.Kind() {
			case resources.KindScalar:
				out[name] = part.of.Total(item.Name()).Float()
			case resources.KindRanges:
				ranges[name] = ranges[name].Union(item.Ranges())
				out[name] = ranges[name].String()
			case resources.KindSet:
				sets[name] = sets[name].Union(item.Set())
				out[name] = sets[name].String()
			}
		}
	}
	return out
}

// reserved splits what is reserved by role.
func reserved[T any](r resources.Resources, show func(resources.Resources) T) map[string]T {
	out := map[string]T{}
	for item := range r.Reserved("").All() {
		if role := item.ReservedTo(); role != "" {
			if _, done := out[role]; !done {
				out[role] = show(r.Reserved(role))
			}
		}
	}
	return out
}

// full is resources with all that is known of each.
func full(r resources.Resources) []json.RawMessage {
	out := []json.RawMessage{}
	for _, p := range operatorProto(r) {
		out = append(out, raw(p))
	}
	return out
}

// operatorProto is resources as operators get them, with reservations written in
// both ways.
func operatorProto(r resources.Resources) []*v1.Resource {
	out, err := r.ProtoAs(resources.Endpoint)
	if err != nil {
		return r.Proto() // refined reservations have one form only
	}
	return out
}

// attributes are an agent's, as the older endpoints show them.
func attributes(list []*v1.Attribute) map[string]any {
	out := map[string]any{}
	for _, a := range list {
		switch a.GetType() {
		case v1.Value_SCALAR:
			out[a.GetName()] = number(a.GetScalar().GetValue())
		case v1.Value_RANGES:
			var ranges []resources.Range
			for _, r := range a.GetRanges().GetRange() {
				ranges = append(ranges, resources.Range{Begin: r.GetBegin(), End: r.GetEnd()})
			}
			out[a.GetName()] = resources.NewRanges(ranges...).String()
		case v1.Value_SET:
			out[a.GetName()] = resources.NewSet(a.GetSet().GetItem()...).String()
		default:
			out[a.GetName()] = a.GetText().GetValue()
		}
	}
	return out
}
