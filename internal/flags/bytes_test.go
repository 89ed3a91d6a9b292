package flags

import "testing"

func TestBytes(t *testing.T) {
	for text, want := range map[string]int64{"0B": 0, "1B": 1, "4096B": 4096, "3KB": 3 << 10, "512MB": 512 << 20, "2GB": 2 << 30, "1TB": 1 << 40} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "B", "1", "-1B", "1.5GB", "1PB", "1 GB", "9223372036854775807KB", "xMB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	for _, n := range []int64{0, 1, 1023, 1024, 5 << 30, 1<<40 + 1} {
		if got, err := ParseBytes(FormatBytes(n)); err != nil || got != n {
			t.Errorf("%d: %s, %d, %v", n, FormatBytes(n), got, err)
		}
	}
}
