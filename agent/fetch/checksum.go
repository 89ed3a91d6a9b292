package fetch

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"strings"

	"mezzo/internal/errs"
)

// checksum is what content has to hash to; the zero checksum takes any.
type checksum struct {
	name string
	hash func() hash.Hash
	want []byte
}

// checksumShape is what somebody who wants a checksum writes: it must not be
// taken for a fragment that means nothing.
var checksumShape = regexp.MustCompile(`^[A-Za-z0-9-]+:[0-9A-Fa-f]*$`)

// cutChecksum takes the checksum from the end of a URI.
func cutChecksum(s string) (string, checksum, error) {
	at := strings.LastIndexByte(s, '#')
	if at < 0 || !checksumShape.MatchString(s[at+1:]) {
		return s, checksum{}, nil
	}
	name, digits, _ := strings.Cut(s[at+1:], ":")
	sum := checksum{name: strings.ToLower(name)}
	switch sum.name {
	case "sha256":
		sum.hash = sha256.New
	case "sha512":
		sum.hash = sha512.New
	default:
		return "", checksum{}, unsupported("checksums of %q are not verified here, only sha256 and sha512", name)
	}
	var err error
	if sum.want, err = hex.DecodeString(digits); err != nil || len(sum.want) != sum.hash().Size() {
		return "", checksum{}, invalid("its %s has %d digits instead of %d", sum.name, len(digits), 2*sum.hash().Size())
	}
	return s[:at], sum, nil
}

// verify compares; h has seen all the content.
func (c checksum) verify(h hash.Hash) error {
	if got := h.Sum(nil); !bytes.Equal(got, c.want) {
		return fmt.Errorf("its %s is %x instead of %x: %w", c.name, got, c.want, errs.Corrupt)
	}
	return nil
}
