package master

import (
	"bufio"
	"io"
	"slices"
)

// pieces are a text in parts. Documents share what is remembered, so that a large one
// is never copied whole. Nobody changes them.
type pieces [][]byte

// writeBytes are written at once.
const writeBytes = 64 << 10

func (p pieces) size() (n int) {
	for _, piece := range p {
		n += len(piece)
	}
	return n
}

func (p pieces) join() []byte { return slices.Concat(p...) }

func (p pieces) writeTo(w io.Writer) error {
	if len(p) == 1 {
		_, err := w.Write(p[0])
		return err
	}
	b := bufio.NewWriterSize(w, writeBytes)
	for _, piece := range p {
		if _, err := b.Write(piece); err != nil {
			return err
		}
	}
	return b.Flush()
}

// appendList adds a list of JSON, each element of which begins with a comma.
func (p pieces) appendList(list [][]byte) pieces {
	p = append(p, []byte("["))
	if len(list) > 0 {
		p = append(p, list[0][len(","):])
		p = append(p, list[1:]...)
	}
	return append(p, []byte("]"))
}
