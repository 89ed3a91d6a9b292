package mesosjson_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"mezzo/api/mesosjson"
)

// kinds describes a message with, for every scalar kind K of protobuf, an
// optional field o_K, a repeated one r_K and a map from K (where K may be a
// key) to K, m_K.
func kinds(tb testing.TB) protoreflect.MessageDescriptor {
	msg := &descriptorpb.DescriptorProto{Name: proto.String("Kinds")}
	field := func(in *descriptorpb.DescriptorProto, name string, typ descriptorpb.FieldDescriptorProto_Type, label descriptorpb.FieldDescriptorProto_Label, typeName string) {
		fd := &descriptorpb.FieldDescriptorProto{Name: &name, Type: &typ, Label: &label, Number: proto.Int32(int32(len(in.Field) + 1))}
		if typeName != "" {
			fd.TypeName = &typeName
		}
		in.Field = append(in.Field, fd)
	}
	const (
		optional = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		repeated = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	)
	for typ := descriptorpb.FieldDescriptorProto_TYPE_DOUBLE; typ <= descriptorpb.FieldDescriptorProto_TYPE_SINT64; typ++ {
		kind := strings.ToLower(strings.TrimPrefix(typ.String(), "TYPE_"))
		typeName := map[string]string{"message": ".k.Kinds", "enum": ".k.Color"}[kind]
		if kind == "group" {
			continue
		}
		field(msg, "o_"+kind, typ, optional, typeName)
		field(msg, "r_"+kind, typ, repeated, typeName)
		switch kind {
		case "double", "float", "bytes", "message", "enum":
			continue
		}
		entry := &descriptorpb.DescriptorProto{
			Name:    proto.String("M" + strings.ToUpper(kind[:1]) + kind[1:] + "Entry"),
			Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		}
		field(entry, "key", typ, optional, "")
		field(entry, "value", typ, optional, "")
		msg.NestedType = append(msg.NestedType, entry)
		field(msg, "m_"+kind, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, repeated, ".k.Kinds."+entry.GetName())
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("kinds.proto"), Package: proto.String("k"), Syntax: proto.String("proto2"),
		MessageType: []*descriptorpb.DescriptorProto{msg},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Color"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("RED"), Number: proto.Int32(-1)}, {Name: proto.String("BLUE"), Number: proto.Int32(3)},
		}}},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().Get(0)
}

func TestKinds(t *testing.T) {
	md := kinds(t)
	signed32 := []string{"0", "-2147483648", "2147483647"}
	signed64 := []string{"0", "-9223372036854775808", "9223372036854775807"}
	unsigned32 := []string{"0", "4294967295"}
	unsigned64 := []string{"0", "18446744073709551615"}
	values := map[string][]string{
		"int32": signed32, "sint32": signed32, "sfixed32": signed32,
		"int64": signed64, "sint64": signed64, "sfixed64": signed64,
		"uint32": unsigned32, "fixed32": unsigned32, "uint64": unsigned64, "fixed64": unsigned64,
		"bool": {"false", "true"}, "string": {`""`, `"a"`}, "bytes": {`""`, `"YQ=="`},
		"double": {"0.0", "0.1", `"NaN"`}, "float": {"0.0", "0.1", "3.4028235e+38", `"-Infinity"`},
		"enum": {`"RED"`, `"BLUE"`, "7"}, "message": {"{}", `{"o_bool":true}`},
	}
	for kind, texts := range values {
		var whole []string
		for _, text := range texts {
			whole = append(whole, `{"o_`+kind+`":`+text+`}`, `{"r_`+kind+`":[`+text+`,`+text+`]}`)
			if md.Fields().ByName(protoreflect.Name("m_"+kind)) != nil {
				whole = append(whole, `{"m_`+kind+`":{"`+strings.Trim(text, `"`)+`":`+text+`}}`)
			}
		}
		whole = append(whole, `{"r_`+kind+`":[`+strings.Join(texts, ",")+`]}`)
		for _, want := range whole {
			m := dynamicpb.NewMessage(md)
			if err := mesosjson.Unmarshal([]byte(want), m); err != nil {
				t.Error(err)
				continue
			}
			got, err := mesosjson.Marshal(m)
			if err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(want, string(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		}
	}
}

func TestKindsOutOfRange(t *testing.T) {
	md := kinds(t)
	for _, in := range []string{
		`{"o_int32":2147483648}`, `{"o_sint32":-2147483649}`, `{"o_uint32":4294967296}`, `{"o_fixed32":-1}`,
		`{"o_int64":-9223372036854775809}`, `{"o_float":3.5e38}`, `{"o_enum":2147483648}`,
		`{"m_int32":{"2147483648":1}}`, `{"m_bool":{"yes":true}}`, `{"m_uint64":{"1\"x":1}}`,
	} {
		if err := mesosjson.Unmarshal([]byte(in), dynamicpb.NewMessage(md)); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
}

func TestFloat32IsShortest(t *testing.T) {
	m := dynamicpb.NewMessage(kinds(t))
	m.Set(m.Descriptor().Fields().ByName("o_float"), protoreflect.ValueOfFloat32(math.Pi))
	got, err := mesosjson.Marshal(m)
	if want := `{"o_float":3.1415927}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
