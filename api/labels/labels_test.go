package labels_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"mezzo/api/labels"
	v1 "mezzo/api/mesos/v1"
)

func TestExitCode(t *testing.T) {
	for _, code := range []int{0, 3, 137, 255} {
		if got, ok := labels.ExitCodeOf(labels.WithExitCode(code)); got != code || !ok {
			t.Errorf("read back %d as %d, %t", code, got, ok)
		}
	}
	for _, value := range []string{"", "-1", "256", "x", "3.0"} {
		l := &v1.Labels{Labels: []*v1.Label{{Key: proto.String(labels.ExitCode), Value: &value}}}
		if got, ok := labels.ExitCodeOf(l); ok {
			t.Errorf("%q read as %d", value, got)
		}
	}
	if got, ok := labels.ExitCodeOf(nil); ok {
		t.Errorf("nothing read as %d", got)
	}
}

func TestDetached(t *testing.T) {
	if !labels.IsDetached(labels.WithDetached()) || labels.IsDetached(labels.WithExitCode(0)) || labels.IsDetached(nil) {
		t.Error("the label is not told from others")
	}
}
