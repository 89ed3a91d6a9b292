package mesosgo

import (
	"math/rand/v2"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"mezzo/internal/randproto"
)

// newGenerator makes random messages of what both sides know. Left out are values
// that the library can't keep apart: NaN and infinities, which its JSON lacks, and
// empty bytes, which it takes for unset ones.
func newGenerator(seed uint64, s *schema) *randproto.Generator {
	return &randproto.Generator{
		Rand: rand.New(rand.NewPCG(seed, 0)),
		Keep: func(fd protoreflect.FieldDescriptor) (may, always bool) {
			always, may = s.fields[fd.FullName()]
			return may, always
		},
		Enum: func(e protoreflect.EnumDescriptor) []protoreflect.EnumNumber { return s.values[e.FullName()] },
	}
}

// setDefaults does to m what writing it as JSON does: unset fields get their
// default, unless deprecated.
func (s *schema) setDefaults(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if _, known := s.fields[fd.FullName()]; !known {
			continue
		}
		opts, _ := fd.Options().(*descriptorpb.FieldOptions)
		switch {
		case !m.Has(fd) && fd.HasDefault() && !opts.GetDeprecated():
			m.Set(fd, m.Get(fd))
		case !m.Has(fd) || fd.Message() == nil:
		case fd.IsMap():
			m.Get(fd).Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				if fd.MapValue().Message() != nil {
					s.setDefaults(v.Message())
				}
				return true
			})
		case fd.IsList():
			for j := range m.Get(fd).List().Len() {
				s.setDefaults(m.Get(fd).List().Get(j).Message())
			}
		default:
			s.setDefaults(m.Get(fd).Message())
		}
	}
}
