package constraint_test

// Goal: what holds of which agent, what is refused and with which words. Method:
// tables over the protobuf's JSON; a fuzzer for what frameworks may send.

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
	"mezzo/master/constraint"
)

// groups is the constraints of role "r" by the JSON of its groups.
func groups(t *testing.T, text string) *scheduler.OfferConstraints {
	t.Helper()
	c := &scheduler.OfferConstraints{}
	if err := mesosjson.Unmarshal([]byte(`{"role_constraints":{"r":{"groups":`+text+`}}}`), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// one is a group of one predicate on a subject.
func one(subject, predicate string) string {
	selector := fmt.Sprintf(`{"attribute_name":%q}`, subject)
	if strings.ToUpper(subject) == subject {
		selector = fmt.Sprintf(`{"pseudoattribute_type":%q}`, subject)
	}
	return `{"attribute_constraints":[{"selector":` + selector + `,"predicate":{` + predicate + `}}]}`
}

func text(name, value string) *v1.Attribute {
	return &v1.Attribute{Name: &name, Type: v1.Value_TEXT.Enum(), Text: &v1.Value_Text{Value: &value}}
}

func TestRejects(t *testing.T) {
	agent := &allocator.Agent{
		ID: "A", Hostname: "h1.example.com", Region: "west",
		Attributes: []*v1.Attribute{
			text("rack", "a"), text("rack", "b"),
			{Name: proto.String("size"), Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: proto.Float64(3)}},
		},
	}
	const (
		exists, notExists = `"exists":{}`, `"not_exists":{}`
		equals, notEquals = `"text_equals":{"value":"a"}`, `"text_not_equals":{"value":"a"}`
	)
	matches := func(p string) string { return fmt.Sprintf(`"text_matches":{"regex":%q}`, p) }
	notMatches := func(p string) string { return fmt.Sprintf(`"text_not_matches":{"regex":%q}`, p) }
	for _, row := range []struct{ groups, why string }{
		{one("rack", exists), ""},
		{one("gone", exists), `attribute "gone" does not exist`},
		{one("rack", notExists), `attribute "rack" exists`},
		{one("gone", notExists), ""},
		{one("rack", equals), ""},
		{one("rack", `"text_equals":{"value":"b"}`), `attribute "rack" is "a", not "b"`}, // the first counts
		{one("gone", equals), `attribute "gone" does not exist`},
		{one("size", equals), ""}, // no text: it passes
		{one("rack", notEquals), `attribute "rack" is "a"`},
		{one("gone", notEquals), ""},
		{one("size", notEquals), ""},
		{one("rack", matches("[abc]")), ""},
		{one("rack", matches("b|c")), `attribute "rack" is "a", which "b|c" does not match`},
		{one("gone", matches(".*")), `attribute "gone" does not exist`},
		{one("size", matches("x")), ""},
		{one("rack", notMatches("[ab]")), `attribute "rack" is "a", which "[ab]" matches`},
		{one("gone", notMatches(".*")), ""},
		{one("size", notMatches(".*")), ""},

		{one("HOSTNAME", exists), ""},
		{one("HOSTNAME", `"text_equals":{"value":"h1.example.com"}`), ""},
		{one("HOSTNAME", equals), `hostname is another, not "a"`},
		{one("HOSTNAME", matches(`h\d\..*`)), ""},
		{one("HOSTNAME", matches(`h\d`)), `hostname is another, which "h\\d" does not match`}, // all of it
		{one("HOSTNAME", matches(`h|.*\.com`)), ""},
		{one("HOSTNAME", notMatches(`.*com`)), `hostname is one, which ".*com" matches`},
		{one("HOSTNAME", `"text_not_equals":{"value":"h1.example.com"}`), `hostname is "h1.example.com"`},
		{one("REGION", `"text_equals":{"value":"west"}`), ""},
		{one("REGION", equals), `region is "west", not "a"`},
		{one("ZONE", exists), "zone does not exist"},
		{one("ZONE", notEquals), ""},

		{one("gone", exists) + "," + one("rack", equals), ""},
		{one("gone", exists) + "," + one("rack", notEquals), `attribute "gone" does not exist, and attribute "rack" is "a"`},
		{`{"attribute_constraints":[
			{"selector":{"attribute_name":"rack"},"predicate":{"exists":{}}},
			{"selector":{"attribute_name":"gone"},"predicate":{"exists":{}}}]}`, `attribute "gone" does not exist`},
	} {
		all, err := constraint.Compile(groups(t, "["+row.groups+"]"))
		if err != nil {
			t.Errorf("%s: %v", row.groups, err)
			continue
		}
		if why := all["r"].Rejects(agent); why != row.why {
			t.Errorf("%s: %q, want %q", row.groups, why, row.why)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, row := range []struct{ groups, says string }{
		{`[]`, "no groups"},
		{`[{}]`, "group 0: it is empty"},
		{`[` + one("a", `"exists":{}`) + `,{"attribute_constraints":[]}]`, "group 1: it is empty"},
		{`[{"attribute_constraints":[{"selector":{},"predicate":{"exists":{}}}]}]`, "selector is missing"},
		{`[` + one("", `"exists":{}`) + `]`, "constraint 0"},
		{`[{"attribute_constraints":[{"selector":{"attribute_name":""},"predicate":{"exists":{}}}]}]`, "name of the attribute is empty"},
		{`[` + one("UNKNOWN", `"exists":{}`) + `]`, "UNKNOWN is not known here"},
		{`[` + one("a", ``) + `]`, "predicate is missing"},
		{`[` + one("a", `"text_matches":{"regex":"("}`) + `]`, "missing closing )"},
		{`[` + one("a", `"text_matches":{"regex":"a)|(b"}`) + `]`, "unexpected )"},
		{`[` + one("a", `"text_not_matches":{"regex":"(?=x)"}`) + `]`, "invalid or unsupported"},
		{`[` + one("a", `"text_matches":{"regex":"(?:abc){900}"}`) + `]`, "too large"},
		{`[` + one("a", `"text_matches":{"regex":"`+strings.Repeat("x", 5000)+`"}`) + `]`, "5000 bytes"},
		{`[` + strings.TrimSuffix(strings.Repeat(one("a", `"exists":{}`)+",", 1001), ",") + `]`, "more than 1000"},
		{`[` + strings.TrimSuffix(strings.Repeat(one("a", `"text_matches":{"regex":"a{900}"}`)+",", 100), ",") + `]`, "in all"},
	} {
		_, err := constraint.Compile(groups(t, row.groups))
		if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), `role "r"`) {
			t.Errorf("%.200s: %v, want %q", row.groups, err, row.says)
		}
	}
}

func TestKey(t *testing.T) {
	key := func(text string) string {
		all, err := constraint.Compile(groups(t, "["+text+"]"))
		if err != nil {
			t.Fatal(err)
		}
		return all["r"].Key()
	}
	a, b := one("a", `"exists":{}`), one("b", `"exists":{}`)
	if key(a) != key(a) {
		t.Error("equal constraints have different keys")
	}
	seen := map[string]string{}
	for _, text := range []string{
		a, b, a + "," + b, one("a", `"not_exists":{}`),
		one("a", `"text_equals":{"value":"x"}`), one("a", `"text_matches":{"regex":"x"}`), one("a\" exists \"", `"exists":{}`),
		`{"attribute_constraints":[{"selector":{"attribute_name":"a"},"predicate":{"exists":{}}},{"selector":{"attribute_name":"b"},"predicate":{"exists":{}}}]}`,
	} {
		k := key(text)
		if other, same := seen[k]; same {
			t.Errorf("%s and %s have the key %s", text, other, k)
		}
		seen[k] = text
	}
}

// FuzzCompile: whatever comes, it is refused as invalid or can be asked.
func FuzzCompile(f *testing.F) {
	for _, p := range []string{"a", "(", "a{1000}", `\d+(?i)x|[^y]*`, strings.Repeat("(", 300), "(?m)^a$", `\pL{3}`} {
		f.Add("rack", p, "value")
	}
	f.Fuzz(func(t *testing.T, name, pattern, value string) {
		selector := &scheduler.AttributeConstraint_Selector{
			Selector: &scheduler.AttributeConstraint_Selector_AttributeName{AttributeName: name},
		}
		group := &scheduler.OfferConstraints_RoleConstraints_Group{AttributeConstraints: []*scheduler.AttributeConstraint{
			{Selector: selector, Predicate: &scheduler.AttributeConstraint_Predicate{Predicate: &scheduler.AttributeConstraint_Predicate_TextMatches_{
				TextMatches: &scheduler.AttributeConstraint_Predicate_TextMatches{Regex: &pattern},
			}}},
			{Selector: selector, Predicate: &scheduler.AttributeConstraint_Predicate{Predicate: &scheduler.AttributeConstraint_Predicate_TextNotMatches_{
				TextNotMatches: &scheduler.AttributeConstraint_Predicate_TextNotMatches{Regex: &pattern},
			}}},
		}}
		all, err := constraint.Compile(&scheduler.OfferConstraints{RoleConstraints: map[string]*scheduler.OfferConstraints_RoleConstraints{
			"r": {Groups: []*scheduler.OfferConstraints_RoleConstraints_Group{group}},
		}})
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Errorf("%q: %v", pattern, err)
			}
			return
		}
		agent := &allocator.Agent{Attributes: []*v1.Attribute{text(name, value)}}
		if all["r"].Rejects(agent) == "" {
			t.Errorf("%q both matches and does not match %q", pattern, value)
		}
	})
}
