package resources

import (
	"cmp"
	"fmt"
	"slices"

	"mezzo/internal/errs"
)

// Reservation keeps a resource for a role and the roles below it.
type Reservation struct {
	Dynamic   bool // made at run time; otherwise by the agent's flags
	Role      string
	Principal string // who reserved; empty: nobody in particular
	Labels    []Label
}

// Label is a word, or a word with a value.
type Label struct{ Key, Value string }

func compareLabels(a, b Label) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
}

// Equal tells whether a and b keep the same, whatever the labels' order.
func (r Reservation) Equal(o Reservation) bool {
	return string(r.append(nil)) == string(o.append(nil))
}

// append prints "(role)", "(role,principal,k=v)" if dynamic, and with "|"
// for the first comma if static with a principal or labels.
func (r Reservation) append(b []byte) []byte {
	b = appendWord(append(b, '('), r.Role)
	if r.Dynamic {
		b = append(b, ',')
	} else if r.Principal != "" || len(r.Labels) > 0 {
		b = append(b, '|')
	}
	if r.Principal != "" {
		b = appendWord(b, r.Principal)
	}
	labels := r.Labels
	if !slices.IsSortedFunc(labels, compareLabels) {
		labels = slices.SortedFunc(slices.Values(labels), compareLabels)
	}
	for _, l := range labels {
		b = appendWord(append(b, ','), l.Key)
		b = appendWord(append(b, '='), l.Value)
	}
	return append(b, ')')
}

// checkStack checks that each reservation refines the one before it.
func checkStack(stack []Reservation) error {
	for i, r := range stack {
		if err := ValidateRole(r.Role); err != nil {
			return err
		}
		switch {
		case r.Role == DefaultRole:
			return fmt.Errorf("role %q cannot be reserved: %w", r.Role, errs.Invalid)
		case i == 0:
		case !r.Dynamic:
			return fmt.Errorf("reservation of role %q refines another and is static: %w", r.Role, errs.Invalid)
		case r.Role == stack[i-1].Role || !Within(r.Role, stack[i-1].Role):
			return fmt.Errorf("reservation of role %q does not refine role %q: %w", r.Role, stack[i-1].Role, errs.Invalid)
		}
	}
	return nil
}
