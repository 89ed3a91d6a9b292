package mesosgo

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// generator makes random messages of what both sides know. Left out are values
// that the library can't keep apart: NaN and infinities, which its JSON lacks,
// and empty bytes, which it takes for unset ones.
type generator struct {
	*rand.Rand
	*schema
}

// maxDepth is where only what must be set still is.
const maxDepth = 6

func (g generator) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		always, known := g.fields[fd.FullName()]
		switch {
		case !known:
		case fd.IsMap():
			for range g.IntN(3) {
				entries := m.Mutable(fd).Map()
				entries.Set(g.scalar(fd.MapKey()).MapKey(), g.value(fd.MapValue(), entries.NewValue, depth))
			}
		case fd.IsList():
			for range g.size(depth) {
				list := m.Mutable(fd).List()
				list.Append(g.value(fd, list.NewElement, depth))
			}
		case fd.Cardinality() == protoreflect.Required || always || g.size(depth) > 0:
			m.Set(fd, g.value(fd, func() protoreflect.Value { return m.NewField(fd) }, depth))
		}
	}
}

// size is 0 to 2, and the deeper the smaller.
func (g generator) size(depth int) int {
	return max(0, g.IntN(3)-g.IntN(depth+1)*2/maxDepth)
}

func (g generator) value(fd protoreflect.FieldDescriptor, fresh func() protoreflect.Value, depth int) protoreflect.Value {
	if fd.Message() == nil {
		return g.scalar(fd)
	}
	v := fresh()
	g.fill(v.Message(), min(depth+1, maxDepth*2))
	return v
}

func (g generator) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.IntN(2) == 0)
	case protoreflect.EnumKind:
		values := g.values[fd.Enum().FullName()]
		return protoreflect.ValueOfEnum(values[g.IntN(len(values))])
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(g.text())
	case protoreflect.BytesKind:
		b := make([]byte, 1+g.IntN(20))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(g.float())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(g.integer(math.MaxInt32)))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(g.integer(math.MaxUint32)))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(g.integer(math.MaxInt64)))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(g.integer(math.MaxUint64))
	default:
		panic("the wire got a kind that the generator lacks: " + fd.Kind().String())
	}
}

var runes = []rune("aZ09-_./:* \"\\\n\r\t\b\x01\x7f<>&'äß€𝄞\u2028")

func (g generator) text() string {
	s := make([]rune, g.IntN(12))
	for i := range s {
		s[i] = runes[g.IntN(len(runes))]
	}
	return string(s)
}

// integer is small, large, or one of the extremes; conversion to a signed type
// makes it negative too.
func (g generator) integer(largest uint64) uint64 {
	switch g.IntN(4) {
	case 0:
		return uint64(g.IntN(100))
	case 1:
		return largest
	case 2:
		return largest + 1 // 0 or the smallest
	default:
		return g.Uint64()
	}
}

func (g generator) float() float64 {
	switch g.IntN(4) {
	case 0:
		return float64(g.IntN(100000)) / 1000
	case 1:
		return float64(g.IntN(1000))
	case 2:
		return math.MaxFloat64
	default:
		for {
			if f := math.Float64frombits(g.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
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
