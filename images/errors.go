package images

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/auth"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"

	"mezzo/internal/errs"
)

// classify puts the class and a sentence for people around an error of
// containerd or of a registry. One that has a class already is left alone.
//
// The text is looked at in this one place, for causes that cross containerd's
// gRPC interface as words only: a full disk, a digest that does not match, a
// platform that an index lacks.
func classify(err error) error {
	if err == nil || hasClass(err) {
		return err
	}
	sentence, class := explain(err)
	if class == nil {
		return err
	}
	return fmt.Errorf("%s: %w: %w", sentence, err, class)
}

func explain(err error) (sentence string, class error) {
	var status remoteerrors.ErrUnexpectedStatus
	var netErr net.Error
	var urlErr *url.Error
	text := err.Error()
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", nil // the caller's own doing
	case strings.Contains(text, "no space left on device"), strings.Contains(text, "disk quota exceeded"),
		errdefs.IsResourceExhausted(err):
		return "the disk of images is full", errs.Exhausted
	case strings.Contains(text, "unexpected commit digest"), strings.Contains(text, "unexpected commit size"),
		strings.Contains(text, "wrong diff id"), errdefs.IsDataLoss(err):
		return "what was received does not match its digest", errs.Corrupt
	case errors.As(err, &status):
		return explainStatus(status.StatusCode)
	case errors.Is(err, docker.ErrInvalidAuthorization), errors.Is(err, auth.ErrNoToken):
		return deniedSentence, errs.Invalid
	case strings.Contains(text, "no match for platform"):
		return "it is not made for this kind of machine", errs.Invalid
	case errdefs.IsNotFound(err):
		return "there is no such image", errs.NotFound
	case errdefs.IsUnavailable(err):
		return "containerd cannot be reached", errs.Unavailable
	case errors.As(err, &netErr), errors.As(err, &urlErr):
		return "the registry cannot be reached", errs.Unavailable
	case errdefs.IsInvalidArgument(err), errdefs.IsNotImplemented(err):
		return "this image cannot be used", errs.Invalid
	}
	return "", nil
}

const deniedSentence = "the registry refuses these credentials, or the image does not exist"

func explainStatus(code int) (sentence string, class error) {
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return deniedSentence, errs.Invalid
	case code == http.StatusNotFound:
		return "there is no such image", errs.NotFound
	case code == http.StatusTooManyRequests, code >= 500:
		return "the registry cannot serve now", errs.Unavailable
	default:
		return "the registry refuses", errs.Invalid
	}
}

func hasClass(err error) bool {
	for _, class := range []error{
		errs.Invalid, errs.NotFound, errs.Exists, errs.Conflict,
		errs.Exhausted, errs.Unavailable, errs.Unsupported, errs.Corrupt,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
