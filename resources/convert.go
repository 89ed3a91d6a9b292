package resources

import (
	"fmt"
	"path"
	"strings"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// Conversion is what an operation does: From is no more, To is there. Both are
// allocated as what the operation named was.
type Conversion struct{ From, To Resources }

// Apply is r after the conversion.
//
// Errors: errs.Conflict if r does not have what is to be converted.
func (c Conversion) Apply(r Resources) (Resources, error) {
	left, ok := r.Sub(c.From)
	if !ok {
		return r, fmt.Errorf("%v is not in %v: %w", c.From, r, errs.Conflict)
	}
	return left.Add(c.To), nil
}

// Reserve makes what is told, whose innermost reservation is dynamic, out of what
// lacks that one, or of source.
//
// Errors: errs.Invalid, as of all conversions.
func Reserve(to, source Resources) (Conversion, error) {
	c := Conversion{From: to.PopReservation(), To: to}
	if err := checkDynamic(to); err != nil {
		return c, err
	}
	if !source.IsEmpty() {
		if !source.WithoutReservations().Equal(to.WithoutReservations()) {
			return c, fmt.Errorf("source %v is not what is to be reserved, %v: %w", source, to, errs.Invalid)
		}
		for r := range source.All() {
			if r.ReservedTo() != "" && !r.Dynamic() {
				return c, fmt.Errorf("%v is reserved by the agent's flags: %w", r, errs.Invalid)
			}
		}
		c.From = source
	}
	return c, nil
}

// Unreserve takes the innermost reservation, a dynamic one, off.
func Unreserve(r Resources) (Conversion, error) {
	return Conversion{From: r, To: r.PopReservation()}, checkDynamic(r)
}

func checkDynamic(r Resources) error {
	if r.IsEmpty() {
		return fmt.Errorf("no resources are named: %w", errs.Invalid)
	}
	for i := range r.All() {
		switch {
		case !i.Dynamic():
			return fmt.Errorf("%v is not dynamically reserved: %w", i, errs.Invalid)
		case i.Revocable():
			return fmt.Errorf("%v is revocable and cannot be reserved: %w", i, errs.Invalid)
		case i.PersistenceID() != "":
			return fmt.Errorf("%v is a persistent volume; its reservation stays until it is destroyed: %w", i, errs.Invalid)
		}
	}
	return nil
}

// Create makes persistent volumes out of reserved disk.
func Create(volumes Resources) (Conversion, error) {
	return Conversion{From: volumes.withoutVolumes(), To: volumes}, checkVolumes(volumes, true)
}

// Destroy makes reserved disk of persistent volumes.
func Destroy(volumes Resources) (Conversion, error) {
	return Conversion{From: volumes, To: volumes.withoutVolumes()}, checkVolumes(volumes, false)
}

// checkVolumes checks volumes; what is said of their use matters for new ones.
func checkVolumes(r Resources, fresh bool) error {
	if r.IsEmpty() {
		return fmt.Errorf("no volumes are named: %w", errs.Invalid)
	}
	seen := make(map[[2]string]bool)
	for i := range r.All() {
		id := i.PersistenceID()
		key := [2]string{i.ReservedTo(), id}
		switch {
		case id == "":
			return fmt.Errorf("%v is no persistent volume: %w", i, errs.Invalid)
		case i.ReservedTo() == "":
			return fmt.Errorf("volume %q is not of reserved disk: %w", id, errs.Invalid)
		case i.Revocable():
			return fmt.Errorf("volume %q is of revocable disk: %w", id, errs.Invalid)
		case seen[key] || i.copies > 1:
			return fmt.Errorf("volume %q is named twice: %w", id, errs.Invalid)
		case !validVolumeID(id):
			return fmt.Errorf("volume %q: its id cannot be the name of a directory: %w", id, errs.Invalid)
		}
		seen[key] = true
		v := i.diskInfo().GetVolume()
		switch p := v.GetContainerPath(); {
		case !fresh:
		case v == nil:
			return fmt.Errorf("volume %q does not say where a container finds it: %w", id, errs.Invalid)
		case v.HostPath != nil || v.Image != nil || v.Source != nil:
			return fmt.Errorf("volume %q names a place of its own: %w", id, errs.Invalid)
		case p == "" || path.IsAbs(p) || strings.ContainsRune(p, 0) || p == ".." || strings.HasPrefix(path.Clean(p)+"/", "../"):
			return fmt.Errorf("volume %q: container_path %q is not below the sandbox: %w", id, p, errs.Invalid)
		}
	}
	return nil
}

func validVolumeID(id string) bool {
	return len(id) <= 255 && id != "." && id != ".." && !strings.ContainsFunc(id, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f })
}

// Grow makes a volume larger by disk of the same kind.
func Grow(volume, addition Resources) (Conversion, error) {
	c := Conversion{From: volume.Add(addition)}
	one, err := resizable(volume)
	if err != nil {
		return c, err
	}
	if addition.Len() != 1 || compare(&volume.withoutVolumes().items[0], &addition.items[0]) != 0 {
		return c, fmt.Errorf("%v cannot be added to %v: %w", addition, volume, errs.Invalid)
	}
	one.scalar = one.scalar.Add(addition.items[0].scalar)
	c.To = collect([]Resource{one})
	_, err = checkSums(c.To)
	return c, err
}

// Shrink makes a volume smaller and gives back the rest as disk.
func Shrink(volume Resources, by Scalar) (Conversion, error) {
	c := Conversion{From: volume}
	one, err := resizable(volume)
	if err != nil {
		return c, err
	}
	if by <= 0 || by >= one.scalar {
		return c, fmt.Errorf("%v cannot be taken from %v: %w", by, volume, errs.Invalid)
	}
	rest := volume.withoutVolumes().items[0]
	rest.scalar, one.scalar = by, one.scalar-by
	c.To = collect([]Resource{one, rest})
	return c, nil
}

// resizable is a volume whose size can change.
func resizable(volume Resources) (Resource, error) {
	if err := checkVolumes(volume, false); err != nil {
		return Resource{}, err
	}
	one := volume.items[0]
	switch source := one.diskInfo().GetSource(); {
	case volume.Len() != 1:
		return one, fmt.Errorf("%v are several volumes: %w", volume, errs.Invalid)
	case one.Shared():
		return one, fmt.Errorf("%v is shared and keeps its size: %w", one, errs.Invalid)
	case source != nil && source.GetType() != v1.Resource_DiskInfo_Source_PATH:
		return one, fmt.Errorf("%v is a whole disk and keeps its size: %w", one, errs.Invalid)
	}
	return one, nil
}

// withoutVolumes is the disk that volumes are of.
func (r Resources) withoutVolumes() Resources {
	return r.with(func(i *Resource) {
		if i.PersistenceID() == "" {
			return
		}
		a := *i.attr
		a.shared, i.copies = false, 0
		if a.disk = nil; i.attr.disk.GetSource() != nil {
			a.disk = &v1.Resource_DiskInfo{Source: proto.CloneOf(i.attr.disk.GetSource())}
		}
		i.attr = a.seal()
	})
}

// Volumes are the persistent volumes in r.
func (r Resources) Volumes() Resources {
	return r.Filter(func(i Resource) bool { return i.PersistenceID() != "" })
}

// Converted is what operations made: what is dynamically reserved, and persistent
// volumes.
func (r Resources) Converted() Resources {
	return r.Filter(func(i Resource) bool { return i.Dynamic() || i.PersistenceID() != "" })
}

// Base is what r was before any operation: without volumes and without dynamic
// reservations.
func (r Resources) Base() Resources {
	return r.withoutVolumes().with(func(i *Resource) {
		stack := i.Reservations()
		for len(stack) > 0 && stack[len(stack)-1].Dynamic {
			stack = stack[:len(stack)-1]
		}
		i.attr = i.attr.reserved(stack)
	})
}

// HasVolume tells whether the persistent volume v, of whatever size, is in r.
func (r Resources) HasVolume(v Resource) bool {
	for i := range r.items {
		if id := r.items[i].PersistenceID(); id != "" && id == v.PersistenceID() && r.items[i].ReservedTo() == v.ReservedTo() {
			return true
		}
	}
	return false
}
