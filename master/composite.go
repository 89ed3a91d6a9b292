package master

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mezzo/api/codec"
)

// composite is a message of which long lists were encoded before, element by element.
type composite struct {
	out    codec.Codec
	fields protoreflect.FieldDescriptors
	own    []byte // the fields that are written first
	parts  []part // none of which is in own
	size   int    // of all, in protobuf
}

// part is one field of a composite: a list of messages, or a message.
type part struct {
	name protoreflect.Name
	list [][]byte
	one  *composite
}

// compose makes a composite of a message's own fields and of parts. Readers of protobuf
// and JSON take fields in any order; with parts by number, larger than those of own, the
// bytes are the codec's own.
func compose(out codec.Codec, own proto.Message, parts ...part) (*composite, error) {
	text, err := out.Marshal(own)
	if err != nil {
		return nil, err
	}
	c := &composite{out: out, fields: own.ProtoReflect().Descriptor().Fields(), own: text, parts: parts, size: len(text)}
	if out == codec.Protobuf {
		for _, p := range parts {
			c.size += p.wireSize(c.number(p.name))
		}
	}
	return c, nil
}

// encode returns the whole message.
func (c *composite) encode() pieces {
	if c.out == codec.Protobuf {
		return c.appendWire(nil)
	}
	return c.appendJSON(nil)
}

func (c *composite) number(name protoreflect.Name) protowire.Number {
	return c.fields.ByName(name).Number()
}

func (p *part) wireSize(field protowire.Number) int {
	tag := protowire.SizeTag(field)
	if p.one != nil {
		return tag + protowire.SizeBytes(p.one.size)
	}
	n := len(p.list) * tag
	for _, text := range p.list {
		n += protowire.SizeBytes(len(text))
	}
	return n
}

func (c *composite) appendWire(to pieces) pieces {
	to = append(to, c.own)
	for _, p := range c.parts {
		field := c.number(p.name)
		heads := make([]byte, 0, len(p.list)*(protowire.SizeTag(field)+maxVarint))
		head := func(size int) []byte {
			start := len(heads)
			heads = protowire.AppendVarint(protowire.AppendTag(heads, field, protowire.BytesType), uint64(size))
			return heads[start:]
		}
		for _, text := range p.list {
			to = append(to, head(len(text)), text)
		}
		if p.one != nil {
			to = p.one.appendWire(append(to, head(p.one.size)))
		}
	}
	return to
}

// maxVarint is the longest that a number of bytes in one element can be.
const maxVarint = 5

func (c *composite) appendJSON(to pieces) pieces {
	own := c.own[:len(c.own)-len("}")]
	to = append(to, own)
	first := len(own) == len("{")
	for _, p := range c.parts {
		if p.one == nil && len(p.list) == 0 {
			continue
		}
		name := `,"` + string(p.name) + `":`
		if first {
			name = name[len(","):]
		}
		first = false
		to = append(to, []byte(name))
		if p.one != nil {
			to = p.one.appendJSON(to)
		} else {
			to = to.appendList(p.list)
		}
	}
	return append(to, []byte("}"))
}
