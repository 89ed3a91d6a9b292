package required

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mezzo/internal/errs"
)

// Check returns nil if m and all below it have their required fields.
//
// Errors: errs.Invalid with the path of the first one missing, in field order:
// "accept.offer_ids[2].value is missing".
func Check(m proto.Message) error {
	if proto.CheckInitialized(m) == nil {
		return nil
	}
	return fmt.Errorf("%s is missing: %w", missing(m.ProtoReflect()), errs.Invalid)
}

// missing returns the path of the first missing field, "" if there is none.
func missing(m protoreflect.Message) string {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := string(fd.Name())
		if !m.Has(fd) {
			if fd.Cardinality() == protoreflect.Required {
				return name
			}
			continue
		}
		if rest := missingBelow(fd, m.Get(fd)); rest != "" {
			return name + rest
		}
	}
	return ""
}

// missingBelow looks into the messages that a field holds.
func missingBelow(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case fd.IsMap():
		if fd.MapValue().Message() == nil {
			return ""
		}
		var found []string
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if rest := missing(v.Message()); rest != "" {
				found = append(found, fmt.Sprintf("[%.64q].%s", k.String(), rest))
			}
			return true
		})
		if len(found) > 0 {
			return slices.MinFunc(found, strings.Compare)
		}
	case fd.Message() == nil:
	case fd.IsList():
		for i := range v.List().Len() {
			if rest := missing(v.List().Get(i).Message()); rest != "" {
				return fmt.Sprintf("[%d].%s", i, rest)
			}
		}
	default:
		if rest := missing(v.Message()); rest != "" {
			return "." + rest
		}
	}
	return ""
}
