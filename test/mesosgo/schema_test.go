package mesosgo

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// schema is what mezzo's wire and the library's have in common.
type schema struct {
	messages []protoreflect.MessageType                          // top-level ones, by name
	fields   map[protoreflect.FullName]bool                      // true: the library always writes it
	values   map[protoreflect.FullName][]protoreflect.EnumNumber // by enum
	theirs   map[string]*descriptorpb.DescriptorProto            // by name without package
	enums    map[string]map[string]protoreflect.EnumNumber       // the same
	diff     []string                                            // what is not in common
}

// short cuts the package's beginning off: "mesos.v1.scheduler.Call" and the
// library's "mesos.scheduler.Call" are both "scheduler.Call".
func short(name string) string {
	name = strings.TrimPrefix(name, ".")
	return strings.TrimPrefix(strings.TrimPrefix(name, "mesos."), "v1.")
}

func compare(theirs []*descriptorpb.FileDescriptorProto) *schema {
	s := &schema{
		fields: map[protoreflect.FullName]bool{},
		values: map[protoreflect.FullName][]protoreflect.EnumNumber{},
		theirs: map[string]*descriptorpb.DescriptorProto{},
		enums:  map[string]map[string]protoreflect.EnumNumber{},
	}
	for _, f := range theirs {
		s.collect(f.GetPackage(), f.GetMessageType(), f.GetEnumType())
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(f.Package()), "mesos.v1") {
			s.compareEnums(f.Enums())
			s.compareMessages(f.Messages())
		}
		return true
	})
	for name := range s.theirs {
		s.diff = append(s.diff, "mesos-go alone: message "+name)
	}
	for name := range s.enums {
		s.diff = append(s.diff, "mesos-go alone: enum "+name)
	}
	slices.Sort(s.diff)
	slices.SortFunc(s.messages, func(a, b protoreflect.MessageType) int {
		return strings.Compare(string(a.Descriptor().FullName()), string(b.Descriptor().FullName()))
	})
	return s
}

func (s *schema) collect(parent string, messages []*descriptorpb.DescriptorProto, enums []*descriptorpb.EnumDescriptorProto) {
	for _, m := range messages {
		name := parent + "." + m.GetName()
		s.theirs[short(name)] = m
		s.collect(name, m.GetNestedType(), m.GetEnumType())
	}
	for _, e := range enums {
		values := map[string]protoreflect.EnumNumber{}
		for _, v := range e.GetValue() {
			values[v.GetName()] = protoreflect.EnumNumber(v.GetNumber())
		}
		s.enums[short(parent+"."+e.GetName())] = values
	}
}

func (s *schema) compareMessages(ours protoreflect.MessageDescriptors) {
	for i := range ours.Len() {
		m := ours.Get(i)
		name := short(string(m.FullName()))
		theirs, ok := s.theirs[name]
		delete(s.theirs, name)
		switch {
		case m.IsMapEntry(): // goes with its field
			continue
		case !ok: // with all in it
			s.diff = append(s.diff, "mezzo alone: message "+name)
			continue
		}
		s.compareFields(m, theirs)
		if _, nested := m.Parent().(protoreflect.MessageDescriptor); !nested {
			mt, err := protoregistry.GlobalTypes.FindMessageByName(m.FullName())
			if err != nil {
				panic(err) // a file and its Go types are registered together
			}
			s.messages = append(s.messages, mt)
		}
		s.compareEnums(m.Enums())
		s.compareMessages(m.Messages())
	}
}

func (s *schema) compareFields(ours protoreflect.MessageDescriptor, theirs *descriptorpb.DescriptorProto) {
	unseen := map[string]*descriptorpb.FieldDescriptorProto{}
	for _, f := range theirs.GetField() {
		unseen[f.GetName()] = f
	}
	for i := range ours.Fields().Len() {
		fd := ours.Fields().Get(i)
		f, ok := unseen[string(fd.Name())]
		delete(unseen, string(fd.Name()))
		if !ok {
			s.diff = append(s.diff, "mezzo alone: field "+short(string(fd.FullName())))
			continue
		}
		if a, b := describe(protodesc.ToFieldDescriptorProto(fd)), describe(f); a != b {
			s.diff = append(s.diff, fmt.Sprintf("differs: field %s: %s, mesos-go %s", short(string(fd.FullName())), a, b))
		}
		s.fields[fd.FullName()] = !nullable(f) || f.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED
	}
	for _, f := range unseen {
		s.diff = append(s.diff, "mesos-go alone: field "+short(string(ours.FullName()))+"."+f.GetName())
	}
}

// describe says what the wire depends on.
func describe(f *descriptorpb.FieldDescriptorProto) string {
	typ := short(f.GetTypeName())
	if typ == "" {
		typ = strings.ToLower(strings.TrimPrefix(f.GetType().String(), "TYPE_"))
	}
	d := fmt.Sprintf("%s %s = %d", strings.ToLower(strings.TrimPrefix(f.GetLabel().String(), "LABEL_")), typ, f.GetNumber())
	if f.DefaultValue != nil {
		d += " default " + f.GetDefaultValue()
	}
	return d
}

// nullable is false for a field that the library's Go type can't leave unset:
// gogoproto's option of that name, extension 65001 of FieldOptions.
func nullable(f *descriptorpb.FieldDescriptorProto) bool {
	raw := f.GetOptions().ProtoReflect().GetUnknown()
	for len(raw) > 0 {
		num, typ, n := protowire.ConsumeTag(raw)
		if n < 0 {
			break
		}
		raw = raw[n:]
		if num == 65001 && typ == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(raw)
			return protowire.DecodeBool(v)
		}
		n = protowire.ConsumeFieldValue(num, typ, raw)
		if n < 0 {
			break
		}
		raw = raw[n:]
	}
	return true
}

func (s *schema) compareEnums(ours protoreflect.EnumDescriptors) {
	for i := range ours.Len() {
		e := ours.Get(i)
		name := short(string(e.FullName()))
		theirs, ok := s.enums[name]
		delete(s.enums, name)
		if !ok {
			s.diff = append(s.diff, "mezzo alone: enum "+name)
			continue
		}
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			n, ok := theirs[string(v.Name())]
			delete(theirs, string(v.Name()))
			switch {
			case !ok:
				s.diff = append(s.diff, fmt.Sprintf("mezzo alone: value %s.%s", name, v.Name()))
			case n != v.Number():
				s.diff = append(s.diff, fmt.Sprintf("differs: value %s.%s: %d, mesos-go %d", name, v.Name(), v.Number(), n))
			default:
				s.values[e.FullName()] = append(s.values[e.FullName()], n)
			}
		}
		for v := range theirs {
			s.diff = append(s.diff, fmt.Sprintf("mesos-go alone: value %s.%s", name, v))
		}
	}
}
