// Package slots numbers values with small integers that stay, and are given again
// once free.
package slots

// Slots is values by number. The zero value is empty.
type Slots[T comparable] struct {
	list []T
	free []int32
}

// Add gives v a number.
func (s *Slots[T]) Add(v T) int32 {
	if n := len(s.free) - 1; n >= 0 {
		i := s.free[n]
		s.free, s.list[i] = s.free[:n], v
		return i
	}
	s.list = append(s.list, v)
	return int32(len(s.list) - 1)
}

// Remove frees a number.
func (s *Slots[T]) Remove(i int32) {
	s.list[i] = *new(T)
	s.free = append(s.free, i)
}

// Set puts v in the place of what has the number.
func (s *Slots[T]) Set(i int32, v T) { s.list[i] = v }

// At is what has the number.
func (s *Slots[T]) At(i int32) T { return s.list[i] }

// All is all values by number, the zero value where one is free; not to be
// changed.
func (s *Slots[T]) All() []T { return s.list }
