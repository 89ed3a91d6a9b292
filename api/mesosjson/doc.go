// Package mesosjson is the JSON of the v1 API: protobuf messages as Mesos
// writes and reads them, which is not the canonical JSON mapping of protobuf.
//
//	field names    as in the .proto file (snake_case), in its order
//	enums          the value's name; a number is accepted, and written for a
//	               value without name
//	64-bit ints    numbers; a decimal string is accepted
//	float, double  numbers, whole ones with ".0"; "Infinity", "-Infinity" and
//	               "NaN" as strings; a decimal string is accepted
//	bytes          base64, standard alphabet, padded; the URL alphabet, missing
//	               padding and white space are accepted
//	maps           objects, written in the order of their keys
//	messages       objects, google.protobuf.Duration too: {seconds, nanos}
//	defaults       an unset field with a default of its own in the .proto file is
//	               written with it, unless it is deprecated
//
// Reading is tolerant where Mesos is, because clients rely on it: unknown
// fields are skipped, null is an absent field (or no element), one value stands
// for a list of one, the last of several equal keys counts. An enum name that
// this version does not know becomes the enum's value UNKNOWN where it has one;
// otherwise an optional field stays unset and a list lacks the element, as with
// any proto2 reader, and a required field is an error.
//
// Everything else is an error that wraps errs.Invalid and names the field by
// its path ("accept.offer_ids[2].value") or, where the text is not JSON, the
// byte: wrong types, numbers out of range or with a fraction for an integer,
// bytes that are not UTF-8, missing required fields, text after the value,
// nesting deeper than 200. Its length is bounded, whatever the input's.
//
// Mesos differs: it sets no UNKNOWN for an unknown enum name but leaves the
// field unset, refuses enum numbers, and cuts fractions off.
//
// The package is pure; its functions are safe for concurrent use on different
// messages.
package mesosjson
