// Package meter turns samples of the kernel's counters into what is reported:
// to the master, with rates from two samples, and to readers of Mesos's
// statistics. It is pure.
package meter
