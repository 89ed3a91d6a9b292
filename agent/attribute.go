package agent

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// parseAttributes reads "rack:r1;size:4;ports:[1-2]": a value is a number,
// ranges, a set, or else text. A name may come more than once.
//
// Errors: errs.Invalid, naming the part that is wrong.
func parseAttributes(text string) ([]*v1.Attribute, error) {
	var all []*v1.Attribute
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("attribute %q is not name:value: %w", part, errs.Invalid)
		}
		a := &v1.Attribute{Name: proto.String(name)}
		if err := parseValue(a, value); err != nil {
			return nil, fmt.Errorf("attribute %q: %w", part, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func parseValue(a *v1.Attribute, value string) error {
	if strings.ContainsAny(value[:1], "[{") {
		// Ranges and sets are written as those of resources.
		r, err := resources.Parse("value:"+value, "*")
		if err != nil {
			return err
		}
		for _, p := range r.Proto() {
			a.Type, a.Ranges, a.Set = p.Type, p.Ranges, p.Set
		}
		if a.Type == nil {
			return fmt.Errorf("value %q is empty: %w", value, errs.Invalid)
		}
		return nil
	}
	if n, err := strconv.ParseFloat(value, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) && !strings.ContainsAny(value, "xX_") {
		a.Type, a.Scalar = v1.Value_SCALAR.Enum(), &v1.Value_Scalar{Value: proto.Float64(n)}
		return nil
	}
	a.Type, a.Text = v1.Value_TEXT.Enum(), &v1.Value_Text{Value: proto.String(value)}
	return nil
}
