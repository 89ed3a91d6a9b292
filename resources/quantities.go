package resources

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mezzo/internal/errs"
)

// Quantity is an amount of a scalar resource, whatever its identity.
type Quantity struct {
	Name   string
	Amount Scalar
}

// Quantities is how much there is of each scalar resource: ascending by name,
// without zeros. Values are not changed once made.
type Quantities []Quantity

// ParseQuantities reads "cpus:0.01;mem:32".
//
// Errors: errs.Invalid if a resource is no plain scalar.
func ParseQuantities(text string) (Quantities, error) {
	r, err := Parse(text, DefaultRole)
	if err != nil {
		return nil, err
	}
	for i := range r.items {
		if item := &r.items[i]; item.kind != KindScalar || item.attr != nil || item.alloc != "" {
			return nil, fmt.Errorf("parse quantities %q: resource %q is no plain scalar: %w", text, item.name, errs.Invalid)
		}
	}
	return r.Quantities(), nil
}

// Alternatives is this or that; of none nothing is asked.
type Alternatives []Quantities

// MetBy tells whether q has one of them at least.
func (l Alternatives) MetBy(q Quantities) bool {
	return len(l) == 0 || slices.ContainsFunc(l, q.Contains)
}

// ParseAlternatives reads "cpus:0.01|mem:32".
func ParseAlternatives(text string) (Alternatives, error) {
	out := Alternatives{}
	if strings.TrimSpace(text) == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(text, "|") {
		q, err := ParseQuantities(part)
		if err != nil {
			return nil, fmt.Errorf("parse alternatives %q: %w", text, err)
		}
		out = append(out, q)
	}
	return out, nil
}

// Quantities sums the scalars of r by name. A shared resource counts once.
func (r Resources) Quantities() Quantities {
	var out Quantities
	for i := range r.items {
		item := &r.items[i]
		if item.kind != KindScalar {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Name == item.name {
			out[n-1].Amount = out[n-1].Amount.Add(item.scalar)
			continue
		}
		if out == nil {
			out = make(Quantities, 0, len(r.items))
		}
		out = append(out, Quantity{item.name, item.scalar})
	}
	return out
}

// Get is the amount of name; 0 if there is none.
func (q Quantities) Get(name string) Scalar {
	i, found := slices.BinarySearchFunc(q, name, func(a Quantity, name string) int { return cmp.Compare(a.Name, name) })
	if !found {
		return 0
	}
	return q[i].Amount
}

// Add is q and o together.
func (q Quantities) Add(o Quantities) Quantities { return q.merge(o, Scalar.Add) }

// Minus is q less o, and nothing of what o has more of.
func (q Quantities) Minus(o Quantities) Quantities {
	return q.merge(o, func(a, b Scalar) Scalar { return max(0, a-b) })
}

// Contains tells whether q has at least what o has.
func (q Quantities) Contains(o Quantities) bool {
	for _, want := range o {
		for len(q) > 0 && q[0].Name < want.Name {
			q = q[1:]
		}
		if len(q) == 0 || q[0].Name != want.Name || q[0].Amount < want.Amount {
			return false
		}
	}
	return true
}

// String prints "cpus:0.01;mem:32".
func (q Quantities) String() string {
	var b []byte
	for i, v := range q {
		if i > 0 {
			b = append(b, ';')
		}
		b = v.Amount.append(append(appendWord(b, v.Name), ':'))
	}
	return string(b)
}

// merge combines the amounts of each name in q or o and drops zeros.
func (q Quantities) merge(o Quantities, combine func(a, b Scalar) Scalar) Quantities {
	out := make(Quantities, 0, len(q)+len(o))
	for len(q) > 0 || len(o) > 0 {
		var v Quantity
		switch {
		case len(o) == 0 || len(q) > 0 && q[0].Name < o[0].Name:
			v, q = Quantity{q[0].Name, combine(q[0].Amount, 0)}, q[1:]
		case len(q) == 0 || o[0].Name < q[0].Name:
			v, o = Quantity{o[0].Name, combine(0, o[0].Amount)}, o[1:]
		default:
			v = Quantity{q[0].Name, combine(q[0].Amount, o[0].Amount)}
			q, o = q[1:], o[1:]
		}
		if v.Amount != 0 {
			out = append(out, v)
		}
	}
	return out
}

// Max is of each name the larger amount.
func (q Quantities) Max(o Quantities) Quantities {
	return q.merge(o, func(a, b Scalar) Scalar { return max(a, b) })
}

// Resources is q as unreserved resources.
func (q Quantities) Resources() Resources {
	out := make([]Resource, 0, len(q))
	for _, v := range q {
		out = append(out, Resource{name: v.Name, kind: KindScalar, scalar: v.Amount})
	}
	return collect(out)
}
