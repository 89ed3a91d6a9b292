// Package minheap has a heap of values that are not boxed.
package minheap

// Heap yields its values least first. Make one with New.
type Heap[T any] struct {
	less func(a, b *T) bool
	list []T
}

// New makes an empty heap.
func New[T any](less func(a, b *T) bool) Heap[T] { return Heap[T]{less: less} }

// Len is the number of values.
func (h *Heap[T]) Len() int { return len(h.list) }

// Min is the least value, nil if there is none. It is the heap's until the
// next call.
func (h *Heap[T]) Min() *T {
	if len(h.list) == 0 {
		return nil
	}
	return &h.list[0]
}

// All is the values in no order, not to be changed.
func (h *Heap[T]) All() []T { return h.list }

// Push adds v.
func (h *Heap[T]) Push(v T) {
	h.list = append(h.list, v)
	i := len(h.list) - 1
	for i > 0 && h.less(&h.list[i], &h.list[(i-1)/2]) {
		h.list[i], h.list[(i-1)/2] = h.list[(i-1)/2], h.list[i]
		i = (i - 1) / 2
	}
}

// Pop takes the least value out; there is one.
func (h *Heap[T]) Pop() T {
	v, last := h.list[0], len(h.list)-1
	h.list[0] = h.list[last]
	h.list[last] = *new(T)
	h.list = h.list[:last]
	h.sink(0)
	return v
}

// Filter keeps what keep says yes to.
func (h *Heap[T]) Filter(keep func(*T) bool) {
	kept := h.list[:0]
	for i := range h.list {
		if keep(&h.list[i]) {
			kept = append(kept, h.list[i])
		}
	}
	clear(h.list[len(kept):])
	h.list = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

func (h *Heap[T]) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h.list); c++ {
			if h.less(&h.list[c], &h.list[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.list[i], h.list[least] = h.list[least], h.list[i]
		i = least
	}
}
