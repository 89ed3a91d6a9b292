package resources

import (
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// attributes is what a resource is besides its name, amount and allocation.
// One value is shared by all copies of a resource and never changed; nil is
// the plain resource: unreserved, not revocable, no disk.
type attributes struct {
	key          string // canonical text of the identity; never empty
	reservations []Reservation
	disk         *v1.Resource_DiskInfo
	provider     string
	revocable    bool
	shared       bool
	whole        bool // cannot be split or merged: a volume or a whole disk
}

// seal completes a and returns it, or nil if there is nothing in it.
func (a attributes) seal() *attributes {
	a.whole = isWhole(a.disk)
	var b []byte
	for _, r := range a.reservations {
		b = r.append(b)
	}
	if a.disk != nil {
		b = appendDisk(b, a.disk)
	}
	if a.provider != "" {
		b = append(appendWord(append(b, "<provider "...), a.provider), '>')
	}
	if a.revocable {
		b = append(b, "{REV}"...)
	}
	if a.shared {
		b = append(b, "<SHARED>"...)
	}
	if len(b) == 0 {
		return nil
	}
	a.key = string(b)
	return &a
}

// reserved returns a copy of a with another stack of reservations.
func (a *attributes) reserved(stack []Reservation) *attributes {
	var c attributes
	if a != nil {
		c = *a
	}
	c.reservations = stack
	return c.seal()
}

func (a *attributes) text() string {
	if a == nil {
		return ""
	}
	return a.key
}

// isWhole tells whether a disk is one thing. Persistent volumes, mounted and
// block disks always are; a raw disk is once it has an id.
func isWhole(d *v1.Resource_DiskInfo) bool {
	if d.GetPersistence() != nil {
		return true
	}
	if d.GetSource() == nil {
		return false
	}
	switch d.GetSource().GetType() {
	case v1.Resource_DiskInfo_Source_MOUNT, v1.Resource_DiskInfo_Source_BLOCK:
		return true
	case v1.Resource_DiskInfo_Source_RAW:
		return d.GetSource().Id != nil
	default:
		return false
	}
}

// appendDisk prints the identity of a disk: persistence id and source. The
// volume and the persistence's principal say how it is used, not what it is.
func appendDisk(b []byte, d *v1.Resource_DiskInfo) []byte {
	b = append(b, "[disk"...)
	word := func(name string, value *string) {
		if value != nil {
			b = append(append(append(b, ' '), name...), '=')
			b = appendWord(b, *value)
		}
	}
	if p := d.GetPersistence(); p != nil {
		word("id", proto.String(p.GetId()))
	}
	if s := d.GetSource(); s != nil {
		word("source", proto.String(s.GetType().String()))
		if s.Path != nil {
			word("path", proto.String(s.Path.GetRoot()))
		}
		if s.Mount != nil {
			word("mount", proto.String(s.Mount.GetRoot()))
		}
		word("source_id", s.Id)
		word("profile", s.Profile)
		word("vendor", s.Vendor)
		for _, l := range labelsOf(s.GetMetadata()) {
			word("label", proto.String(l.Key))
			word("is", proto.String(l.Value))
		}
	}
	return append(b, ']')
}
