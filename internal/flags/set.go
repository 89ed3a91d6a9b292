package flags

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mezzo/internal/errs"
)

// Set is the flags of one program.
type Set struct {
	flags   map[string]*entry
	aliases map[string]string // deprecated name → name
	config  string            // the file's path
}

type entry struct {
	usage  string
	isBool bool
	isPath bool
	secret bool
	set    func(string) error
	get    func() string
	def    string
}

// New returns a Set that knows --config alone.
func New() *Set {
	s := &Set{flags: make(map[string]*entry), aliases: make(map[string]string)}
	s.Path(&s.config, "config", "File with lines name=value for flags given neither here nor in the environment.")
	return s
}

// Var registers a flag by what reads and prints it.
func (s *Set) Var(name, usage string, set func(string) error, get func() string) {
	s.flags[name] = &entry{usage: usage, set: set, get: get, def: get()}
}

// String registers a flag that is taken as it is.
func (s *Set) String(p *string, name, usage string) {
	s.Var(name, usage, func(v string) error { *p = v; return nil }, func() string { return *p })
}

// Path registers a flag that is a path: "file://" before it is dropped, and the
// file is not read.
func (s *Set) Path(p *string, name, usage string) {
	s.Var(name, usage, func(v string) error { *p = strings.TrimPrefix(v, "file://"); return nil }, func() string { return *p })
	s.flags[name].isPath = true
}

// Secret registers a String that is never shown.
func (s *Set) Secret(p *string, name, usage string) {
	s.String(p, name, usage)
	s.flags[name].secret = true
}

// Strings registers a flag of words separated by commas.
func (s *Set) Strings(p *[]string, name, usage string) {
	s.Var(name, usage, func(v string) error {
		*p = nil
		for word := range strings.SplitSeq(v, ",") {
			*p = append(*p, strings.TrimSpace(word))
		}
		return nil
	}, func() string { return strings.Join(*p, ",") })
}

// Bool registers a flag that may be given without a value, and as --no-name.
func (s *Set) Bool(p *bool, name, usage string) {
	s.Var(name, usage, func(v string) (err error) {
		switch v {
		case "", "true", "1":
			*p = true
		case "false", "0":
			*p = false
		default:
			err = fmt.Errorf("want true or false: %w", errs.Invalid)
		}
		return err
	}, func() string { return strconv.FormatBool(*p) })
	s.flags[name].isBool = true
}

// Int registers a flag that is a whole number.
func (s *Set) Int(p *int, name, usage string) {
	s.Var(name, usage, func(v string) error {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("want a whole number: %w", errs.Invalid)
		}
		*p = n
		return nil
	}, func() string { return strconv.Itoa(*p) })
}

// Duration registers a flag that is a time, as Mesos writes it ("10mins") or as
// Go does ("10m").
func (s *Set) Duration(p *time.Duration, name, usage string) {
	s.Var(name, usage, func(v string) (err error) {
		*p, err = ParseDuration(v)
		return err
	}, func() string { return FormatDuration(*p) })
}

// Alias lets a flag be given by a name that it had once.
func (s *Set) Alias(old, name string) { s.aliases[old] = name }

// Names returns the names of all flags, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.flags)) }

// Values returns every flag as it stands, secrets masked.
func (s *Set) Values() map[string]string {
	out := make(map[string]string, len(s.flags))
	for name, f := range s.flags {
		out[name] = f.get()
		if f.secret && out[name] != "" {
			out[name] = "***"
		}
	}
	return out
}

// Usage describes every flag, for people.
func (s *Set) Usage() string {
	var b strings.Builder
	for _, name := range s.Names() {
		f := s.flags[name]
		if f.isBool {
			fmt.Fprintf(&b, "  --[no-]%s", name)
		} else {
			fmt.Fprintf(&b, "  --%s=VALUE", name)
		}
		if f.def != "" && !f.secret {
			fmt.Fprintf(&b, "  (default: %s)", f.def)
		}
		fmt.Fprintf(&b, "\n      %s\n", strings.ReplaceAll(f.usage, "\n", "\n      "))
	}
	return b.String()
}
