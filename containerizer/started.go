package containerizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mezzo/isolator"
)

// A mark on disk says that a container's process may have begun to run. It is
// made just before, so that a launch which was cut short is known to have done
// nothing, and may be done anew, from one whose process was lost. It is not
// synced: what it tells of ends with the machine as well.

// surely is what is in the mark of a container whose start was seen to be done.
const surely = "surely"

func (c *Containerizer) startedMark(id isolator.ID) string {
	return filepath.Join(c.cfg.StateDir, "started", string(id))
}

func (c *Containerizer) markStarted(id isolator.ID) error {
	mark := c.startedMark(id)
	err := os.WriteFile(mark, nil, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(mark), 0o700); err == nil {
			err = os.WriteFile(mark, nil, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("mark container as started: %w", err)
	}
	return nil
}

// markSurelyStarted notes that the start was seen to be done. Without that, the
// runtime's own traces tell.
func (c *Containerizer) markSurelyStarted(id isolator.ID) {
	if err := os.WriteFile(c.startedMark(id), []byte(surely), 0o600); err != nil {
		c.log.Warn("mark container as surely started", "container_id", id, "err", err)
	}
}

func (c *Containerizer) surelyStarted(id isolator.ID) bool {
	b, err := os.ReadFile(c.startedMark(id))
	return err == nil && string(b) == surely
}

func (c *Containerizer) mayHaveRun(id isolator.ID) (bool, error) {
	_, err := os.Stat(c.startedMark(id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (c *Containerizer) unmarkStarted(id isolator.ID) error {
	if err := os.Remove(c.startedMark(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unmark container: %w", err)
	}
	return nil
}
