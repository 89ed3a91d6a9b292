package master

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// loadUnit is 1.0 in the load averages of sysinfo(2).
const loadUnit = 1 << 16

// systemReadings are the machine's own numbers.
func systemReadings(out map[string]float64) {
	out["system/cpus_total"] = float64(runtime.NumCPU())
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return
	}
	for i, name := range []string{"system/load_1min", "system/load_5min", "system/load_15min"} {
		out[name] = float64(info.Loads[i]) / loadUnit
	}
	out["system/mem_total_bytes"] = float64(info.Totalram) * float64(info.Unit)
	out["system/mem_free_bytes"] = float64(info.Freeram) * float64(info.Unit)
}
