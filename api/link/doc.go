// Package link is generated from mezzo.link.v1: the gRPC stream between master and
// agent. It is internal to mezzo; master and agent are of the same release or of
// neighbouring ones, so fields are only ever added.
package link
