package paxos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Limits of a membership: of members, and of an address in bytes.
const (
	MaxMembers = 15
	MaxAddr    = 255
)

// Member is a replica that votes.
type Member struct {
	ID   ID
	Slot uint16 // in its ballots; given once in an ensemble's life
	Addr string // where it is reached
}

// Membership is who votes. It is itself an entry of the log, and holds for what
// comes behind it.
type Membership struct {
	Since   uint64   // position of that entry; 0: what the ensemble began with
	Slots   uint16   // given so far
	Members []Member // in the order of their slots
}

// Quorum is how many members decide.
func (m Membership) Quorum() int { return len(m.Members)/2 + 1 }

// Find is the member of an ID.
func (m Membership) Find(id ID) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(n Member) bool { return n.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

// At is the member at an address.
func (m Membership) At(addr string) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(n Member) bool { return n.Addr == addr })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

func (m Membership) with(id ID, addr string) Membership {
	m.Slots++
	m.Members = append(slices.Clone(m.Members), Member{id, m.Slots, addr})
	return m
}

func (m Membership) without(id ID) Membership {
	m.Members = slices.DeleteFunc(slices.Clone(m.Members), func(n Member) bool { return n.ID == id })
	return m
}

func (m Membership) moved(id ID, addr string) Membership {
	m.Members = slices.Clone(m.Members)
	for i := range m.Members {
		if m.Members[i].ID == id {
			m.Members[i].Addr = addr
		}
	}
	return m
}

// Encode is the membership as an entry or a state holds it.
func (m Membership) Encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, m.Since)
	b = binary.BigEndian.AppendUint16(b, m.Slots)
	for _, n := range m.Members {
		b = append(b, n.ID[:]...)
		b = binary.BigEndian.AppendUint16(b, n.Slot)
		b = append(b, byte(len(n.Addr)))
		b = append(b, n.Addr...)
	}
	return b
}

// ErrMalformed is in errors about bytes that are not what they should be.
var ErrMalformed = errors.New("malformed")

// ParseMembership is the inverse of Encode.
func ParseMembership(b []byte) (Membership, error) {
	const head, each = 10, 19
	if len(b) < head {
		return Membership{}, fmt.Errorf("membership of %d bytes is too short: %w", len(b), ErrMalformed)
	}
	m := Membership{Since: binary.BigEndian.Uint64(b), Slots: binary.BigEndian.Uint16(b[8:])}
	for b = b[head:]; len(b) > 0; {
		if len(b) < each || len(b) < each+int(b[each-1]) {
			return Membership{}, fmt.Errorf("membership ends within member %d: %w", len(m.Members), ErrMalformed)
		}
		end := each + int(b[each-1])
		m.Members = append(m.Members, Member{ID(b[:16]), binary.BigEndian.Uint16(b[16:]), string(b[each:end])})
		b = b[end:]
	}
	return m, m.check()
}

func (m Membership) check() error {
	if len(m.Members) > MaxMembers {
		return fmt.Errorf("membership of %d is larger than %d: %w", len(m.Members), MaxMembers, ErrMalformed)
	}
	for i, n := range m.Members {
		before := i == 0 || m.Members[i-1].Slot < n.Slot
		if n.ID == (ID{}) || n.Slot == 0 || n.Slot > m.Slots || !before || n.Addr == "" {
			return fmt.Errorf("member %d (%v in slot %d of %d at %q) is not possible: %w", i, n.ID, n.Slot, m.Slots, n.Addr, ErrMalformed)
		}
		if other, _ := m.Find(n.ID); other.Slot != n.Slot {
			return fmt.Errorf("member %v is twice in a membership: %w", n.ID, ErrMalformed)
		}
	}
	return nil
}
