package core

import (
	"iter"
	"slices"
)

// history remembers the last limit values by key; the oldest goes first.
type history[K comparable, V any] struct {
	limit  int
	values map[K]V
	order  []K // the keys of values, oldest first
}

func newHistory[K comparable, V any](limit int) history[K, V] {
	return history[K, V]{limit: limit, values: map[K]V{}}
}

// put remembers v as the newest, and tells whom it forgets for that.
func (h *history[K, V]) put(k K, v V) (oldest K, full bool) {
	h.remove(k)
	h.values[k], h.order = v, append(h.order, k)
	if len(h.order) <= h.limit {
		return oldest, false
	}
	oldest = h.order[0]
	delete(h.values, oldest)
	h.order = h.order[1:]
	return oldest, true
}

// olderThan lists the keys from the oldest on whose values are old.
func (h *history[K, V]) olderThan(old func(V) bool) []K {
	n := 0
	for n < len(h.order) && old(h.values[h.order[n]]) {
		n++
	}
	return slices.Clone(h.order[:n])
}

func (h *history[K, V]) get(k K) (V, bool) {
	v, ok := h.values[k]
	return v, ok
}

func (h *history[K, V]) remove(k K) {
	if _, ok := h.values[k]; ok {
		delete(h.values, k)
		h.order = slices.DeleteFunc(h.order, func(o K) bool { return o == k })
	}
}

// all iterates from the oldest to the newest.
func (h *history[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range h.order {
			if !yield(k, h.values[k]) {
				return
			}
		}
	}
}

// keep appends v to a list of at most limit, from whose head the oldest falls.
func keep[V any](list []V, v V, limit int) []V {
	list = append(list, v)
	return list[max(0, len(list)-limit):]
}
