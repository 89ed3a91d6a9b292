//go:build !linux

package master

import "runtime"

// systemReadings are the machine's own numbers, as far as Go knows them.
func systemReadings(out map[string]float64) {
	out["system/cpus_total"] = float64(runtime.NumCPU())
}
