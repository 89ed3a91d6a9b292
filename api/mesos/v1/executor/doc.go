// Package executor is generated from mesos.v1.executor: the calls and events of
// the API that executors use, POST /api/v1/executor at the agent.
package executor
