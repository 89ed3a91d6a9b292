package agent

import (
	"time"

	"mezzo/agent/core"
	"mezzo/agent/launch"
	"mezzo/agent/sandbox"
	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
)

// volumes makes the directories of new volumes, and removes those of others: they
// are out of the way at once, and gone some time.
func (l *loop) volumes(e core.Volumes) {
	now := time.Now()
	for v := range e.Made.All() {
		if err := sandbox.MakeVolume(sandbox.VolumePath(l.cfg.WorkDir, v), wholeDisk(v), now); err != nil {
			l.log.Error("make a persistent volume", "volume", v.PersistenceID(), "role", v.ReservedTo(), "err", err)
		}
	}
	for v := range e.Gone.All() {
		rest, err := sandbox.RemoveVolume(sandbox.VolumePath(l.cfg.WorkDir, v), wholeDisk(v), now)
		if err != nil {
			l.log.Error("remove a persistent volume", "volume", v.PersistenceID(), "role", v.ReservedTo(), "err", err)
			continue
		}
		l.workers.Go(func() {
			if err := rest(); err != nil {
				l.log.Warn("part of a persistent volume is left", "err", err)
			}
		})
	}
}

// wholeDisk tells whether a volume is all of a disk, not a directory of one.
func wholeDisk(v resources.Resource) bool {
	return v.Disk().GetSource().GetType() == v1.Resource_DiskInfo_Source_MOUNT
}

// volumesOf are the persistent volumes in what a task or executor was given.
func (l *loop) volumesOf(list []*v1.Resource) (all []launch.Volume) {
	for v := range resourcesOf(list).Volumes().All() {
		use := v.Disk().GetVolume()
		all = append(all, launch.Volume{
			Host: sandbox.VolumePath(l.cfg.WorkDir, v), Container: use.GetContainerPath(),
			ReadOnly: use.GetMode() == v1.Volume_RO, Shared: v.Shared(),
		})
	}
	return all
}
