package flags

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"mezzo/internal/errs"
	"mezzo/internal/spell"
)

// prefixes of the environment, in the order in which they give way.
var prefixes = []string{"MEZZO_", "MESOS_"}

// Parse reads all sources. environ is as of os.Environ; args don't hold the
// program's name. ignored names the variables with one of our prefixes that are
// no flag here.
//
// Errors: errs.Invalid, joined, each naming the flag and where it was given.
func (s *Set) Parse(args, environ []string) (ignored []string, err error) {
	given, err := s.arguments(args)
	if err != nil {
		return nil, err
	}
	vars, ignored := s.environment(environ)
	var lines map[string]source
	if path := strings.TrimPrefix(cmp.Or(given["config"], vars["config"]).value, "file://"); path != "" {
		if lines, err = s.file(path); err != nil {
			return nil, err
		}
	}
	var problems []error
	for name := range s.flags {
		v := cmp.Or(given[name], vars[name], lines[name])
		if v.from == "" {
			continue
		}
		if err := s.flags[name].take(v.value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", v.from, err))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return ignored, errors.Join(problems...)
}

// source is a value and where it was given; zero: not given.
type source struct{ value, from string }

// maxFileBytes bounds what a value file:///… may bring in.
const maxFileBytes = 1 << 20

func (f *entry) take(value string) error {
	if path, ok := strings.CutPrefix(value, "file://"); ok && !f.isPath {
		info, err := os.Stat(path)
		if err == nil && info.Size() > maxFileBytes {
			err = fmt.Errorf("%s has more than %d bytes", path, maxFileBytes)
		}
		var b []byte
		if err == nil {
			b, err = os.ReadFile(path)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", err, errs.Invalid)
		}
		value = string(bytes.TrimSpace(b))
	}
	if err := f.set(value); err != nil {
		if f.secret {
			return err
		}
		return fmt.Errorf("value %q: %w", value, err)
	}
	return nil
}

// known finds a flag by any of its names.
func (s *Set) known(name string) (string, *entry) {
	if to, ok := s.aliases[name]; ok {
		name = to
	}
	return name, s.flags[name]
}

// meant guesses which flag an unknown name stands for.
func (s *Set) meant(name string) string {
	if guess := spell.Closest(name, s.Names()); guess != "" {
		return "; did you mean --" + guess + "?"
	}
	return ""
}

func (s *Set) arguments(args []string) (map[string]source, error) {
	given := make(map[string]source)
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		text, dashed := strings.CutPrefix(arg, "--")
		if !dashed || text == "" {
			return nil, fmt.Errorf("argument %q: want --name=value: %w", arg, errs.Invalid)
		}
		word, value, hasValue := strings.Cut(text, "=")
		name, f := s.known(word)
		if f == nil {
			positive, no := strings.CutPrefix(word, "no-")
			if name, f = s.known(positive); !no || f == nil || !f.isBool {
				return nil, fmt.Errorf("unknown flag --%s%s: %w", word, s.meant(word), errs.Invalid)
			}
			if hasValue {
				return nil, fmt.Errorf("flag --%s takes no value: %w", word, errs.Invalid)
			}
			value, hasValue = "false", true
		}
		if !hasValue && !f.isBool {
			if len(args) == 0 || strings.HasPrefix(args[0], "--") {
				return nil, fmt.Errorf("flag --%s needs a value: %w", word, errs.Invalid)
			}
			value, args = args[0], args[1:]
		}
		if _, twice := given[name]; twice {
			return nil, fmt.Errorf("flag --%s is given twice: %w", name, errs.Invalid)
		}
		given[name] = source{value, "flag --" + word}
	}
	return given, nil
}

func (s *Set) environment(environ []string) (vars map[string]source, ignored []string) {
	vars = make(map[string]source)
	for _, prefix := range prefixes {
		for _, v := range environ {
			key, value, _ := strings.Cut(v, "=")
			rest, ours := strings.CutPrefix(key, prefix)
			if !ours || value == "" {
				continue
			}
			name, f := s.known(strings.ToLower(rest))
			if f == nil {
				ignored = append(ignored, key)
				continue
			}
			vars[name] = cmp.Or(vars[name], source{value, "variable " + key})
		}
	}
	slices.Sort(ignored)
	return vars, ignored
}

// file reads the lines of --config.
func (s *Set) file(path string) (map[string]source, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("flag --config: %w: %w", err, errs.Invalid)
	}
	lines := make(map[string]source)
	scanner := bufio.NewScanner(bytes.NewReader(b))
	scanner.Buffer(nil, maxFileBytes)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		where := fmt.Sprintf("%s line %d", path, n)
		key, value, ok := strings.Cut(line, "=")
		name, f := s.known(strings.TrimSpace(key))
		switch {
		case !ok:
			return nil, fmt.Errorf("%s: want name=value: %w", where, errs.Invalid)
		case f == nil || name == "config":
			return nil, fmt.Errorf("%s: unknown flag %q%s: %w", where, name, s.meant(name), errs.Invalid)
		case lines[name].from != "":
			return nil, fmt.Errorf("%s: %s is given twice: %w", where, name, errs.Invalid)
		}
		lines[name] = source{strings.TrimSpace(value), where}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", path, err, errs.Invalid)
	}
	return lines, nil
}
