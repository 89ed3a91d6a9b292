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
	own    []byte // the fields before parts
	parts  []part // by number, none of which is in own
	size   int    // of all, at most
}

// part is one field of a composite: a list of messages, or a message.
type part struct {
	name protoreflect.Name
	list [][]byte
	one  *composite
}

// compose makes a composite of a message's own fields and parts with larger numbers.
func compose(out codec.Codec, own proto.Message, parts ...part) (*composite, error) {
	text, err := out.Marshal(own)
	if err != nil {
		return nil, err
	}
	c := &composite{out: out, fields: own.ProtoReflect().Descriptor().Fields(), own: text, parts: parts, size: len(text)}
	for _, p := range parts {
		if out == codec.Protobuf {
			c.size += p.wireSize(c.number(p.name))
		} else {
			c.size += p.jsonSize()
		}
	}
	return c, nil
}

// encode returns what the codec would make of the whole message.
func (c *composite) encode() []byte {
	b := make([]byte, 0, c.size)
	if c.out == codec.Protobuf {
		return c.appendWire(b)
	}
	return c.appendJSON(b)
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

func (c *composite) appendWire(b []byte) []byte {
	b = append(b, c.own...)
	for _, p := range c.parts {
		field := c.number(p.name)
		for _, text := range p.list {
			b = protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), text)
		}
		if p.one != nil {
			b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(p.one.size))
			b = p.one.appendWire(b)
		}
	}
	return b
}

func (p *part) jsonSize() int {
	n := len(p.name) + len(`,"":[]`)
	if p.one != nil {
		n += p.one.size
	}
	for _, text := range p.list {
		n += len(text) + len(",")
	}
	return n
}

func (c *composite) appendJSON(b []byte) []byte {
	b = append(b, c.own[:len(c.own)-len("}")]...)
	for _, p := range c.parts {
		if p.one == nil && len(p.list) == 0 {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, p.name...)
		b = append(b, '"', ':')
		if p.one != nil {
			b = p.one.appendJSON(b)
			continue
		}
		b = append(b, '[')
		for i, text := range p.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, text...)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
