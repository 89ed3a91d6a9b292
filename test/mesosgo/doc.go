// Package mesosgo checks mezzo's wire against one that nobody here wrote: the
// v1 types of the mesos-go library, from Debian's
// golang-github-mesos-mesos-go-dev. It has tests only.
//
// The library can't be had as a module, so a small program on it
// (testdata/codec) is built in GOPATH mode and talked to over its stdin and
// stdout. Without the package the tests skip and say so, or fail when
// MEZZO_TEST_REQUIRED is set.
package mesosgo
