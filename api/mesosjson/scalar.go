package mesosjson

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"mezzo/internal/errs"
)

// scalar returns the value at the cursor as fd's kind, an invalid one for an
// enum value to be dropped.
func (d *decoder) scalar(fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		s, err := d.text()
		return protoreflect.ValueOfString(s), err
	case protoreflect.BytesKind:
		b, err := d.bytes()
		return protoreflect.ValueOfBytes(b), err
	case protoreflect.BoolKind:
		v, err := d.boolean()
		return protoreflect.ValueOfBool(v), err
	case protoreflect.EnumKind:
		return d.enum(fd)
	case protoreflect.DoubleKind:
		f, err := d.float(64)
		return protoreflect.ValueOfFloat64(f), err
	case protoreflect.FloatKind:
		f, err := d.float(32)
		return protoreflect.ValueOfFloat32(float32(f)), err
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := d.signed(32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := d.unsigned(32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := d.unsigned(64)
		return protoreflect.ValueOfUint64(n), err
	default:
		n, err := d.signed(64)
		return protoreflect.ValueOfInt64(n), err
	}
}

// mapKey reads a key, always a string, as the map's key kind.
func (d *decoder) mapKey(fd protoreflect.FieldDescriptor, key string) (protoreflect.MapKey, error) {
	if fd.Kind() == protoreflect.StringKind {
		return protoreflect.ValueOfString(strings.Clone(key)).MapKey(), nil
	}
	quoted := decoder{lexer{in: string(appendString(nil, key))}}
	v, err := quoted.scalar(fd)
	return v.MapKey(), err
}

// text returns a copy, so that a kept field does not keep all of the input.
func (d *decoder) text() (string, error) {
	if d.peek() != '"' {
		return "", d.want("a string")
	}
	s, err := d.str()
	return strings.Clone(s), err
}

func (d *decoder) bytes() ([]byte, error) {
	if d.peek() != '"' {
		return nil, d.want("base64 in a string")
	}
	s, err := d.str()
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(strings.Map(standardBase64, s))
	}
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", errs.Invalid)
	}
	return b, nil
}

// standardBase64 maps the URL alphabet to the standard one and drops padding
// and white space.
func standardBase64(r rune) rune {
	switch r {
	case '-':
		return '+'
	case '_':
		return '/'
	case '=', ' ', '\t', '\r', '\n':
		return -1
	default:
		return r
	}
}

func (d *decoder) boolean() (bool, error) {
	switch d.peek() {
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case '"':
		s, err := d.str()
		if err == nil && s != "true" && s != "false" {
			err = fmt.Errorf("want true or false, found %.64q: %w", s, errs.Invalid)
		}
		return s == "true", err
	default:
		return false, d.want("a boolean")
	}
}

// enum takes any number, as protobuf's Go runtime does on the wire.
func (d *decoder) enum(fd protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	if c := d.peek(); c == '-' || c >= '0' && c <= '9' {
		n, err := d.signed(32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), err
	}
	if d.peek() != '"' {
		return protoreflect.Value{}, d.want("a name of " + string(fd.Enum().FullName()))
	}
	s, err := d.str()
	if err != nil {
		return protoreflect.Value{}, err
	}
	values := fd.Enum().Values()
	for _, name := range []protoreflect.Name{protoreflect.Name(s), "UNKNOWN"} {
		if ev := values.ByName(name); ev != nil {
			return protoreflect.ValueOfEnum(ev.Number()), nil
		}
	}
	if fd.Cardinality() == protoreflect.Required {
		return protoreflect.Value{}, fmt.Errorf("%.64q is no %s: %w", s, fd.Enum().FullName(), errs.Invalid)
	}
	return protoreflect.Value{}, nil
}

func (d *decoder) float(bits int) (float64, error) {
	s, err := d.numeral()
	if err != nil {
		return 0, err
	}
	switch s {
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	case "NaN":
		return math.NaN(), nil
	}
	if !isNumber(s) {
		return 0, fmt.Errorf("%.64q is no number: %w", s, errs.Invalid)
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil {
		return 0, outOfRange(s, "a %d-bit float", bits)
	}
	return f, nil
}

func (d *decoder) signed(bits int) (int64, error) {
	s, err := d.integer()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return 0, outOfRange(s, "a signed %d-bit integer", bits)
	}
	return n, nil
}

func (d *decoder) unsigned(bits int) (uint64, error) {
	s, err := d.integer()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, outOfRange(s, "an unsigned %d-bit integer", bits)
	}
	return n, nil
}

func outOfRange(s, format string, bits int) error {
	return fmt.Errorf("%.64s is out of range for "+format+": %w", s, bits, errs.Invalid)
}

// integer returns the digits of a whole number, as "1000" for 1e3.
func (d *decoder) integer() (string, error) {
	s, err := d.numeral()
	if err != nil {
		return "", err
	}
	if !isNumber(s) {
		return "", fmt.Errorf("%.64q is no number: %w", s, errs.Invalid)
	}
	if !strings.ContainsAny(s, ".eE") {
		return s, nil
	}
	// A float64 is exact up to 2^53, which no one exceeds in this form.
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return "", fmt.Errorf("%.64s is no whole number within 2^53: %w", s, errs.Invalid)
	}
	return strconv.FormatInt(int64(f), 10), nil
}

func isNumber(s string) bool { return s != "" && numberLen(s) == len(s) }

// numeral returns the text of a number, or of a string in its place.
func (d *decoder) numeral() (string, error) {
	switch c := d.peek(); {
	case c == '"':
		return d.str()
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	default:
		return "", d.want("a number")
	}
}
