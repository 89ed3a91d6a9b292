// Package usage is generated from mezzo.usage.v1: samples of what containers and
// nodes really use, as they travel from agent to master and to the readers of
// GET_USAGE.
package usage
