// Package maintenance is generated from mesos.v1.maintenance: the schedule and
// the status of planned maintenance.
package maintenance
