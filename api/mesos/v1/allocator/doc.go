// Package allocator is generated from mesos.v1.allocator: the answers of
// frameworks to inverse offers.
package allocator
