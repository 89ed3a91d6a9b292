// Package containerizer holds one container's whole life: launch, wait, signal,
// usage, destroy, recover. containerd does the low-level work; limits are the
// isolators'.
package containerizer
