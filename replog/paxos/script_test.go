package paxos

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts: goal, that people can read what replicas do when messages, disks
// and replicas are lost, in the order that matters; method, testdata/*.txt: each
// command is something that happens, what follows from it is printed, nothing else
// happens. -rewrite makes them anew.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var s *script
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				n, _ := strconv.Atoi(d.CmdArgs[0].Key)
				s = &script{sim: newSim(t, 1, n)}
			}
			s.t, s.out = t, &strings.Builder{}
			s.run(d)
			if s.out.Len() == 0 {
				return "nothing\n"
			}
			return s.out.String()
		})
	})
}

// script drives a sim by hand.
type script struct {
	*sim
	out *strings.Builder
}

func (s *script) run(d *datadriven.TestData) {
	args := make([]string, len(d.CmdArgs))
	for i, a := range d.CmdArgs {
		args[i] = a.Key
	}
	var nodes []*node
	for _, a := range args {
		if n := s.at(a); n != nil {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		nodes = s.nodes
	}
	switch d.Cmd {
	case "new":
		for _, n := range s.nodes {
			n.core.Contend(n.addr == "a")
		}
	case "contend":
		for _, n := range nodes {
			n.core.Contend(true)
			s.did(n)
		}
	case "tick": // [replicas…] N
		for range must(strconv.Atoi(args[len(args)-1])) {
			for _, n := range nodes {
				if n.core != nil {
					n.core.Tick(n.core.now + 1)
					s.did(n)
				}
			}
		}
	case "deliver", "drop": // [a→b] [type]: what is in flight now
		s.deliverAll(d.Cmd == "drop", args)
	case "sync":
		for _, n := range nodes {
			s.syncAll(n)
		}
	case "calm": // all that follows happens, but time
		for n := 0; n < 100 && s.deliverAll(false, nil); n++ {
			for _, n := range s.nodes {
				s.syncAll(n)
			}
		}
	case "propose": // replica value
		n := nodes[0]
		p, ok := n.core.Propose(Data, []byte(args[1]))
		if !ok {
			fmt.Fprintf(s.out, "%s can't\n", n.addr)
			return
		}
		n.waiting = append(n.waiting, proposal{p, word(Entry{Kind: Data, Data: []byte(args[1])})})
		s.did(n)
	case "truncate": // replica position
		n := nodes[0]
		p, _ := n.core.Propose(Truncate, TruncateTo(uint64(must(strconv.Atoi(args[1])))))
		n.waiting = append(n.waiting, proposal{p, word(Entry{Kind: Truncate, Data: TruncateTo(uint64(must(strconv.Atoi(args[1]))))})})
		s.did(n)
	case "add", "remove":
		change := nodes[0].core.Add
		if d.Cmd == "remove" {
			change = nodes[0].core.Remove
		}
		if err := change(args[1]); err != nil {
			fmt.Fprintln(s.out, err)
		}
		s.did(nodes[0])
	case "resign":
		nodes[0].core.Resign()
		s.did(nodes[0])
	case "crash":
		for _, n := range nodes {
			n.disk.pending, n.core, n.waiting, n.term = nil, nil, nil, 0
		}
	case "wipe":
		s.wipe(nodes[0])
		nodes[0].core = nil
	case "start":
		s.start(nodes[0])
		nodes[0].core.Contend(slices.Contains(args, "contend"))
	case "state":
		for _, n := range nodes {
			s.show(n)
		}
	case "acked":
		for p := uint64(1); p < 100; p++ {
			if v, ok := s.acked[p]; ok {
				fmt.Fprintf(s.out, "%d %s\n", p, v[2:])
			}
		}
	default:
		s.t.Fatalf("unknown command %q", d.Cmd)
	}
}

// syncAll makes all durable that n wrote, and prints what it says then.
func (s *script) syncAll(n *node) {
	before := len(s.flights)
	for n.core != nil && len(n.disk.pending) > 0 {
		s.sync(n)
	}
	for _, f := range s.flights[before:] {
		s.tell(f.m)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// did prints what an event led to, and lets it happen but for what takes time.
func (s *script) did(n *node) {
	before, acked, term := len(s.flights), len(s.acked), n.term
	waiting := len(n.waiting)
	s.handle(n)
	if term != n.term && n.term != 0 {
		fmt.Fprintf(s.out, "%s leads from %d\n", n.addr, n.core.start)
	}
	if term != 0 && n.term == 0 {
		fmt.Fprintf(s.out, "%s leads no more, %d appends unknown\n", n.addr, waiting-(len(s.acked)-acked))
	}
	if len(s.acked) > acked {
		fmt.Fprintf(s.out, "%s: %d acknowledged\n", n.addr, len(s.acked)-acked)
	}
	for _, f := range s.flights[before:] {
		s.tell(f.m)
	}
}

var typeNames = []string{"", "Hello", "Welcome", "Probe", "Grant", "Prepare", "Promise", "Write", "Wrote", "Nack", "Fetch", "Chosen", "Resign"}

// tell prints a message; heartbeats and their answers are too many.
func (s *script) tell(m Message) {
	if m.Type == Write && len(m.Entries) == 0 || m.Type == Wrote && m.High == 0 || m.Type == Hello {
		return
	}
	fmt.Fprintf(s.out, "  %s→%s %s", m.Addr, m.To, typeNames[m.Type])
	if m.Ballot != 0 {
		fmt.Fprintf(s.out, " %s", ballot(m.Ballot))
	}
	if m.Type == Wrote {
		fmt.Fprintf(s.out, " [%d,%d)", m.Low, m.High)
	}
	if m.Gap {
		s.out.WriteString(" gap")
	}
	if m.Begin > 1 {
		fmt.Fprintf(s.out, " begin %d", m.Begin)
	}
	for _, e := range m.Entries {
		fmt.Fprintf(s.out, " %d:%s", e.Position, entryText(e))
	}
	s.out.WriteString("\n")
}

func ballot(b Ballot) string { return fmt.Sprintf("%d.%d", b>>slotBits, b&(1<<slotBits-1)) }

func entryText(e Entry) string {
	switch e.Kind {
	case Nop:
		return "nothing"
	case Members:
		return "members"
	case Truncate:
		to, _ := ParseTruncate(e.Data)
		return fmt.Sprint("truncate<", to)
	}
	return string(e.Data)
}

// deliverAll delivers or loses what is in flight and matches, in order, and tells
// whether there was anything.
func (s *script) deliverAll(lose bool, args []string) bool {
	var rest, now []flight
	for _, f := range s.flights {
		fits := true
		for _, a := range args {
			from, to, path := strings.Cut(a, "→")
			switch {
			case path && (from != f.m.Addr || to != f.m.To):
				fits = false
			case !path && a != typeNames[f.m.Type]:
				fits = false
			}
		}
		if fits {
			now = append(now, f)
		} else {
			rest = append(rest, f)
		}
	}
	s.flights = rest
	for _, f := range now {
		to := s.at(f.m.To)
		if lose || to == nil || to.core == nil {
			continue
		}
		to.core.Step(f.m)
		s.did(to)
	}
	return len(now) > 0
}

func (s *script) show(n *node) {
	if n.core == nil {
		fmt.Fprintf(s.out, "%s is down\n", n.addr)
		return
	}
	st := n.core.State()
	role := []string{"follows", "asks", "prepares", "leads"}[n.core.role]
	fmt.Fprintf(s.out, "%s %s, promised %s, log [%d,%d)", n.addr, role, ballot(st.Promised), st.Begin, st.Chosen)
	for p := st.Begin; p < st.Chosen; p++ {
		if e, ok := n.disk.entries[p]; ok {
			fmt.Fprintf(s.out, " %s", entryText(e))
		} else {
			s.out.WriteString(" ?")
		}
	}
	for _, e := range n.core.accepted() {
		fmt.Fprintf(s.out, " (%d:%s@%s)", e.Position, entryText(e), ballot(e.Ballot))
	}
	var members []string
	for _, m := range st.Members.Members {
		name := m.Addr
		if i := slices.IndexFunc(s.nodes, func(o *node) bool { return o.addr == m.Addr }); i >= 0 && s.nodes[i].disk.id != m.ID {
			name += "(gone)"
		}
		members = append(members, name)
	}
	fmt.Fprintf(s.out, " members %s\n", strings.Join(members, ","))
}
