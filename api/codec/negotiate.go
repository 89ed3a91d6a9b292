package codec

import (
	"mime"
	"strconv"
	"strings"
)

// ForContentType returns the codec that a Content-Type header names.
func ForContentType(header string) (Codec, bool) {
	mediaType, _, _ := strings.Cut(header, ";")
	mediaType = strings.TrimSpace(mediaType)
	for _, c := range preference() {
		if strings.EqualFold(mediaType, c.ContentType()) {
			return c, true
		}
	}
	return nil, false
}

// Negotiate returns the codec that an Accept header likes best, JSON if it
// likes both as much or is empty; false if it accepts neither. Several Accept
// headers are joined with commas beforehand.
func Negotiate(accept string) (Codec, bool) {
	if strings.TrimSpace(accept) == "" {
		return JSON, true
	}
	ranges := parseAccept(accept)
	var best Codec
	bestQ := 0.0
	for _, c := range preference() {
		if q := quality(ranges, c.ContentType()); q > bestQ {
			best, bestQ = c, q
		}
	}
	return best, best != nil
}

func preference() [2]Codec { return [2]Codec{JSON, Protobuf} }

// mediaRange is one element of Accept.
type mediaRange struct {
	pattern string
	q       float64
}

// parseAccept returns the well-formed elements; the others ask for nothing.
func parseAccept(accept string) []mediaRange {
	var ranges []mediaRange
	for element := range strings.SplitSeq(accept, ",") {
		pattern, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		r := mediaRange{pattern, 1}
		if q, ok := params["q"]; ok {
			if r.q, err = strconv.ParseFloat(q, 64); err != nil || !(r.q >= 0 && r.q <= 1) {
				continue
			}
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// quality returns the q of the range that fits mediaType most exactly.
func quality(ranges []mediaRange, mediaType string) float64 {
	major, _, _ := strings.Cut(mediaType, "/")
	for _, pattern := range []string{mediaType, major + "/*", "*/*"} {
		for _, r := range ranges {
			if r.pattern == pattern {
				return r.q
			}
		}
	}
	return 0
}
