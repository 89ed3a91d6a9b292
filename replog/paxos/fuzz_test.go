package paxos

import "testing"

// FuzzStep: goal, that no message, from whomever, crashes a replica or breaks what
// must hold; method, bytes as messages with fields of all sizes, to a member that
// follows, contends and leads in turn.
func FuzzStep(f *testing.F) {
	f.Add([]byte{7, 1, 1, 1, 1, 1, 0, 2, 1, 2, 9, 9, 9, 9, 9, 9})
	f.Add([]byte{5, 2, 1, 40, 0, 0, 0, 0, 0, 0, 6, 2, 1, 40, 1, 1, 1, 1, 1, 1})
	f.Add([]byte{11, 1, 200, 200, 200, 200, 200, 3, 2, 3, 3, 1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := Membership{}.with(ID{1}, "a").with(ID{2}, "b").with(ID{3}, "c")
		c, err := New(Config{ID: ID{1}, Addr: "a", Peers: []string{"a", "b", "c"}, WindowLength: 8, WindowBytes: 100},
			State{Ensemble: ID{9}, Begin: 1, Chosen: 1, Members: m}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Contend(true)
		next := func() uint64 {
			if len(b) == 0 {
				return 0
			}
			v := uint64(b[0])
			if b = b[1:]; v >= 200 {
				return 1 << (v - 192) // far away, up to the last bit
			}
			return v
		}
		for now := uint64(1); len(b) > 0; now++ {
			msg := Message{
				Type: Type(next() % 13), From: ID{byte(next() % 5)}, Addr: []string{"a", "b", "c", "d"}[next()%4], To: "a", Ensemble: ID{9},
				Ballot: Ballot(next()), Chosen: next(), Low: next(), High: next(), Begin: next(), Stamp: next(), Voters: int(next() % 5),
			}
			for n := next() % 4; n > 0; n-- {
				e := Entry{Position: msg.Low + uint64(len(msg.Entries)), Ballot: msg.Ballot, Kind: Kind(next() % 5), Data: []byte("12345678")}
				if next() == 7 {
					e.Position, e.Ballot = next(), Ballot(next())
				}
				if e.Kind == Members {
					e.Data = m.with(ID{4}, "d").Encode()
				}
				msg.Entries = append(msg.Entries, e)
			}
			switch next() % 8 {
			case 0:
				msg.Members = m.without(ID{2})
			case 1:
				msg.Ensemble = ID{}
			case 2:
				msg.Gap = true
			}
			before := c.State()
			c.Step(msg)
			c.Tick(now)
			if c.CanPropose() {
				c.Propose(Data, []byte("x"))
			}
			c.Check()
			for range 3 { // what it says to itself
				r := c.Ready()
				for _, own := range append(r.Send, r.After...) {
					if own.To == "a" {
						c.Step(own)
					}
				}
			}
			c.Check()
			if after := c.State(); after.Chosen < before.Chosen || after.Begin < before.Begin || after.Promised < before.Promised {
				t.Fatalf("%+v became %+v by %+v", before, after, msg)
			}
		}
	})
}
