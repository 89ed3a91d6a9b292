package master

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/api/mesosjson"
)

// gzipMinBytes is the least answer worth compressing.
// Source: libprocess, GZIP_MINIMUM_BODY_LENGTH.
const gzipMinBytes = 1024

// callback is what the jsonp parameter may be: the name of a function, and
// nothing that a browser would run by itself.
var callback = regexp.MustCompile(`^[A-Za-z_$][\w$.]*$`)

// respondJSON answers with v as JSON, or as a call of the function that the
// request's jsonp parameter names.
func respondJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		fail(w, err)
		return
	}
	respondJSONText(w, r, body)
}

// respondJSONText is respondJSON for what is JSON already.
func respondJSONText(w http.ResponseWriter, r *http.Request, body []byte) {
	kind := "application/json"
	if name := r.URL.Query().Get("jsonp"); name != "" {
		if !callback.MatchString(name) {
			refuse(w, http.StatusBadRequest, "jsonp %q is not the name of a function", name)
			return
		}
		kind = "text/javascript"
		body = append(append([]byte(name+"("), body...), ");"...)
	}
	respond(w, r, kind, body)
}

// respond answers with body, compressed if that is worth it and understood.
func respond(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	if len(body) < gzipMinBytes || !acceptsGzip(r) {
		_, _ = w.Write(body)
		return
	}
	announceGzip(w)
	_, _ = w.Write(compress(pieces{body}))
}

func announceGzip(w http.ResponseWriter) {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Vary", "Accept-Encoding")
}

func compress(body pieces) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_ = body.writeTo(z) // never fails: a buffer takes all
	_ = z.Close()
	return out.Bytes()
}

func acceptsGzip(r *http.Request) bool {
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(item, ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.Trim(q, " q=0.") != "" || !strings.Contains(q, "q=0")
		}
	}
	return false
}

// raw is a message as JSON within JSON; nil if there is none.
func raw(m proto.Message) json.RawMessage {
	if m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	text, err := mesosjson.Marshal(m)
	if err != nil {
		return nil // it was taken from the wire without a required field
	}
	return text
}
