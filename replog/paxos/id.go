package paxos

import "encoding/hex"

// ID names an ensemble, or the disk of a replica. A replica that lost its disk
// is another acceptor and has another ID. The zero ID is nobody's.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Ballot is a proposal number: a round, and in the low bits the slot of the
// proposer, so that two proposers never share one. The greater is the newer.
type Ballot uint64

const slotBits = 16

// MakeBallot is the ballot of a round and a slot.
func MakeBallot(round uint64, slot uint16) Ballot { return Ballot(round<<slotBits) | Ballot(slot) }

// after is the first ballot of a slot that is greater than b.
func (b Ballot) after(slot uint16) Ballot { return MakeBallot(uint64(b>>slotBits)+1, slot) }
