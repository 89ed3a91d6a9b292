// Package randproto makes random protobuf messages, for tests.
package randproto

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Generator makes them. The zero fields but Rand will do.
type Generator struct {
	*rand.Rand
	// Keep tells whether a field may be set, and whether it is always; nil: all may.
	Keep func(protoreflect.FieldDescriptor) (may, always bool)
	// Enum are the values that an enum may have; nil: those that it declares.
	Enum func(protoreflect.EnumDescriptor) []protoreflect.EnumNumber
	// Words are strings that mean something to who reads them: every second one is.
	Words []string
	// Letters are what other strings are made of; nil: those that most often go wrong.
	Letters []rune
	// Wild numbers may be infinite, or none; wild bytes may be empty.
	Wild bool
}

// maxDepth is where only what must be set still is.
const maxDepth = 6

// Fill sets fields of m, which has none. What is required is set.
func (g *Generator) Fill(m protoreflect.Message) { g.fill(m, 0) }

func (g *Generator) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		may, always := true, false
		if g.Keep != nil {
			may, always = g.Keep(fd)
		}
		switch {
		case !may:
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

// FillCall is Fill for a message with an enum "type" and a message in it for each value
// of that: most often they fit, and the value's name is returned.
func (g *Generator) FillCall(m protoreflect.Message) (chosen protoreflect.Name) {
	g.Fill(m)
	if g.IntN(4) == 0 {
		return ""
	}
	fields := m.Descriptor().Fields()
	kind := fields.ByName("type")
	values := kind.Enum().Values()
	value := values.Get(1 + g.IntN(values.Len()-1)) // the first stands for none
	m.Set(kind, protoreflect.ValueOfEnum(value.Number()))
	if f := fields.ByName(protoreflect.Name(strings.ToLower(string(value.Name())))); f != nil && f.Message() != nil && !m.Has(f) {
		part := m.NewField(f)
		g.Fill(part.Message())
		m.Set(f, part)
	}
	return value.Name()
}

// size is 0 to 2, and the deeper the smaller.
func (g *Generator) size(depth int) int {
	return max(0, g.IntN(3)-g.IntN(depth+1)*2/maxDepth)
}

func (g *Generator) value(fd protoreflect.FieldDescriptor, fresh func() protoreflect.Value, depth int) protoreflect.Value {
	if fd.Message() == nil {
		return g.scalar(fd)
	}
	v := fresh()
	g.fill(v.Message(), min(depth+1, maxDepth*2))
	return v
}

func (g *Generator) scalar(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(g.enum(fd.Enum()))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(g.text())
	case protoreflect.BytesKind:
		b := make([]byte, g.IntN(20))
		if len(b) == 0 && !g.Wild {
			b = make([]byte, 1)
		}
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
		panic(fmt.Sprintf("field %s has a kind that the generator lacks: %v", fd.FullName(), fd.Kind()))
	}
}

func (g *Generator) enum(e protoreflect.EnumDescriptor) protoreflect.EnumNumber {
	if g.Enum != nil {
		values := g.Enum(e)
		return values[g.IntN(len(values))]
	}
	return e.Values().Get(g.IntN(e.Values().Len())).Number()
}

var letters = []rune("aZ09-_./:* \"\\\n\r\t\b\x01\x7f<>&'äß€𝄞\u2028")

func (g *Generator) text() string {
	if len(g.Words) > 0 && g.IntN(2) == 0 {
		return g.Words[g.IntN(len(g.Words))]
	}
	from := g.Letters
	if from == nil {
		from = letters
	}
	s := make([]rune, g.IntN(12))
	for i := range s {
		s[i] = from[g.IntN(len(from))]
	}
	return string(s)
}

// integer is small, large, or one of the extremes; conversion to a signed type
// makes it negative too.
func (g *Generator) integer(largest uint64) uint64 {
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

func (g *Generator) float() float64 {
	switch g.IntN(4) {
	case 0:
		return float64(g.IntN(100000)) / 1000
	case 1:
		return float64(g.IntN(1000))
	case 2:
		return math.MaxFloat64
	default:
		for {
			f := math.Float64frombits(g.Uint64())
			if g.Wild || !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
	}
}
