package wal

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzScan: whatever a segment's file holds, reading it ends, in bounds and
// with records that were in it. Inputs are mended so that they get past the
// header's sum.
func FuzzScan(f *testing.F) {
	h := header{ensemble: ID{1}, member: ID{2}, sequence: 1, salt: 3, size: 2 * blockBytes, base: headerBytes}
	data := make([]byte, h.size)
	copy(data, h.encode())
	at := int64(headerBytes)
	for i, p := range [][]byte{[]byte("one"), nil, bytes.Repeat([]byte{7}, 500)} {
		r := head{kind: FirstKind, length: len(p), position: uint64(i), synced: at, sum: checksum(p)}
		copy(data[at:], r.encode(h.seed(), at))
		copy(data[at+recordBytes:], p)
		at += r.slot()
	}
	f.Add(data, uint16(0))
	f.Add(data[:blockBytes], uint16(200))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		data = slices.Clone(data)
		if n := min(int(cut), len(data)); n > headerBytes {
			clear(data[n:])
		}
		h, err := parseHeader(data, int64(len(data)))
		if err != nil {
			size := roundUp(max(int64(len(data)), blockBytes), blockBytes)
			data = append(data, make([]byte, size-int64(len(data)))...)
			h = header{sequence: 1, salt: 3, size: size, base: headerBytes, ensemble: ID{1}, member: ID{2}}
			copy(data, h.encode())
			if h, err = parseHeader(data, size); err != nil {
				t.Fatal(err)
			}
		}
		end := int64(headerBytes)
		s, err := scan(data, h, func(offset int64, r head, payload []byte) error {
			if offset != end || len(payload) != r.length || checksum(payload) != r.sum {
				t.Fatalf("record %+v at %d, want at %d", r, offset, end)
			}
			if !bytes.Equal(r.encode(h.seed(), offset), data[offset:offset+recordBytes]) {
				t.Fatalf("record %+v at %d encodes to other bytes", r, offset)
			}
			end = offset + r.slot()
			return nil
		})
		if err != nil || s.end != end || s.torn < s.end || s.torn > h.size || s.synced > s.end {
			t.Fatalf("got %+v, %v, want end %d", s, err, end)
		}
	})
}
