// Package containerizer holds one container's whole life: launch, wait, signal,
// usage, destroy, recover. containerd does the low-level work; limits are the
// isolators'; images come from package images.
//
//	Launch: image ─ pin, snapshot ─ user ─ OCI spec ─ Isolators.Prepare ─ create ─ start
//	           │ error: everything is removed again, errors joined
//	Wait:   exit ─ output drained ─ Explain ─ Usage
//	Destroy: kill all ─ exit ─ task, record, snapshot, pin ─ Isolators.Cleanup
//
// What a container sees: processes, mounts, host name, message queues and
// cgroups of its own; the host's network, resolv.conf and hosts; its sandbox.
// Without an image, the host's files at their own places, below a root that is
// read-only itself.
//
// Invariants:
//
//  1. What containerd says to Wait and Status is the truth, never its events. A
//     call that fails says nothing about the container.
//  2. Nothing of a container is kept in this process alone: a restart of the
//     agent, or of containerd, is no event. Its exit is there until Destroy, so
//     an agent writes the end down before it destroys.
//  3. An exit that was lost is reported as unknown, never as a number.
//  4. Calls that change one container take turns; a Destroy ends a Launch.
//  5. No mount of a container is ever seen on the host, but for the snapshot
//     that containerd mounts. In particular the host's root is bound nowhere.
//
// Shell: it has no goroutine of its own; each call does its work.
package containerizer
