package images

import (
	"encoding/json"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"mezzo/internal/errs"
)

// maxManifests bounds what an archive's index may list.
const maxManifests = 1024

// parseIndex reads the index of an archive.
func parseIndex(blob []byte) (ocispec.Index, error) {
	var list ocispec.Index
	if err := json.Unmarshal(blob, &list); err != nil {
		return list, fmt.Errorf("the archive's index: %w: %w", err, errs.Corrupt)
	}
	if n := len(list.Manifests); n == 0 || n > maxManifests {
		return list, fmt.Errorf("the archive's index lists %d images: %w", n, errs.Invalid)
	}
	for _, m := range list.Manifests {
		if err := m.Digest.Validate(); err != nil {
			return list, fmt.Errorf("the archive's index: digest %q: %w: %w", m.Digest, err, errs.Corrupt)
		}
	}
	return list, nil
}
