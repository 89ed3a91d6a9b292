package allocator

import "mezzo/resources"

// caps is what a framework knows to handle: what may be in its offers.
type caps uint8

const (
	capRevocable caps = 1 << iota
	capShared
	capRefined
	capGPU
	capRegion
)

func (c *caps) set(bit caps, on bool) {
	if on {
		*c |= bit
	}
}

func (f *Framework) capabilities() caps {
	var c caps
	c.set(capRevocable, f.Revocable)
	c.set(capShared, f.Shared)
	c.set(capRefined, f.RefinedReserved)
	c.set(capGPU, f.GPU)
	c.set(capRegion, f.RegionAware)
	return c
}

// needs is what a framework must know of to be offered r.
func needs(r resources.Resource) caps {
	var c caps
	c.set(capRevocable, r.Revocable())
	c.set(capShared, r.Shared())
	c.set(capRefined, r.Depth() > 1)
	return c
}
