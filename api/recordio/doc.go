// Package recordio frames messages on a byte stream, as the streaming calls of
// the v1 API do in both directions:
//
//	record = length LF payload
//	length = 1*20 ASCII decimal digits, the payload's size in bytes
//
// Nothing stands between two records. A zero length is a record with no
// payload. Reader holds at most one record, and no more of it than has really
// arrived; a length above the bound is refused before any of the payload is
// read. Neither type is safe for concurrent use.
//
// Mesos differs: its decoder takes whatever its number parser takes (a sign,
// blanks, hexadecimal) and any size.
package recordio
