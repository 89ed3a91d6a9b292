package resources

// String prints r in the canonical text form, items joined by ";". Equal
// values print equally, different ones differently.
func (r Resources) String() string {
	var b []byte
	for i := range r.items {
		if i > 0 {
			b = append(b, ';')
		}
		b = r.items[i].append(b)
	}
	return string(b)
}

// String prints one item as Resources.String does.
func (r Resource) String() string { return string(r.append(nil)) }

func (r *Resource) append(b []byte) []byte {
	b = append(appendWord(b, r.name), r.attr.text()...)
	if r.alloc != "" {
		b = appendWord(append(b, '@'), r.alloc)
	}
	b = append(b, ':')
	switch r.kind {
	case KindScalar:
		b = r.scalar.append(b)
	case KindRanges:
		b = r.ranges().append(b)
	default:
		b = r.set().append(b)
	}
	for range r.copies - 1 {
		b = append(b, '+')
	}
	return b
}
