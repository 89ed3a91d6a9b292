// Package node samples what the whole machine uses, from /proc: it needs no
// cgroups, so it works on any Linux host, whatever isolates the containers.
package node
