package commands

// Goal: what operators change shows in the next offers, and who gets nothing is
// told why. Method: the built binary against `mezzo local` with four agents of
// 4 CPUs, and frameworks that keep whatever they are offered; one story, each
// step waited for by what can be seen of it.

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
	"mezzo/election"
	"mezzo/scheduler"
	"mezzo/test/native"
)

// hoarder is a framework that keeps all offers.
type hoarder struct {
	mu   sync.Mutex
	held map[string]*v1.Offer // by id
}

// hoard subscribes a hoarder in the role of its name; it leaves with the test.
func hoard(t *testing.T, c *native.Cluster, name string) *hoarder {
	t.Helper()
	masters, err := election.Parse(c.Master)
	if err != nil {
		t.Fatal(err)
	}
	client, err := scheduler.New(scheduler.Config{Master: masters, Framework: &v1.FrameworkInfo{
		User: proto.String(""), Name: &name, Roles: []string{name},
		Capabilities: []*v1.FrameworkInfo_Capability{{Type: v1.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := &hoarder{held: map[string]*v1.Offer{}}
	ctx, leave := context.WithCancel(context.Background())
	var gone sync.WaitGroup
	t.Cleanup(func() {
		leave()
		gone.Wait()
	})
	gone.Go(func() {
		_ = client.Run(ctx, scheduler.Handler{
			Offers: func(_ context.Context, offers []*v1.Offer) error {
				h.mu.Lock()
				defer h.mu.Unlock()
				for _, o := range offers {
					h.held[o.GetId().GetValue()] = o
				}
				return nil
			},
			Rescind: func(_ context.Context, id *v1.OfferID) error {
				h.mu.Lock()
				defer h.mu.Unlock()
				delete(h.held, id.GetValue())
				return nil
			},
		})
	})
	until(t, name+" is subscribed", func() bool { return client.FrameworkID() != nil })
	return h
}

// agents are those of which the hoarder has offers.
func (h *hoarder) agents() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, o := range h.held {
		out = append(out, o.GetAgentId().GetValue())
	}
	return out
}

// cpus is how many the hoarder has.
func (h *hoarder) cpus() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := 0.0
	for _, o := range h.held {
		for _, r := range o.GetResources() {
			if r.GetName() == "cpus" {
				sum += r.GetScalar().GetValue()
			}
		}
	}
	return sum
}

// does runs a command that must succeed, and returns what it says.
func does(t *testing.T, c *native.Cluster, args ...string) string {
	t.Helper()
	r := run(t, c, args...)
	if r.code != 0 {
		t.Errorf("mezzo %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r.stdout
}

// rowOf is the line of a table that begins with name, in single blanks.
func rowOf(table, name string) string {
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == name {
			return strings.Join(f, " ")
		}
	}
	return ""
}

func TestOperate(t *testing.T) {
	c := native.Start(t, "--agents=4", "--offer_sizing=whole", "--offer_timeout=0secs")
	var agents []string // their ids
	until(t, "all agents are active", func() bool {
		agents = nil
		for line := range strings.Lines(run(t, c, "agents").stdout) {
			if f := strings.Fields(line); f[2] == "ACTIVE" {
				agents = append(agents, f[len(f)-1])
			}
		}
		return len(agents) == 4
	})
	t.Run("mistakes", func(t *testing.T) { testMistakes(t, c) })
	t.Run("starving by a limit", func(t *testing.T) { testLimited(t, c) })
	t.Run("starving by its own refusals", func(t *testing.T) { testPicky(t, c) })
	t.Run("weights, held agents, quota", func(t *testing.T) { testShares(t, c, agents) })
}

func testMistakes(t *testing.T, c *native.Cluster) {
	does(t, c, "quota", "set", "known", "--guarantee=cpus:2", "--limit=cpus:3")
	for _, row := range []struct{ typed, says string }{
		{"quota set a:b/ --limit=cpus:1", `role "a:b/": it has a slash at an end`},
		{"quota set -a --limit=cpus:1", "unknown shorthand flag"},
		{"quota set a/* --limit=cpus:1", `it has the component "*"`},
		{"quota set known --limit=cpus:1", `role "known", with those below it, is guaranteed 2 cpus, above its limit of 1`},
		{"quota set known --guarantee=cpus:4", "is guaranteed 4 cpus, above its limit of 3"},
		{"quota set big --guarantee=cpus:17", "19 cpus would be guaranteed in all, the agents have 16; --force does it all the same"},
		{"quota set big --limit=cpus:-1", "value -1 is negative"},
		{"quota set big --limit=cpus:NaN", "not a finite number"},
		{"quota get konwn", `did you mean known?`},
		{"weights set known=0", "0 is not from 0.001"},
		{"weights set known=-1", "-1 is not from 0.001"},
		{"weights set known=NaN", "NaN is not from 0.001"},
		{"weights set known=1 known=2", `role "known" is named twice`},
		{"weights set /a=2", `role "/a": it has a slash`},
		{"explain nobody", `framework "nobody": no such framework; ` + "`mezzo frameworks` lists them"},
		{"agents deactivate nobody", `agent "nobody": no such agent`},
	} {
		r := run(t, c, strings.Fields(row.typed)...)
		if r.code != 1 || !strings.Contains(r.stderr, row.says) {
			t.Errorf("mezzo %s: exit code %d, want one that says %q:\n%s", row.typed, r.code, row.says, r.stderr)
		}
	}
	if got := does(t, c, "quota", "ls"); rowOf(got, "known") != "known cpus:2 cpus:3 -" || rowOf(got, "big") != "" {
		t.Errorf("quota is\n%s", got)
	}
	does(t, c, "quota", "set", "big", "--guarantee=cpus:17", "--force")
	does(t, c, "quota", "rm", "known", "big")
	if got := does(t, c, "quota", "ls"); strings.Count(got, "\n") != 1 {
		t.Errorf("quota is\n%s", got)
	}
	if got := does(t, c, "weights", "ls"); strings.Count(got, "\n") != 1 {
		t.Errorf("weights are\n%s", got)
	}
}

func testLimited(t *testing.T, c *native.Cluster) {
	does(t, c, "quota", "set", "eng", "--limit=cpus:0;mem:0")
	b := begin(t, c, "run", "--role=eng", "--cpus=1", "--name=starving", "--image="+c.Image, "--", "true")
	var told string
	until(t, "it is told that the limit stands against it", func() bool {
		told = run(t, c, "explain", "mezzo run starving").stdout
		return strings.Contains(told, "quota limit")
	})
	for _, says := range []string{
		"is ACTIVE and holds no offers", "Role eng has nothing", "mezzo quota set ROLE --limit",
		`role "eng" has reached its limit of cpus: 0 of 0`,
	} {
		if !strings.Contains(told, says) {
			t.Errorf("told nothing of %q:\n%s", says, told)
		}
	}
	if row := rowOf(told, "4"); !strings.HasPrefix(row, "4 quota limit") {
		t.Errorf("not all agents are counted:\n%s", told)
	}
	if r := run(t, c, "explain", "mezzo run starvnig"); !strings.Contains(r.stderr, `did you mean "mezzo run starving"?`) {
		t.Errorf("misspelt: %s", r.stderr)
	}

	// Of what there is memory left, it is offered that, and refuses it: for want
	// of CPUs all the same.
	does(t, c, "quota", "set", "eng", "--limit=cpus:0")
	until(t, "it is told why it refuses", func() bool {
		text := run(t, c, "explain", "mezzo run starving").stdout
		return strings.Contains(text, `the framework refused it, without cpus: role "eng" has reached its limit of cpus: 0 of 0; the first refusal ends in `)
	})
	does(t, c, "quota", "set", "eng", "--limit=cpus:1")
	if r := finish(t, b); r.code != 0 {
		t.Errorf("run: exit code %d\n%s", r.code, r.stderr)
	}
	does(t, c, "quota", "rm", "eng")
}

func testPicky(t *testing.T, c *native.Cluster) {
	b := begin(t, c, "run", "--cpus=64", "--name=picky", "--image="+c.Image, "--", "true")
	until(t, "it is told what it refused", func() bool {
		text := run(t, c, "explain", "mezzo run picky").stdout
		return strings.Contains(text, "the framework refused it; the first refusal ends in ")
	})
	var answer struct {
		Standings []struct{ Reasons []struct{ Why string } }
	}
	until(t, "programs too", func() bool {
		r := run(t, c, "explain", "mezzo run picky", "--role=*", "-o", "json")
		return json.Unmarshal([]byte(r.stdout), &answer) == nil && len(answer.Standings) == 1 &&
			slices.ContainsFunc(answer.Standings[0].Reasons, func(r struct{ Why string }) bool { return r.Why == "refused" })
	})
	if err := b.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	finish(t, b)
}

func testShares(t *testing.T, c *native.Cluster, agents []string) {
	// While nothing is offered, both come; then one agent after the other is.
	if got := does(t, c, append([]string{"agents", "deactivate"}, agents...)...); strings.Count(got, "\tDEACTIVATED\n") != 4 {
		t.Errorf("deactivate says\n%s", got)
	}
	left, right := hoard(t, c, "left"), hoard(t, c, "right")
	if got := does(t, c, "explain", "left"); !strings.Contains(got, "the agent is deactivated") {
		t.Errorf("explain says\n%s", got)
	}
	if got := does(t, c, "weights", "set", "left=3"); rowOf(got, "left") != "left 3" {
		t.Errorf("weights are\n%s", got)
	}
	does(t, c, append([]string{"agents", "reactivate"}, agents...)...)
	until(t, "left, of weight 3, is offered three agents, and right one", func() bool {
		return len(left.agents()) == 3 && len(right.agents()) == 1
	})

	// Whoever looks sees who hoards.
	if row := rowOf(does(t, c, "frameworks"), "left"); !strings.HasPrefix(row, "left ACTIVE left 0 0B 3 cpus:12 disk:3GiB mem:6GiB ") {
		t.Errorf("frameworks: %s", row)
	}
	if row := rowOf(does(t, c, "roles"), "left"); !strings.HasPrefix(row, "left 3 1 75% ") || !strings.Contains(row, "cpus:12 disk:3GiB mem:6GiB") {
		t.Errorf("roles: %s", row)
	}
	told := does(t, c, "explain", "right")
	if !strings.Contains(told, "right (") || !strings.Contains(told, "holds 1 offer, the oldest for ") ||
		!strings.HasPrefix(rowOf(told, "4"), "4 nothing left") || !strings.HasPrefix(rowOf(told, "left"), "left 3 3 ") ||
		!strings.HasPrefix(rowOf(told, "right"), "right (") {
		t.Errorf("explain says\n%s", told)
	}

	// An agent that is held back loses its offers, and is offered again.
	held := left.agents()[0]
	does(t, c, "agents", "deactivate", held)
	until(t, "its offer is taken back", func() bool { return !slices.Contains(left.agents(), held) })
	list := does(t, c, "agents")
	if i := slices.IndexFunc(strings.Split(list, "\n"), func(line string) bool {
		return strings.HasSuffix(line, held) && strings.Contains(line, "DEACTIVATED")
	}); i < 0 || strings.Count(list, "DEACTIVATED") != 1 {
		t.Errorf("agents are\n%s", list)
	}
	if got := does(t, c, "agents", "reactivate", held); got != held+"\tACTIVE\n" {
		t.Errorf("reactivate says %q", got)
	}
	until(t, "it is offered to left again", func() bool { return slices.Contains(left.agents(), held) })

	// A limit below what is held takes --force, and is heeded.
	if r := run(t, c, "quota", "set", "left", "--limit=cpus:4"); r.code != 1 ||
		!strings.Contains(r.stderr, `role "left" consumes 12 cpus, above the limit of 4; --force does it all the same`) {
		t.Errorf("a limit too low: %+v", r)
	}
	does(t, c, "quota", "set", "left", "--limit=cpus:4", "--force")
	until(t, "left has 4 CPUs, right the rest", func() bool { return left.cpus() == 4 && right.cpus() == 12 })
	if row := rowOf(does(t, c, "quota", "get", "left"), "left"); !strings.HasPrefix(row, "left - cpus:4 cpus:4 ") {
		t.Errorf("quota: %s", row)
	}
	for _, args := range []string{"roles", "quota ls", "quota get left", "weights ls", "explain left", "frameworks", "agents"} {
		if got := does(t, c, append(strings.Fields(args), "-o", "json")...); !json.Valid([]byte(got)) {
			t.Errorf("%s -o json:\n%s", args, got)
		}
	}
	for _, row := range []struct{ typed, offers string }{
		{"quota set", "left\n"}, {"explain", "\tright\n"}, {"agents deactivate", held + "\t"}, {"weights set", "left=\n"},
	} {
		verb := strings.Fields(row.typed)
		got := does(t, c, slices.Concat([]string{"__complete"}, verb, []string{"--master=" + c.Master, ""})...)
		if !strings.Contains(got, row.offers) {
			t.Errorf("%s completes\n%s", row.typed, got)
		}
	}
	does(t, c, "quota", "rm", "left")
	does(t, c, "weights", "set", fmt.Sprintf("left=%v", 1))
}
