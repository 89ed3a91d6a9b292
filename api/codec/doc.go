// Package codec chooses between the two encodings of the v1 API and applies
// them. A request names its own in Content-Type and that of the answer in
// Accept; a stream carries records (package recordio) of the latter.
//
// Content types are sent without parameters, because clients compare them
// whole; parameters that come in are ignored, save Accept's q.
package codec
