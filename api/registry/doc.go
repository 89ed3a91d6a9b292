// Package registry is generated from mezzo.registry.v1: what the master keeps of
// agents, frameworks and operators' wishes, as it lies in the replicated log.
package registry
