package images

import (
	"context"
	"slices"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ingests is a content store whose collector takes away what was listed.
type ingests struct {
	content.Store
	listed  []content.Status
	gone    string
	aborted []string
}

func (s *ingests) ListStatuses(context.Context, ...string) ([]content.Status, error) {
	return s.listed, nil
}

func (s *ingests) Abort(_ context.Context, ref string) error {
	if ref == s.gone {
		return errdefs.ErrNotFound
	}
	s.aborted = append(s.aborted, ref)
	return nil
}

// TestAbortPoisoned: what was received whole and wrong goes, and what somebody else
// removed meanwhile is no error.
func TestAbortPoisoned(t *testing.T) {
	s := &ingests{gone: "collected", listed: []content.Status{
		{Ref: "collected", Offset: 10}, {Ref: "whole", Offset: 10}, {Ref: "half", Offset: 5}, {Ref: "another pull's", Offset: 10},
	}}
	tr := &tracker{store: s, parts: map[string]*part{}}
	for _, ref := range []string{"collected", "whole", "half"} {
		tr.parts[ref] = &part{desc: ocispec.Descriptor{Size: 10}}
	}
	if err := tr.abortPoisoned(t.Context()); err != nil {
		t.Error(err)
	}
	if !slices.Equal(s.aborted, []string{"whole"}) {
		t.Errorf("%q were removed", s.aborted)
	}
}
