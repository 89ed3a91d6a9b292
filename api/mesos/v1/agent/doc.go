// Package agent is generated from mesos.v1.agent: the calls and responses of the
// agent's operator API, POST /api/v1.
package agent
