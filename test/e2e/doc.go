// Package e2e tests the built binary from outside, in machines with real
// containerd and cgroups v2 (made by `make vm` or `vagrant up`): tasks are
// launched through offers, and what the kernel says of them is compared with
// what mezzo says.
package e2e
