package master

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/internal/errs"
)

// maxCallBytes bounds the body of one call. Mesos has no bound; the largest real
// calls, reconciliations of 100,000 tasks, have a tenth of it.
const maxCallBytes = 64 << 20

// refuse answers with a status and a sentence for people.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// statuses says how each class of error is answered.
var statuses = []struct {
	class  error
	status int
}{
	{errs.Invalid, http.StatusBadRequest},
	{errs.Conflict, http.StatusForbidden},
	{errs.NotFound, http.StatusNotFound},
	{errs.Unsupported, http.StatusNotImplemented},
	{errs.Exhausted, http.StatusServiceUnavailable},
	{errs.Unavailable, http.StatusServiceUnavailable},
}

// fail answers with what went wrong.
func fail(w http.ResponseWriter, err error) {
	for _, s := range statuses {
		if errors.Is(err, s.class) {
			refuse(w, s.status, "%s", errs.Text(err))
			return
		}
	}
	refuse(w, http.StatusInternalServerError, "%v", err)
}

// decode reads a call, checking in the order that Mesos does: method, presence
// of the content type, its kind, the body. What is wrong it answers itself.
func decode(w http.ResponseWriter, r *http.Request, call proto.Message) bool {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "expecting POST, not %s", r.Method)
		return false
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		refuse(w, http.StatusBadRequest, "expecting a Content-Type header")
		return false
	}
	in, ok := codec.ForContentType(header)
	if !ok {
		refuse(w, http.StatusUnsupportedMediaType, "expecting Content-Type %s or %s", codec.JSON.ContentType(), codec.Protobuf.ContentType())
		return false
	}
	body, ok := readBody(w, r)
	if !ok {
		return false
	}
	if err := in.Unmarshal(body, call); err != nil {
		fail(w, err)
		return false
	}
	return true
}

// readBody reads what a request carries. What is wrong it answers itself.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		refuse(w, http.StatusRequestEntityTooLarge, "call has more than %d bytes", tooLong.Limit)
		return nil, false
	case err != nil:
		refuse(w, http.StatusBadRequest, "read call: %v", err)
		return nil, false
	}
	return body, true
}

// negotiate chooses how to answer. What does not fit it answers itself.
func negotiate(w http.ResponseWriter, r *http.Request) (codec.Codec, bool) {
	out, ok := codec.Negotiate(strings.Join(r.Header.Values("Accept"), ","))
	if !ok {
		refuse(w, http.StatusNotAcceptable, "expecting Accept to allow %s or %s", codec.JSON.ContentType(), codec.Protobuf.ContentType())
	}
	return out, ok
}

// isGRPC tells whether r is for the agents' link.
func isGRPC(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.ProtoMajor == 2 && (kind == "application/grpc" || kind == "application/grpc+proto")
}
