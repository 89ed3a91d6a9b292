// Package checkpoint is generated from mezzo.checkpoint.v1: what an agent keeps
// of its tasks, as it lies in its work_dir.
package checkpoint
