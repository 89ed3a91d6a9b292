package agent

import (
	"fmt"
	"syscall"

	"mezzo/resources"
)

// machine is how big a node is.
type machine struct {
	cpus                int
	memBytes, diskBytes uint64
}

// What the system keeps of memory and disk; of a machine with less than twice
// as much it keeps half (mesos docs/attributes-resources.md).
const (
	systemMemBytes  = 1 << 30
	systemDiskBytes = 5 << 30
	defaultPorts    = "ports:[31000-32000]"
)

// capacity is what an agent offers: what flag names, and for the rest of cpus,
// mem, disk and ports what the machine has.
//
// Errors: errs.Invalid if flag is not as resources.Parse takes it.
func capacity(flag string, m machine) (resources.Resources, error) {
	total, err := resources.Parse(flag, "*")
	if err != nil {
		return resources.Resources{}, fmt.Errorf("resources %q: %w", flag, err)
	}
	for name, text := range map[string]string{
		"cpus":  fmt.Sprintf("cpus:%d", m.cpus),
		"mem":   fmt.Sprintf("mem:%d", lessSystem(m.memBytes, systemMemBytes)>>20),
		"disk":  fmt.Sprintf("disk:%d", lessSystem(m.diskBytes, systemDiskBytes)>>20),
		"ports": defaultPorts,
	} {
		if !total.Named(name).IsEmpty() {
			continue
		}
		measured, err := resources.Parse(text, "*")
		if err != nil {
			return resources.Resources{}, fmt.Errorf("resources measured: %w", err)
		}
		total = total.Add(measured)
	}
	return total, nil
}

func lessSystem(total, system uint64) uint64 {
	if total < 2*system {
		return total / 2
	}
	return total - system
}

// diskBytes is the size of the file system that dir is on.
func diskBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("size of the disk of %q: %w", dir, err)
	}
	return st.Blocks * uint64(st.Bsize), nil
}
