package containerizer_test

import (
	"fmt"
	"os/exec"
	"testing"

	"mezzo/containerizer"
	"mezzo/images"
)

// BenchmarkLife is the life of a container, from launch to removal, beside the
// same image under `ctr run` in the same containerd.
func BenchmarkLife(b *testing.B) {
	w := newBench(b)
	if _, err := w.images.Ensure(b.Context(), w.archive, images.IfAbsent, nil); err != nil {
		b.Fatal(err)
	}
	b.Run("image", func(b *testing.B) {
		for b.Loop() {
			w.run(b, w.spec(b, "true"))
		}
	})
	b.Run("host", func(b *testing.B) {
		for b.Loop() {
			s := w.spec(b, "true")
			s.Image = ""
			w.run(b, s)
		}
	})
	b.Run("ctr", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			cmd := exec.Command("ctr", "-a", w.daemon.Address(), "-n", "mezzo", "run", "--rm", "--net-host",
				w.archive, fmt.Sprintf("ctr-%d", n), "/bin/sh", "-c", "true")
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	})
}

// BenchmarkLaunch is the time until a container's process runs.
func BenchmarkLaunch(b *testing.B) {
	w := newBench(b)
	var last containerizer.Spec
	for b.Loop() {
		b.StopTimer()
		if last.ID != "" {
			if err := w.Destroy(b.Context(), last.ID); err != nil {
				b.Fatal(err)
			}
		}
		last = w.spec(b, "sleep 1000")
		b.StartTimer()
		if _, err := w.Launch(b.Context(), last); err != nil {
			b.Fatal(err)
		}
	}
}
