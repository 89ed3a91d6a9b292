package codec

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"mezzo/api/internal/required"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
)

// Codec encodes messages. Codecs are stateless; compare them with ==.
type Codec interface {
	// ContentType is the media type, as Content-Type is sent.
	ContentType() string
	// Marshal encodes a message. Errors: errs.Invalid if a required field is
	// missing.
	Marshal(m proto.Message) ([]byte, error)
	// Unmarshal replaces m by what data holds. Errors: errs.Invalid always; the
	// text is fit for the sender of data.
	Unmarshal(data []byte, m proto.Message) error
}

// The codecs.
var (
	JSON     Codec = jsonCodec{}
	Protobuf Codec = protobufCodec{}
)

type jsonCodec struct{}

func (jsonCodec) ContentType() string                          { return "application/json" }
func (jsonCodec) Marshal(m proto.Message) ([]byte, error)      { return mesosjson.Marshal(m) }
func (jsonCodec) Unmarshal(data []byte, m proto.Message) error { return mesosjson.Unmarshal(data, m) }

type protobufCodec struct{}

func (protobufCodec) ContentType() string { return "application/x-protobuf" }

func (protobufCodec) Marshal(m proto.Message) ([]byte, error) {
	if err := required.Check(m); err != nil {
		return nil, fmt.Errorf("write %s: %w", name(m), err)
	}
	return proto.Marshal(m)
}

// recursionLimit is protobuf's own default in every language but Go.
const recursionLimit = 100

func (protobufCodec) Unmarshal(data []byte, m proto.Message) error {
	opts := proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: recursionLimit}
	if err := opts.Unmarshal(data, m); err != nil {
		return fmt.Errorf("read %s: malformed protobuf: %w", name(m), errs.Invalid)
	}
	if err := required.Check(m); err != nil {
		return fmt.Errorf("read %s: %w", name(m), err)
	}
	return nil
}

func name(m proto.Message) string {
	return string(m.ProtoReflect().Descriptor().FullName())
}
