package mesosjson

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mezzo/api/internal/required"
	"mezzo/internal/errs"
)

// Unmarshal replaces m by the message that data holds. After an error m is
// partly filled.
//
// Errors: errs.Invalid always; the text is fit for the sender of data.
func Unmarshal(data []byte, m proto.Message) error {
	proto.Reset(m)
	err := unmarshal(data, m)
	if err == nil {
		err = required.Check(m)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return nil
}

func unmarshal(data []byte, m proto.Message) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("not UTF-8: %w", errs.Invalid)
	}
	d := decoder{lexer{in: string(data)}}
	d.peek()
	if err := d.message(m.ProtoReflect()); err != nil {
		return err
	}
	if d.peek(); d.pos < len(d.in) {
		return d.errorf("text after the message")
	}
	return nil
}

// decoder fills messages. Its methods expect the cursor on a value's first byte.
type decoder struct{ lexer }

func (d *decoder) message(m protoreflect.Message) error {
	if d.peek() != '{' {
		return d.want("an object")
	}
	fields := m.Descriptor().Fields()
	return d.object(func(key string) error {
		fd := fields.ByName(protoreflect.Name(key))
		if fd == nil {
			return d.skip()
		}
		v, err := d.field(m, fd)
		if err != nil {
			return under(key, err)
		}
		if v.IsValid() {
			m.Set(fd, v)
		} else {
			m.Clear(fd)
		}
		return nil
	})
}

// field returns the value of a field of m, an invalid one for none.
func (d *decoder) field(m protoreflect.Message, fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	switch {
	case d.peek() == 'n':
		return protoreflect.Value{}, d.literal("null")
	case fd.IsMap():
		v := m.NewField(fd)
		return v, d.mapEntries(fd, v.Map())
	case fd.IsList():
		v := m.NewField(fd)
		return v, d.list(fd, v.List())
	case fd.Message() != nil:
		v := m.NewField(fd)
		return v, d.message(v.Message())
	default:
		return d.scalar(fd)
	}
}

func (d *decoder) list(fd protoreflect.FieldDescriptor, list protoreflect.List) error {
	if d.peek() != '[' {
		return d.element(fd, list)
	}
	n := 0
	return d.elements('[', ']', func() error {
		if err := d.element(fd, list); err != nil {
			return under(fmt.Sprintf("[%d]", n), err)
		}
		n++
		return nil
	})
}

func (d *decoder) element(fd protoreflect.FieldDescriptor, list protoreflect.List) error {
	v, err := d.item(fd, list.NewElement)
	if err == nil && v.IsValid() {
		list.Append(v)
	}
	return err
}

func (d *decoder) mapEntries(fd protoreflect.FieldDescriptor, entries protoreflect.Map) error {
	if d.peek() != '{' {
		return d.want("an object")
	}
	return d.object(func(key string) error {
		k, err := d.mapKey(fd.MapKey(), key)
		if err != nil {
			return under(fmt.Sprintf("[%.64q]", key), err)
		}
		v, err := d.item(fd.MapValue(), entries.NewValue)
		if err != nil {
			return under(fmt.Sprintf("[%.64q]", key), err)
		}
		if v.IsValid() {
			entries.Set(k, v)
		} else {
			entries.Clear(k)
		}
		return nil
	})
}

// item returns one value of a list or map, an invalid one for none.
func (d *decoder) item(fd protoreflect.FieldDescriptor, fresh func() protoreflect.Value) (protoreflect.Value, error) {
	switch {
	case d.peek() == 'n':
		return protoreflect.Value{}, d.literal("null")
	case fd.Message() != nil:
		v := fresh()
		return v, d.message(v.Message())
	default:
		return d.scalar(fd)
	}
}

// want complains about the value at the cursor.
func (d *decoder) want(what string) error {
	return fmt.Errorf("want %s, found %s: %w", what, d.found(), errs.Invalid)
}

// pathError is an error at a field.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// under puts one step in front of the path of an error from below.
func under(step string, err error) error {
	var below *pathError
	switch {
	case !errors.As(err, &below):
		return &pathError{step, err}
	case below.path[0] == '[':
		return &pathError{step + below.path, below.err}
	default:
		return &pathError{step + "." + below.path, below.err}
	}
}
