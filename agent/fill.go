package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"mezzo/agent/fetch"
	"mezzo/agent/launch"
	"mezzo/api/ids"
	"mezzo/containerizer/logger"
)

// fill fetches what a container's command needs into its sandbox. What is done
// is told to the framework as it goes on, and written where the task's own words
// will be.
func (l *loop) fill(ctx context.Context, p launch.Plan, uid, gid uint32) error {
	user := p.Spec.User
	if user == "" {
		user = strconv.FormatUint(uint64(uid), 10)
	}
	note := func(text string) {
		l.progressed(ids.ContainerID(p.Spec.ID), text)
		l.note(p.Spec.Sandbox, text)
	}
	err := l.fetcher.Fetch(ctx, fetch.Job{
		Sandbox: p.Spec.Sandbox, UID: uid, GID: gid, User: user, URIs: p.URIs, Progress: note,
	})
	if err != nil {
		l.note(p.Spec.Sandbox, err.Error())
	}
	return err
}

// note writes a line into a sandbox's stderr. It is for people only: if it can't
// be written, so be it.
func (l *loop) note(sandbox, text string) {
	f, err := os.OpenFile(filepath.Join(sandbox, logger.Stderr), logger.OpenFlags, 0)
	if err != nil {
		l.log.Debug("write into a sandbox", "sandbox", sandbox, "err", err)
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s [mezzo] %s\n", time.Now().UTC().Format(time.RFC3339), text)
}
