package kfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mezzo/internal/errs"
	"mezzo/isolator"
	"mezzo/isolator/internal/kfile"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFlat(t *testing.T) {
	got := make(map[string]uint64)
	f := kfile.NewFlat(read(t, "cpu.stat"))
	for f.Next() {
		got[string(f.Key)] = f.Value
	}
	if f.Err() != nil {
		t.Fatal(f.Err())
	}
	want := map[string]uint64{
		"usage_usec": 2593308, "user_usec": 1772641, "system_usec": 820667,
		"nr_periods": 56, "nr_throttled": 51, "throttled_usec": 2601409, "nr_bursts": 0, "burst_usec": 0,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("cpu.stat (-want +got):\n%s", d)
	}
}

func TestFlatRefuses(t *testing.T) {
	for _, in := range []string{"\n", "key\n", "key \n", " 1\n", "key -1\n", "key 1 2\n", "key 1.5\n", "key 18446744073709551616\n", "a 1\n\nb 2\n"} {
		f := kfile.NewFlat([]byte(in))
		for f.Next() {
		}
		if !errors.Is(f.Err(), errs.Corrupt) {
			t.Errorf("%q: got %v, want %v", in, f.Err(), errs.Corrupt)
		}
	}
}

func TestLimit(t *testing.T) {
	tests := []struct {
		in      string
		want    uint64
		limited bool
		err     error
	}{
		{"max\n", 0, false, nil},
		{"0\n", 0, true, nil},
		{"67108864\n", 67108864, true, nil},
		{"18446744073709551615", 18446744073709551615, true, nil},
		{"", 0, false, errs.Corrupt},
		{"maximum\n", 0, false, errs.Corrupt},
		{"18446744073709551616", 0, false, errs.Corrupt},
	}
	for _, tt := range tests {
		got, limited, err := kfile.Limit([]byte(tt.in))
		if got != tt.want || limited != tt.limited || !errors.Is(err, tt.err) {
			t.Errorf("Limit(%q): got %d, %v, %v, want %d, %v, %v", tt.in, got, limited, err, tt.want, tt.limited, tt.err)
		}
	}
}

func TestPressure(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want isolator.Pressure
	}{
		{"both lines", read(t, "cpu.pressure"), isolator.Pressure{
			SomeAvg10: 11.21, SomeAvg60: 2.83, SomeTotal: 1928663 * time.Microsecond,
			FullAvg10: 11.21, FullAvg60: 2.83, FullTotal: 1927967 * time.Microsecond,
		}},
		{"cpu before 5.13", []byte("some avg10=1.00 avg60=0.10 avg300=0.00 total=7\n"), isolator.Pressure{
			SomeAvg10: 1, SomeAvg60: 0.1, SomeTotal: 7 * time.Microsecond,
		}},
		{"empty", nil, isolator.Pressure{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := isolator.Pressure{FullAvg10: 99}
			if err := kfile.Pressure(tt.in, &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestPressureRefuses(t *testing.T) {
	for _, in := range []string{
		"\n", "many avg10=1.00\n", "some avg10\n", "some avg10=1\n", "some avg10=1.5\n", "some avg10=x.00\n",
		"some avg10=99999999999.00\n", "some total=-1\n", "some total=18446744073709551615\n",
	} {
		if err := kfile.Pressure([]byte(in), new(isolator.Pressure)); !errors.Is(err, errs.Corrupt) {
			t.Errorf("%q: got %v, want %v", in, err, errs.Corrupt)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	stat, psi := read(t, "cpu.stat"), read(t, "cpu.pressure")
	var p isolator.Pressure
	n := testing.AllocsPerRun(100, func() {
		for f := kfile.NewFlat(stat); f.Next(); {
		}
		if err := kfile.Pressure(psi, &p); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func FuzzFlat(f *testing.F) {
	f.Add(read(f, "cpu.stat"))
	f.Add([]byte("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		s := kfile.NewFlat(data)
		for s.Next() {
			n += len(s.Key) + 2
		}
		if n > len(data)+1 {
			t.Errorf("%d bytes gave %d bytes of keys and values", len(data), n)
		}
		if s.Err() != nil && !errors.Is(s.Err(), errs.Corrupt) {
			t.Errorf("error without a class: %v", s.Err())
		}
	})
}

func FuzzPressure(f *testing.F) {
	f.Add(read(f, "cpu.pressure"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p isolator.Pressure
		if err := kfile.Pressure(data, &p); err != nil {
			if !errors.Is(err, errs.Corrupt) {
				t.Errorf("error without a class: %v", err)
			}
			return
		}
		if p.SomeTotal < 0 || p.FullTotal < 0 || p.SomeAvg10 < 0 || p.FullAvg60 < 0 {
			t.Errorf("negative pressure: %+v", p)
		}
	})
}
