package recordio_test

// Goal: whatever Writer frames, Reader returns; whatever else arrives gets the
// error of its class. Method: tables of raw streams, read whole and byte by
// byte; a fuzzer that compares with a decoder written the slow way.

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"mezzo/api/recordio"
	"mezzo/internal/errs"
)

func readAll(r io.Reader, maxBytes int) (recs []string, err error) {
	rd := recordio.NewReader(r, maxBytes)
	for {
		rec, err := rd.Next()
		if err != nil {
			if _, again := rd.Next(); !errors.Is(again, err) {
				return recs, errors.Join(errors.New("error is not final"), err, again)
			}
			return recs, err
		}
		recs = append(recs, string(rec))
	}
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, tc := range []struct {
		name, in string
		max      int
		want     []string
		err      error
	}{
		{"empty stream", "", 10, nil, io.EOF},
		{"two records", "5\nhello6\nworld!", 10, []string{"hello", "world!"}, io.EOF},
		{"empty record", "0\n0\n1\na", 10, []string{"", "", "a"}, io.EOF},
		{"line feed in the payload", "3\n1\n2", 10, []string{"1\n2"}, io.EOF},
		{"leading zeros", "0005\nhello", 10, []string{"hello"}, io.EOF},
		{"longer than one growth step", "200000\n" + long, 200_000, []string{long}, io.EOF},
		{"at the bound", "10\n0123456789", 10, []string{"0123456789"}, io.EOF},
		{"above the bound", "1\na11\n0123456789a", 10, []string{"a"}, errs.Exhausted},
		{"far above the bound", "18446744073709551615\n", 1 << 62, nil, errs.Exhausted},
		{"overlong length", strings.Repeat("0", 21) + "\n", 10, nil, errs.Invalid},
		{"no length", "\nhello", 10, nil, errs.Invalid},
		{"plus sign", "+5\nhello", 10, nil, errs.Invalid},
		{"minus sign", "-5\nhello", 10, nil, errs.Invalid},
		{"blank before", " 5\nhello", 10, nil, errs.Invalid},
		{"carriage return", "5\r\nhello", 10, nil, errs.Invalid},
		{"hexadecimal", "0x5\nhello", 10, nil, errs.Invalid},
		{"line feed after the record", "1\na\n1\nb", 10, []string{"a"}, errs.Invalid},
		{"not framed", `{"type":"SUBSCRIBE"}`, 10, nil, errs.Invalid},
		{"end in the length", "1\na5", 10, []string{"a"}, io.ErrUnexpectedEOF},
		{"end before the payload", "5\n", 10, nil, io.ErrUnexpectedEOF},
		{"end in the payload", "5\nhell", 10, nil, io.ErrUnexpectedEOF},
		{"nothing allowed but empty", "0\n1\na", 0, []string{""}, errs.Exhausted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"whole":        strings.NewReader(tc.in),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tc.in)),
			} {
				got, err := readAll(r, tc.max)
				if !errors.Is(err, tc.err) {
					t.Errorf("%s: error %v, want %v", name, err, tc.err)
				}
				if d := cmp.Diff(tc.want, got); d != "" {
					t.Errorf("%s: records (-want +got):\n%s", name, d)
				}
			}
		})
	}
}

func TestReaderPassesOnErrors(t *testing.T) {
	broken := errors.New("connection reset")
	for _, in := range []string{"", "1", "5\nhe"} {
		r := recordio.NewReader(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), 10)
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("after %q: error %v, want %v", in, err, broken)
		}
	}
}

// A length that promises much must not cost memory before the bytes arrive.
func TestReaderAllocatesWhatArrives(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readAll(strings.NewReader("1000000000\nabc"), 1<<30)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 1<<20 {
		t.Errorf("%d bytes allocated for a record of 3", allocated)
	}
}

type countingWriter struct {
	bytes.Buffer
	writes int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(p)
}

func TestWriter(t *testing.T) {
	var dst countingWriter
	w := recordio.NewWriter(&dst)
	want := []string{"hello", "", strings.Repeat("y", 3<<20), "6\nworld!"}
	for _, rec := range want {
		if err := w.Write([]byte(rec)); err != nil {
			t.Fatal(err)
		}
	}
	if dst.writes != len(want) {
		t.Errorf("%d writes for %d records", dst.writes, len(want))
	}
	got, err := readAll(&dst, 3<<20)
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
}

func TestWriterPassesOnErrors(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := recordio.NewWriter(w).Write([]byte("a")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want %v", err, io.ErrClosedPipe)
	}
}

// slowRead cuts a stream in the most obvious way; clean tells whether all of it
// was records.
func slowRead(in []byte, maxBytes int) (recs []string, clean bool) {
	for len(in) > 0 {
		head, rest, ok := bytes.Cut(in, []byte("\n"))
		n, err := strconv.ParseUint(string(head), 10, 64)
		if !ok || err != nil || len(head) > 20 || maxBytes < 0 || n > uint64(maxBytes) || n > uint64(len(rest)) {
			return recs, false
		}
		recs, in = append(recs, string(rest[:n])), rest[n:]
	}
	return recs, true
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("5\nhello6\nworld!"), 10)
	f.Add([]byte("0\n00\n11\n"), 10)
	f.Add([]byte("5\nhel"), 10)
	f.Add([]byte("99999999999999999999\n"), 1<<62)
	f.Fuzz(func(t *testing.T, in []byte, maxBytes int) {
		want, clean := slowRead(in, maxBytes)
		got, err := readAll(bytes.NewReader(in), maxBytes)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		switch {
		case errors.Is(err, io.EOF) != clean:
			t.Errorf("error %v, clean end: %v", err, clean)
		case clean, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errs.Invalid), errors.Is(err, errs.Exhausted):
		default:
			t.Errorf("error of no class: %v", err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	frame := []byte("1000\n" + strings.Repeat("x", 1000))
	stream := bytes.Repeat(frame, 1000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		rd := recordio.NewReader(bytes.NewReader(stream), 1<<20)
		for {
			if _, err := rd.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	rec := bytes.Repeat([]byte("x"), 1000)
	w := recordio.NewWriter(io.Discard)
	b.SetBytes(int64(len(rec)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(rec); err != nil {
			b.Fatal(err)
		}
	}
}
