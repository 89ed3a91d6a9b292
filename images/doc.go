// Package images turns a reference into verified content and an unpacked chain
// of snapshots that a container's root file system is made from. containerd
// keeps the content; this package decides what is fetched, by whom it is held,
// and what is told to people when it cannot be had.
//
// References, as ParseRef reads them:
//
//	busybox                      docker.io/library/busybox:latest
//	registry:5000/a/b:1          as written
//	a/b@sha256:…                 by digest
//	file:///path/image.tar       an OCI or docker archive on the agent's disk
//	file:///path/image.tar#name  one of several images in it
//
// Invariants:
//
//  1. Every byte is checked against its digest before an image has a name.
//  2. One fetch per reference at a time: later callers wait for the first. A
//     fetch ends when nobody waits for it any more.
//  3. Each fetch has a lease of its own that is deleted with the fetch, also
//     when that was cancelled; each container has one that lives as long as it.
//  4. An archive never takes the name of an image of a registry.
//
// Shell: one goroutine per fetch, owned by Store.
package images
