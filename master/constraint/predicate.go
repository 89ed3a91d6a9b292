package constraint

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"mezzo/allocator"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
)

// Bounds of regular expressions. Mesos allows 100 instructions of RE2, which
// Go's count otherwise.
const (
	maxPattern  = 4096   // bytes
	maxProgram  = 2000   // instructions of one
	maxPrograms = 20_000 // of all of a framework
)

// kind is what a predicate asks.
type kind string

const (
	exists    kind = "exists"
	notExists kind = "not exists"
	equal     kind = "is"
	notEqual  kind = "is not"
	match     kind = "matches"
	notMatch  kind = "does not match"
)

// predicate is one condition on agents.
type predicate struct {
	subject subject
	kind    kind
	value   string         // text, or pattern
	regex   *regexp.Regexp // of match and notMatch
}

func newPredicate(c *scheduler.AttributeConstraint, b *budget) (predicate, error) {
	var p predicate
	var err error
	if p.subject, err = newSubject(c.GetSelector()); err != nil {
		return p, err
	}
	switch t := c.GetPredicate().GetPredicate().(type) {
	case *scheduler.AttributeConstraint_Predicate_Exists_:
		p.kind = exists
	case *scheduler.AttributeConstraint_Predicate_NotExists_:
		p.kind = notExists
	case *scheduler.AttributeConstraint_Predicate_TextEquals_:
		p.kind, p.value = equal, t.TextEquals.GetValue()
	case *scheduler.AttributeConstraint_Predicate_TextNotEquals_:
		p.kind, p.value = notEqual, t.TextNotEquals.GetValue()
	case *scheduler.AttributeConstraint_Predicate_TextMatches_:
		p.kind, p.value = match, t.TextMatches.GetRegex()
	case *scheduler.AttributeConstraint_Predicate_TextNotMatches_:
		p.kind, p.value = notMatch, t.TextNotMatches.GetRegex()
	default:
		return p, fmt.Errorf("%v: predicate is missing or not known here: %w", p.subject, errs.Invalid)
	}
	if p.kind == match || p.kind == notMatch {
		if p.regex, err = compileRegex(p.value, b); err != nil {
			return p, fmt.Errorf("%v: %w", p.subject, err)
		}
	}
	return p, nil
}

// compileRegex compiles a pattern that is to match all of a text.
func compileRegex(pattern string, b *budget) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("regular expression has %d bytes, more than %d: %w", len(pattern), maxPattern, errs.Invalid)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl) // by itself, so that it cannot end the group below
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w: %w", pattern, err, errs.Invalid)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w: %w", pattern, err, errs.Invalid)
	}
	size := len(program.Inst)
	if size > maxProgram {
		return nil, fmt.Errorf("regular expression %.100q is too large: %d instructions, at most %d: %w", pattern, size, maxProgram, errs.Invalid)
	}
	if b.program -= size; b.program < 0 {
		return nil, fmt.Errorf("regular expressions are too large: more than %d instructions in all: %w", maxPrograms, errs.Invalid)
	}
	r, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w: %w", pattern, err, errs.Invalid)
	}
	return r, nil
}

func (p *predicate) key() string {
	return fmt.Sprintf("%v %s %q", p.subject, p.kind, p.value)
}

// holds tells whether the agent is as p says.
func (p *predicate) holds(g *allocator.Agent) bool {
	text, isText, there := p.subject.of(g)
	switch p.kind {
	case exists:
		return there
	case notExists:
		return !there
	case equal:
		return there && (!isText || text == p.value)
	case notEqual:
		return !there || !isText || text != p.value
	case match:
		return there && (!isText || p.regex.MatchString(text))
	default:
		return !there || !isText || !p.regex.MatchString(text)
	}
}

// rejection says why p does not hold. It does not tell host names: all agents
// of equal reason are to have equal texts.
func (p *predicate) rejection(g *allocator.Agent) string {
	text, _, there := p.subject.of(g)
	is := fmt.Sprintf("%v is %q", p.subject, text)
	if p.subject.pseudo == scheduler.AttributeConstraint_Selector_HOSTNAME {
		is = "hostname is another"
	}
	switch {
	case p.kind == notExists:
		return fmt.Sprintf("%v exists", p.subject)
	case !there:
		return fmt.Sprintf("%v does not exist", p.subject)
	case p.kind == equal:
		return fmt.Sprintf("%s, not %q", is, p.value)
	case p.kind == match:
		return fmt.Sprintf("%s, which %q does not match", is, p.value)
	case p.kind == notEqual:
		return fmt.Sprintf("%v is %q", p.subject, p.value)
	default:
		if p.subject.pseudo == scheduler.AttributeConstraint_Selector_HOSTNAME {
			is = "hostname is one"
		}
		return fmt.Sprintf("%s, which %q matches", is, p.value)
	}
}
