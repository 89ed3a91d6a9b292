package resources

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
)

// Parse reads the text form, or a JSON array of Resource messages. What names
// no role belongs to defaultRole: DefaultRole or "" leave it unreserved,
// another reserves it statically.
//
// Errors: errs.Invalid naming the resource and the value.
func Parse(text, defaultRole string) (Resources, error) {
	if defaultRole == "" {
		defaultRole = DefaultRole
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		return parseJSON(text, defaultRole)
	}
	p := parser{rest: text}
	var items []Resource
	for p.skip(";"); p.rest != ""; p.skip(";") {
		item, err := p.item(defaultRole)
		if err != nil {
			return Resources{}, fmt.Errorf("parse resources %q: %w", text, err)
		}
		items = append(items, item)
		p.skip("")
		if next := p.peek(); next != 0 && next != ';' {
			return Resources{}, fmt.Errorf("parse resources %q: resource %q: %q after its value: %w", text, item.name, next, errs.Invalid)
		}
	}
	return checkSums(collect(items))
}

// MustParse is Parse for constants of the program and tests.
func MustParse(text string) Resources {
	r, err := Parse(text, DefaultRole)
	if err != nil {
		panic(err)
	}
	return r
}

func parseJSON(text, defaultRole string) (Resources, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return Resources{}, fmt.Errorf("parse resources: %w: %w", errs.Invalid, err)
	}
	messages := make([]*v1.Resource, len(raw))
	for i := range raw {
		m := new(v1.Resource)
		if err := mesosjson.Unmarshal(raw[i], m); err != nil {
			return Resources{}, fmt.Errorf("parse resources: item %d: %w", i, err)
		}
		if m.Role == nil && len(m.Reservations) == 0 {
			m.Role = &defaultRole
		}
		messages[i] = m
	}
	return FromProto(messages)
}

// parser reads the text form from the left.
type parser struct{ rest string }

// item reads one resource up to the ";" after it.
func (p *parser) item(defaultRole string) (Resource, error) {
	name, err := p.word("({@:;")
	if err != nil {
		return Resource{}, err
	}
	if name == "" {
		return Resource{}, fmt.Errorf("a resource has no name: %w", errs.Invalid)
	}
	r := Resource{name: name}
	if err = p.identity(&r, defaultRole); err == nil {
		err = p.value(&r)
	}
	if err != nil {
		return Resource{}, fmt.Errorf("resource %q: %w", name, err)
	}
	return r, nil
}

// identity reads what stands between the name and the value.
func (p *parser) identity(r *Resource, defaultRole string) error {
	var a attributes
	named := false
	for p.accept("(") {
		named = true
		v, err := p.reservation()
		if err != nil {
			return err
		}
		a.reservations = append(a.reservations, v)
	}
	if !named {
		a.reservations = []Reservation{{Role: defaultRole}}
	}
	if len(a.reservations) == 1 && a.reservations[0].Role == DefaultRole && !a.reservations[0].Dynamic {
		a.reservations = nil
	}
	if err := checkStack(a.reservations); err != nil {
		return err
	}
	a.revocable = p.accept("{REV}")
	r.attr = a.seal()
	if p.accept("@") {
		var err error
		if r.alloc, err = p.word(":;"); err == nil {
			err = ValidateRole(r.alloc)
		}
		if err != nil {
			return err
		}
	}
	return p.expect(":")
}

// reservation reads "role)", "role,)" or "role,principal)".
func (p *parser) reservation() (r Reservation, err error) {
	if r.Role, err = p.word(",)"); err != nil {
		return r, err
	}
	if r.Dynamic = p.accept(","); r.Dynamic {
		if r.Principal, err = p.word(",)"); err != nil {
			return r, err
		}
	}
	return r, p.expect(")")
}

func (p *parser) value(r *Resource) (err error) {
	switch {
	case p.accept("["):
		r.kind = KindRanges
		var ranges Ranges
		ranges, err = p.ranges()
		r.hold(ranges, nil)
	case p.accept("{"):
		r.kind = KindSet
		var set Set
		set, err = p.set()
		r.hold(nil, set)
	default:
		var word string
		if word, err = p.word(";"); err == nil {
			r.scalar, err = ParseScalar(word)
		}
	}
	return err
}

// ranges reads what follows "[". Overlapping ranges are merged.
func (p *parser) ranges() (Ranges, error) {
	var rs []Range
	for !p.accept("]") {
		text, err := p.word(",]")
		if err != nil {
			return nil, err
		}
		begin, end, _ := strings.Cut(text, "-")
		b, errB := strconv.ParseUint(strings.TrimSpace(begin), 10, 64)
		e, errE := strconv.ParseUint(strings.TrimSpace(end), 10, 64)
		if errB != nil || errE != nil || b > e {
			return nil, fmt.Errorf("range %q is not begin-end: %w", text, errs.Invalid)
		}
		rs = append(rs, Range{b, e})
		if !p.accept(",") && p.peek() != ']' {
			return nil, fmt.Errorf("no %q after range %q: %w", "]", text, errs.Invalid)
		}
	}
	return NewRanges(rs...), nil
}

// set reads what follows "{".
func (p *parser) set() (Set, error) {
	var items []string
	for !p.accept("}") {
		quoted := p.peek() == '"'
		item, err := p.word(",}")
		if err != nil {
			return nil, err
		}
		if item == "" && !quoted {
			return nil, fmt.Errorf("an item of the set is empty: %w", errs.Invalid)
		}
		items = append(items, item)
		if !p.accept(",") && p.peek() != '}' {
			return nil, fmt.Errorf("no %q after item %q: %w", "}", item, errs.Invalid)
		}
	}
	return checkedSet(items)
}

// word reads a quoted word, or all up to one of the characters in stop.
func (p *parser) word(stop string) (string, error) {
	p.skip("")
	if p.peek() == '"' {
		quoted, err := strconv.QuotedPrefix(p.rest)
		if err != nil {
			return "", fmt.Errorf("no end of the quoted word at %.20q: %w", p.rest, errs.Invalid)
		}
		p.rest = p.rest[len(quoted):]
		p.skip("")
		return strconv.Unquote(quoted)
	}
	end := strings.IndexAny(p.rest, stop)
	if end < 0 {
		end = len(p.rest)
	}
	word := strings.TrimSpace(p.rest[:end])
	p.rest = p.rest[end:]
	return word, nil
}

// skip passes over white space and any of the characters in more.
func (p *parser) skip(more string) { p.rest = strings.TrimLeft(p.rest, " \t\r\n"+more) }

func (p *parser) peek() byte {
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

func (p *parser) accept(token string) bool {
	p.skip("")
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

func (p *parser) expect(token string) error {
	if !p.accept(token) {
		return fmt.Errorf("no %q at %.20q: %w", token, p.rest, errs.Invalid)
	}
	return nil
}
