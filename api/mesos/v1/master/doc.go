// Package master is generated from mesos.v1.master: the calls, responses and
// events of the master's operator API, POST /api/v1. Enum values and fields from
// 1001 on are mezzo's own.
package master
