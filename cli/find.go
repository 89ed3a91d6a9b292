package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mezzo/internal/spell"
)

// meant returns those of pool that ref means: the one with that id, else all of
// that name, else all whose ids begin so.
func meant[T any](ref string, pool []T, names func(T) (id, name string)) []T {
	for _, rule := range []func(id, name string) bool{
		func(id, _ string) bool { return id == ref },
		func(_, name string) bool { return name == ref },
		func(id, _ string) bool { return strings.HasPrefix(id, ref) },
	} {
		var found []T
		for _, x := range pool {
			if ref != "" && rule(names(x)) {
				found = append(found, x)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// one returns the only one found, the zero T if there is none; several are an
// error that names them.
func one[T any](kind, ref string, found []T, names func(T) (id, name string)) (x T, err error) {
	switch len(found) {
	case 0:
		return x, nil
	case 1:
		return found[0], nil
	}
	const few = 8
	var ids []string
	for _, x := range found[:min(len(found), few)] {
		id, _ := names(x)
		ids = append(ids, id)
	}
	if more := len(found) - few; more > 0 {
		ids = append(ids, fmt.Sprintf("%d more", more))
	}
	return x, fmt.Errorf("%s %q: may be any of %s", kind, ref, strings.Join(ids, ", "))
}

// unknown is the error for a ref that means none of pool; list is the command
// that shows them.
func unknown[T any](kind, ref, list string, pool []T, names func(T) (id, name string)) error {
	var known []string
	for _, x := range pool {
		id, name := names(x)
		known = append(known, name, id)
	}
	guess := spell.Closest(ref, known)
	if i := slices.IndexFunc(known, func(word string) bool { return strings.Contains(word, ref) }); guess == "" && ref != "" && i >= 0 {
		guess = known[i]
	}
	if strings.Contains(guess, " ") {
		guess = strconv.Quote(guess)
	}
	if guess != "" {
		return fmt.Errorf("%s %q: no such %s; did you mean %s? %s lists all", kind, ref, kind, guess, list)
	}
	return fmt.Errorf("%s %q: no such %s; %s lists them", kind, ref, kind, list)
}

// pick returns the one of pool that ref means.
func pick[T any](kind, ref, list string, pool []T, names func(T) (id, name string)) (x T, err error) {
	found := meant(ref, pool, names)
	if len(found) == 0 {
		return x, unknown(kind, ref, list, pool, names)
	}
	return one(kind, ref, found, names)
}
