// Package quota is generated from mesos.v1.quota: what roles are guaranteed and
// limited to.
package quota
