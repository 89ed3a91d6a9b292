// Package imagetest builds small images from a static busybox, writes them as
// archives and serves them from a registry that can be made to misbehave. It
// needs no network. For tests, demos and benchmarks.
//
// An image's bytes depend on its Options and on busybox alone: building it twice
// gives the same digest.
package imagetest
