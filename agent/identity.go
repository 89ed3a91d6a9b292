package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"mezzo/api/ids"
	"mezzo/internal/dirlock"
	"mezzo/internal/errs"
)

// identity is what must outlive the process, so that the next one on the same
// work_dir is the same agent.
//
// Layout: work_dir/meta/identity.json; version 1.
type identity struct {
	Version int         `json:"version"`
	AgentID ids.AgentID `json:"agent_id"`
	BootID  string      `json:"boot_id"` // of the kernel under which it was written
}

const identityVersion = 1

// home is a work_dir that this process alone uses.
type home struct {
	dir  string
	lock *os.File

	mu    sync.Mutex
	saved identity // as it is on disk
}

// openHome makes workDir and takes it.
//
// Errors: errs.Conflict if another process has it.
func openHome(workDir string) (*home, error) {
	if err := os.MkdirAll(workDir, 0o711); err != nil { // tasks of any user have sandboxes in it
		return nil, fmt.Errorf("open work_dir: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(workDir, "meta"), 0o700); err != nil {
		return nil, fmt.Errorf("open work_dir: %w", err)
	}
	lock, err := dirlock.Take(filepath.Join(workDir, "meta"))
	if errors.Is(err, errs.Conflict) {
		return nil, fmt.Errorf("work_dir %q is used by another agent, give each its own: %w", workDir, errs.Conflict)
	}
	if err != nil {
		return nil, fmt.Errorf("open work_dir: %w", err)
	}
	return &home{dir: workDir, lock: lock}, nil
}

func (h *home) close() error { return h.lock.Close() }

func (h *home) identityPath() string { return filepath.Join(h.dir, "meta", "identity.json") }

// load reads who this agent is; the zero identity if it never registered.
//
// Errors: errs.Corrupt, with the file to remove to start anew.
func (h *home) load() (identity, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	data, err := os.ReadFile(h.identityPath())
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, nil
	}
	if err != nil {
		return identity{}, fmt.Errorf("load identity: %w", err)
	}
	var i identity
	err = json.Unmarshal(data, &i)
	if err == nil && i.Version != identityVersion {
		err = fmt.Errorf("version %d, not %d", i.Version, identityVersion)
	}
	if err == nil {
		err = ids.Validate("agent", string(i.AgentID))
	}
	if err != nil {
		return identity{}, fmt.Errorf("load identity: %w: %w; remove %q to register as a new agent", err, errs.Corrupt, h.identityPath())
	}
	h.saved = i
	return i, nil
}

// save writes who this agent is, as a whole or not at all. What is there already
// is not written again: a disk that is full by now is no reason to end.
func (h *home) save(i identity) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	i.Version = identityVersion
	if i == h.saved {
		return nil
	}
	data, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	fresh := h.identityPath() + ".new"
	if err := writeSynced(fresh, append(data, '\n')); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	if err := os.Rename(fresh, h.identityPath()); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	if err := h.syncMeta(); err != nil {
		return err
	}
	h.saved = i
	return nil
}

// forget makes the next start register as a new agent.
func (h *home) forget() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saved = identity{}
	if err := os.Remove(h.identityPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget identity: %w", err)
	}
	return h.syncMeta()
}

func (h *home) syncMeta() error {
	d, err := os.Open(filepath.Dir(h.identityPath()))
	if err != nil {
		return fmt.Errorf("sync identity: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// bootID names the running kernel's life.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
