package wal

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"mezzo/internal/errs"
)

// FuzzScan: whatever a segment's file holds, reading it ends, in bounds and
// with records that were in it. Inputs are mended so that they get past the
// header's sum.
func FuzzScan(f *testing.F) {
	h := header{Ensemble: ID{1}, Member: ID{2}, Sequence: 1, Salt: 3, Bytes: 2 * blockBytes, Base: headerBytes}
	data := make([]byte, h.Bytes)
	copy(data, h.encode())
	at := int64(headerBytes)
	for i, p := range [][]byte{[]byte("one"), nil, bytes.Repeat([]byte{7}, 500)} {
		r := record{Record{Kind: FirstKind, Position: uint64(i), Payload: p}, at, checksum(p)}
		at += int64(copy(data[at:], r.append(nil, h.seed(), at)))
	}
	f.Add(data, uint16(0))
	f.Add(data[:blockBytes], uint16(200))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		data = slices.Clone(data)
		if n := min(int(cut), len(data)); n > headerBytes {
			clear(data[n:])
		}
		h, err := parseHeader(data)
		if err != nil {
			size := roundUp(max(int64(len(data)), blockBytes), blockBytes)
			data = append(data, make([]byte, size-int64(len(data)))...)
			h = header{Sequence: 1, Salt: 3, Bytes: size, Base: headerBytes, Ensemble: ID{1}, Member: ID{2}}
			copy(data, h.encode())
			if h, err = parseHeader(data); err != nil {
				t.Fatal(err)
			}
		}
		end := int64(headerBytes)
		s := segment{header: h}
		err = s.scan(data, func(offset int64, r record) {
			if offset != end || checksum(r.Payload) != r.sum {
				t.Fatalf("record %+v at %d, want at %d", r, offset, end)
			}
			if !bytes.Equal(r.append(nil, h.seed(), offset)[:recordBytes], data[offset:offset+recordBytes]) {
				t.Fatalf("record %+v at %d encodes to other bytes", r, offset)
			}
			end = offset + slotBytes(len(r.Payload))
		})
		if err != nil && !errors.Is(err, errs.Corrupt) || s.End != end || s.Torn < 0 || s.End+s.Torn > h.Bytes || s.vouched > s.End {
			t.Fatalf("got %+v, %v, want end %d", s.SegmentReport, err, end)
		}
	})
}
