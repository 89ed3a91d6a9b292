package resources

// Total is how much there is of the scalar name, all identities together.
func (r Resources) Total(name string) Scalar {
	var sum Scalar
	for i := range r.items {
		if r.items[i].name == name {
			sum = sum.Add(r.items[i].scalar)
		}
	}
	return sum
}

// CPUMilli is "cpus" in 1/1000 CPU.
func (r Resources) CPUMilli() int64 { return int64(r.Total("cpus")) }

// MemBytes is "mem", which counts MiB, in bytes.
func (r Resources) MemBytes() int64 { return r.Total("mem").mebibytes() }

// DiskBytes is "disk", which counts MiB, in bytes.
func (r Resources) DiskBytes() int64 { return r.Total("disk").mebibytes() }
