// Command vm makes the machines that the end-to-end tests run on: QEMU virtual
// machines, with KVM where it works and in plain emulation otherwise.
//
//	go run ./test/e2e/vm up        one node; writes .e2e/cluster.json
//	go run ./test/e2e/vm run n1    a shell on it
//	go run ./test/e2e/vm down
//
// Three things are made, each from the one before:
//
//	image     kernel and disk           build-image.sh    cached by the scripts' hash
//	template  a node, booted and saved  boot once         cached by the QEMU command line
//	nodes     restored from it          every `up`        2 to 5 seconds
//
// A template is RAM in a file, device state and a disk overlay. Nodes map its
// RAM copy-on-write, so many cost little. Each gets its own name, address,
// clock and randomness through an agent on its second serial port, and sits
// on a bridge in a network namespace that belongs to the checkout: two
// checkouts never meet. Nothing is written into the tree but the cluster file.
package main
