package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/spell"
)

const explainLong = `Tell why a framework is not offered anything.

For each role that the framework is subscribed in: what the role has of its
dominant resource, which roles are due something before it, and the agents
counted by what stands against offering them, of each agent the first reason.
Where nothing is left, it tells who holds it.

FRAMEWORK is an id, the beginning of an id, or a name; AGENT an id, the beginning
of an id, or a host name.`

const explainExample = `  mezzo explain spark
  mezzo explain spark --role=eng/web
  mezzo explain 4f2c81d0 --agent=host1`

func explainCommand(d Deps) *cobra.Command {
	var role, agent string
	cmd := &cobra.Command{
		Use:               "explain FRAMEWORK",
		Short:             "Tell why a framework is not offered anything",
		Long:              explainLong,
		Example:           explainExample,
		Args:              arguments(aFramework, 1, 1),
		ValidArgsFunction: completeArguments(d, 1, frameworkIDs),
	}
	cmd.Flags().StringVar(&role, "role", "", "in this `role` alone; in all of the framework's unless given")
	cmd.Flags().StringVar(&agent, "agent", "", "of this `agent` alone; of all unless given")
	completeFlag(cmd, d, "role", roleNames)
	completeFlag(cmd, d, "agent", agentIDs)
	return command(d, cmd, func(ctx context.Context, op *operator, o *options, args []string) error {
		f, err := findFramework(ctx, op, args[0])
		if err != nil {
			return err
		}
		call := &master.Call_Explain{FrameworkId: f.GetFrameworkInfo().GetId()}
		if role != "" {
			if err := checkSubscribed(f, args[0], role); err != nil {
				return err
			}
			call.Role = &role
		}
		agents, err := loadAgents(ctx, op)
		if err != nil {
			return err
		}
		if agent != "" {
			a, err := pick("agent", agent, "`mezzo agents`", agents, agentNames)
			if err != nil {
				return err
			}
			call.AgentId = a.GetAgentInfo().GetId()
		}
		resp, err := op.call(ctx, &master.Call{Type: master.Call_EXPLAIN.Enum(), Explain: call})
		if err != nil {
			return fmt.Errorf("explain framework %s: %w", call.GetFrameworkId().GetValue(), err)
		}
		if o.json() {
			return op.print(resp.GetExplain())
		}
		x := explanation{now: d.Now(), framework: f, answer: resp.GetExplain(), hosts: make(map[string]string, len(agents))}
		for _, a := range agents {
			id, host := agentNames(a)
			x.hosts[id] = host
		}
		return x.print(d.Stdout)
	})
}

// checkSubscribed wants the framework to be subscribed in role.
func checkSubscribed(f *master.Response_GetFrameworks_Framework, ref, role string) error {
	roles := strings.Split(frameworkRoles(f), ",")
	if slices.Contains(roles, role) {
		return nil
	}
	if guess := spell.Closest(role, roles); guess != "" {
		return fmt.Errorf("framework %q: is not subscribed in role %q; did you mean %s? it is in %s", ref, role, guess, strings.Join(roles, ", "))
	}
	return fmt.Errorf("framework %q: is not subscribed in role %q; it is in %s", ref, role, strings.Join(roles, ", "))
}

// explanation is an answer for people.
type explanation struct {
	now       time.Time
	framework *master.Response_GetFrameworks_Framework
	answer    *master.Response_Explain
	hosts     map[string]string // host names by agent
}

func (x *explanation) print(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s (%s) is %s and %s.\n", oneLine(x.answer.GetName()), x.answer.GetFrameworkId().GetValue(),
		frameworkState(x.framework, false), x.holds())
	for _, s := range x.answer.GetStandings() {
		b.WriteByte('\n')
		if err := x.standing(&b, s); err != nil {
			return err
		}
	}
	if len(x.answer.GetHolders()) > 0 {
		b.WriteString("\nWhat nothing is left of is held by:\n")
		if err := x.holders(&b); err != nil {
			return err
		}
	}
	x.advise(&b)
	_, err := b.WriteTo(w)
	return err
}

// advise tells what to do about each kind of reason that there is.
func (x *explanation) advise(b *bytes.Buffer) {
	var told []string
	for _, s := range x.answer.GetStandings() {
		for _, r := range s.GetReasons() {
			text := advice[r.GetWhy()]
			if text == "" || slices.Contains(told, r.GetWhy()) {
				continue
			}
			if len(told) == 0 {
				b.WriteString("\nWhat to do:\n")
			}
			told = append(told, r.GetWhy())
			fmt.Fprintf(b, "  %s: %s\n", r.GetWhy(), text)
		}
	}
}

// holds tells what offers the framework holds itself.
func (x *explanation) holds() string {
	n := x.answer.GetOffersHeld()
	if n == 0 {
		return "holds no offers"
	}
	text := fmt.Sprintf("holds %s", counted(n, "offer"))
	if since := age(x.now, nanos(x.answer.GetOldestOffer())); since != "" {
		text += ", the oldest for " + since
	}
	if what := amountsText(scalars(x.framework.GetOfferedResources())); what != "" {
		text += ": " + what
	}
	return text
}

func (x *explanation) standing(b *bytes.Buffer, s *master.Response_Explain_Standing) error {
	share := "has nothing"
	if s.GetTotal() > 0 {
		name := s.GetDominant()
		share = fmt.Sprintf("has %s of %s %s (%s), offers included", amountText(name, s.GetUsed()), amountText(name, s.GetTotal()),
			cmp.Or(name, "its dominant resource"), percent(s.GetUsed()/s.GetTotal()))
	}
	before := "no role is due before it"
	if n := len(s.GetBefore()); n > 0 {
		before = "due before it: " + strings.Join(s.GetBefore(), ", ")
	}
	fmt.Fprintf(b, "Role %s %s; %s.\n", s.GetRole(), share, before)
	for _, r := range s.GetRequests() {
		where := "of any agent"
		if r.AgentId != nil {
			where = "of " + x.host(r.GetAgentId())
		}
		fmt.Fprintf(b, "It asks for %s %s.\n", amountsText(scalars(r.GetResources())), where)
	}
	if len(s.GetReasons()) == 0 {
		fmt.Fprintf(b, "It gets nothing, for %s\n", noAgent)
		return nil
	}
	t := newTable(b, "AGENTS", "REASON", "DETAIL", "FOR EXAMPLE")
	for _, k := range x.byKind(s.GetReasons()) {
		for _, r := range k.shown {
			t.row(strconv.Itoa(int(r.GetAgents())), k.why, x.detail(r), x.host(r.GetExample()))
		}
		if k.more > 0 {
			t.row(strconv.Itoa(k.more), k.why, "other details: -o json has them", strings.Join(k.examples, ", "))
		}
	}
	return t.flush()
}

// kind is the reasons of one kind.
type kind struct {
	why      string
	agents   int
	shown    []*master.Response_Explain_Reason // those for most agents
	more     int                               // agents of all others,
	examples []string                          // and some of these
}

// byKind gathers reasons by kind, the one for most agents first: details can be
// as many as there are agents.
func (x *explanation) byKind(reasons []*master.Response_Explain_Reason) []*kind {
	const few = 3
	var out []*kind
	for _, r := range reasons {
		i := slices.IndexFunc(out, func(k *kind) bool { return k.why == r.GetWhy() })
		if i < 0 {
			i = len(out)
			out = append(out, &kind{why: r.GetWhy()})
		}
		k := out[i]
		k.agents += int(r.GetAgents())
		if len(k.shown) < few {
			k.shown = append(k.shown, r)
			continue
		}
		k.more += int(r.GetAgents())
		if len(k.examples) < few {
			k.examples = append(k.examples, x.host(r.GetExample()))
		}
	}
	slices.SortStableFunc(out, func(a, b *kind) int { return cmp.Compare(b.agents, a.agents) })
	return out
}

// advice says for each kind of reason what an operator can do.
var advice = map[string]string{
	"framework disconnected":  "start it, or see its log",
	"suppressed":              "it wants no offers until it sends REVIVE",
	"agent held":              "`mezzo agents` shows why; `mezzo agents reactivate` ends a deactivation",
	"other region":            "the framework lacks the capability REGION_AWARE",
	"agent with GPUs":         "the framework lacks the capability GPU_RESOURCES",
	"offer constraints":       "they are the framework's own",
	"nothing left":            "add agents, end tasks, or see above who holds offers: the master's --offer_timeout takes them back",
	"reserved for others":     "`mezzo roles` shows what is reserved to whom",
	"capability missing":      "what is left is revocable, shared or reserved in several steps, which the framework does not know",
	"quota limit":             "`mezzo quota set ROLE --limit=…` raises it, `mezzo quota ls` shows all",
	"headroom for guarantees": "`mezzo quota ls` shows what is guaranteed to whom; `mezzo quota set ROLE --guarantee=…` lowers it",
	"below minimum":           "see the master's --min_allocatable_resources and the framework's own minimum",
	"refused":                 "it comes again when the refusal ends, or at once if the framework sends REVIVE",
	"eligible":                "nothing stands against it: it comes with the next round, or went to who was due before",
}

func (x *explanation) detail(r *master.Response_Explain_Reason) string {
	text := r.GetDetail()
	if until := nanos(r.GetUntil()); !until.IsZero() {
		text += "; the first refusal ends in " + max(until.Sub(x.now), 0).Round(time.Second).String()
	}
	return text
}

func (x *explanation) holders(b *bytes.Buffer) error {
	t := newTable(b, "NAME", "AGENTS", "OFFERS", "OLDEST", "TASKS", "FRAMEWORK")
	for _, h := range x.answer.GetHolders() {
		name := h.GetName()
		if h.GetFrameworkId().GetValue() == x.answer.GetFrameworkId().GetValue() {
			name += " (itself)"
		}
		t.row(name, strconv.Itoa(int(h.GetAgents())), strconv.Itoa(int(h.GetOffersHeld())), age(x.now, nanos(h.GetOldestOffer())),
			strconv.Itoa(int(h.GetTasks())), h.GetFrameworkId().GetValue())
	}
	return t.flush()
}

// host is an agent as people call it.
func (x *explanation) host(id *v1.AgentID) string {
	return cmp.Or(x.hosts[id.GetValue()], id.GetValue())
}

// counted is "1 offer", "2 offers".
func counted(n uint32, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
