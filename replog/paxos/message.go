package paxos

// Kind says what an entry is.
type Kind uint8

// Kinds of entries.
const (
	Nop      Kind = iota + 1 // fills a position that nobody is known to have used
	Data                     // an append
	Truncate                 // gives up all positions below the one in it
	Members                  // changes who votes
)

// Entry is what a replica accepted at a position.
type Entry struct {
	Position uint64
	Ballot   Ballot
	Kind     Kind
	Data     []byte // never modified
}

// Type says what a message is.
type Type uint8

// Types of messages, with the fields they use beside From, Addr, To, Ensemble
// and Chosen, which all have.
const (
	Hello   Type = iota + 1 // who has no vote yet asks to be taken in: Voters
	Welcome                 // answers it: Members
	Probe                   // would you promise?
	Grant                   // yes
	Prepare                 // promise me Ballot
	Promise                 // Ballot promised; Entries accepted before, from Chosen on
	Write                   // accept Entries at Ballot, consecutive from Low on; none: a heartbeat. Stamp
	Wrote                   // [Low, High) of Ballot is durable; Gap: High comes next. Stamp of the Write
	Nack                    // Ballot is promised, to somebody newer
	Fetch                   // send what is chosen from Low on
	Chosen                  // Entries from Low on are chosen; below Begin all is truncated. Members
	Resign                  // who led at Ballot does no more
)

// Message is what replicas tell each other. It may be lost, doubled, late.
type Message struct {
	Type     Type
	From     ID
	Addr, To string // of sender and receiver
	Ensemble ID     // zero: the sender belongs to none yet
	Chosen   uint64 // below it the sender knows all positions chosen

	Ballot    Ballot
	Low, High uint64
	Begin     uint64
	Stamp     uint64 // the sender's tick
	Voters    int    // how many the sender was told there are
	Gap       bool
	Entries   []Entry
	Members   Membership
}

// State is what a replica keeps beside its entries.
type State struct {
	Ensemble ID         // zero: the replica is empty
	Promised Ballot     // at least this; accepted entries raise it too
	Begin    uint64     // positions below are truncated
	Chosen   uint64     // positions below are chosen; may lag
	Members  Membership // as of Chosen
}

// Ready is what is to be done. Several may be under way; what each wants kept is
// kept in the order in which they were taken.
type Ready struct {
	State   *State    // to keep, if not nil
	Entries []Entry   // to keep; a later one of a position wins
	Send    []Message // at once
	After   []Message // once all up to this Ready is durable
	Serve   []Message // Fetches to answer with Chosen, from disk
	Chosen  uint64    // below it positions may be read, once all up to this Ready is durable
	Begin   uint64    // below it positions may be forgotten, once State is durable
	Refused []Message // from replicas of other ensembles, or with other Voters
}

// Empty says that there is nothing to do but perhaps to look at Chosen.
func (r *Ready) Empty() bool {
	return r.State == nil && len(r.Entries)+len(r.Send)+len(r.After)+len(r.Serve)+len(r.Refused) == 0
}
