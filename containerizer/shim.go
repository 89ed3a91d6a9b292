package containerizer

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"mezzo/isolator"
)

// endShim kills the shim of a container of which containerd knows no task, if there is
// one: an agent that dies while containerd deletes a task takes the call with it, and
// containerd then forgets the task and leaves the shim.
func endShim(id isolator.ID, address string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !isShim(line, id, address) {
			continue // gone, or somebody else
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
}

// isShim knows a shim by its command line: whose it is, and of which containerd.
func isShim(line []byte, id isolator.ID, address string) bool {
	args := bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0})
	if !bytes.HasPrefix([]byte(filepath.Base(string(args[0]))), []byte("containerd-shim")) {
		return false
	}
	has := func(name, value string) bool {
		i := slices.IndexFunc(args, func(a []byte) bool { return string(a) == name })
		return i >= 0 && i+1 < len(args) && string(args[i+1]) == value
	}
	return has("-id", string(id)) && has("-address", address)
}
