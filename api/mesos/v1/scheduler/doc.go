// Package scheduler is generated from mesos.v1.scheduler: the calls and events of
// the API that schedulers use, POST /api/v1/scheduler at the master.
package scheduler
