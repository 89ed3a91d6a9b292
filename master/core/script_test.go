package core_test

// Goal: whole histories, readable by people: what happens goes in, what the
// master does about it comes out. Method: testdata/*.txt; every command is one
// Step (or a few), the output is its effects; Check runs after each Step.
// -rewrite makes them anew; commit only what you can explain.

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"mezzo/allocator"
	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master/core"
	"mezzo/master/registry"
	"mezzo/resources"
)

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld(t, core.Config{})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run, ok := commands[d.Cmd]
			if !ok {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			w.t, w.out = t, &strings.Builder{}
			run(w, d)
			if w.out.Len() == 0 {
				return "nothing\n"
			}
			return w.out.String()
		})
	})
}

// world is a core with names for who talks to it.
type world struct {
	t       tester
	cfg     core.Config
	core    *core.Core
	now     time.Time
	conns   map[string]core.ConnID // by agent name
	names   map[core.ConnID]string
	agents  map[string]string // ids by name
	frames  map[string]string // framework ids by name of stream
	last    core.ConnID
	traces  bool
	out     *strings.Builder
	kept    map[string][]byte // by Store effects
	applied map[string][]byte // UUIDs of operations by their ids
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(t tester, cfg core.Config) *world {
	cfg.Master = &v1.MasterInfo{Id: proto.String("M"), Ip: proto.Uint32(0), Port: proto.Uint32(5050)}
	cfg.Heartbeat = 15 * time.Second
	cfg.AllocationInterval, cfg.PingInterval, cfg.MaxMissedPings = time.Second, 15*time.Second, 5
	cfg.RootSubmissions = true
	cfg.AgentReregisterTimeout, cfg.RecoveryRemovalLimit = 10*time.Minute, 1
	cfg.CollectInterval, cfg.MaxAgentAge = 15*time.Minute, 14*24*time.Hour
	cfg.MaxCompletedFrameworks, cfg.MaxCompletedTasks, cfg.MaxUnreachableTasks, cfg.MaxUnreachableAgents = 3, 3, 3, 3
	cfg.Allocator = allocator.Config{Seed: 1, WholeAgents: true}
	cfg.Allocator.SetDefaults()
	w := &world{
		t: t, cfg: cfg, now: time.Unix(1000, 0), out: &strings.Builder{},
		conns: map[string]core.ConnID{}, names: map[core.ConnID]string{}, agents: map[string]string{}, frames: map[string]string{},
		kept: map[string][]byte{}, applied: map[string][]byte{},
	}
	w.start()
	return w
}

func (w *world) start() {
	var err error
	before := registry.NewState()
	for name, value := range w.kept {
		if err := before.Add(registry.Change{Name: name, Value: value}); err != nil {
			w.t.Fatal(err)
		}
	}
	if w.core, err = core.New(w.now, w.cfg, before); err != nil {
		w.t.Fatal(err)
	}
}

// failover lets another master lead: the next letter.
func (w *world) failover() {
	w.cfg.Master = proto.CloneOf(w.cfg.Master)
	w.cfg.Master.Id = proto.String(string(w.cfg.Master.GetId()[0] + 1))
	clear(w.conns)
	w.start()
}

// step feeds the core and prints its effects.
func (w *world) step(ev core.Event) []core.Effect {
	w.t.Helper()
	effects := w.core.Step(w.now, ev)
	for i, e := range effects {
		w.print(e)
		if s, ok := e.(core.Store); ok {
			w.keep(s, i)
		}
	}
	w.checkKept()
	if err := w.core.Check(); err != nil {
		w.t.Fatalf("after %T: %v", ev, err)
	}
	return effects
}

// keep applies what a Store says, which comes before all else of its Step.
func (w *world) keep(s core.Store, at int) {
	w.t.Helper()
	if at != 0 {
		w.t.Fatalf("a Store is effect %d of its Step", at)
	}
	for _, c := range s.Changes {
		if c.Value == nil {
			delete(w.kept, c.Name)
		} else {
			w.kept[c.Name] = c.Value
		}
	}
}

// checkKept: what was told to be kept is what the core knows.
func (w *world) checkKept() {
	w.t.Helper()
	want := w.core.Durable()
	for _, c := range want {
		if kept, ok := w.kept[c.Name]; !ok || !bytes.Equal(kept, c.Value) {
			w.t.Fatalf("%s is kept as %q, but is %q", c.Name, kept, c.Value)
		}
	}
	for name := range w.kept {
		same := func(c registry.Change) bool { return c.Name == name }
		if !slices.ContainsFunc(want, same) && name != "registry/maintenance" {
			w.t.Fatalf("%s is kept, and is no more", name)
		}
	}
}

// pass lets time go by, waking the core whenever it wants.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for next := w.core.NextWake(); !next.After(end); next = w.core.NextWake() {
		if next.After(w.now) {
			w.now = next
		}
		w.step(core.Tick{})
	}
	w.now = end
}

func (w *world) print(e core.Effect) {
	switch e := e.(type) {
	case core.SendFramework:
		if s := e.Event.GetSubscribed(); s != nil {
			w.frames[string(e.Stream)] = s.GetFrameworkId().GetValue()
		}
		fmt.Fprintf(w.out, "%s <- %s\n", e.Stream, eventText(e.Event))
	case core.CloseFramework:
		fmt.Fprintf(w.out, "%s closed\n", e.Stream)
	case core.SendAgent:
		name := w.names[e.Conn]
		if m := e.Message.GetWelcome(); m != nil {
			w.agents[name] = m.GetAgentId().GetValue()
		}
		if m := e.Message.GetApplyOperation(); m != nil {
			w.applied[cmp.Or(m.GetOperationId().GetValue(), "-")] = m.GetUuid()
		}
		fmt.Fprintf(w.out, "%s <- %s\n", name, messageText(e.Message))
	case core.CloseAgent:
		fmt.Fprintf(w.out, "%s closed: %v\n", w.names[e.Conn], e.Err)
	case core.Reply:
		if e.Err != nil {
			fmt.Fprintf(w.out, "refused: %v\n", e.Err)
		}
	case core.Trace:
		if w.traces {
			fmt.Fprintf(w.out, "log: %s %v\n", e.Message, e.Attrs)
		}
	default:
		if text := toldText(e); text != "" {
			fmt.Fprintf(w.out, "told: %s\n", text)
		}
	}
}

// toldText is what those who watch are told.
func toldText(e core.Effect) string {
	framework := func(f core.FrameworkView) string {
		return fmt.Sprintf("%s connected=%v, %d tasks, %d offers", f.ID, f.Connected, len(f.Tasks), len(f.Offers))
	}
	switch e := e.(type) {
	case core.TaskAdded:
		return fmt.Sprintf("task %s of %s added on %s: %v", e.Task.ID, e.Task.Framework, e.Task.Agent, e.Task.State)
	case core.TaskUpdated:
		return fmt.Sprintf("task %s of %s updated: %v", e.Task.ID, e.Task.Framework, e.Task.State)
	case core.AgentAdded:
		return "agent " + string(e.Agent.ID) + " added: " + e.Agent.Total.String()
	case core.AgentRemoved:
		return "agent " + string(e.Agent.ID) + " removed"
	case core.FrameworkAdded:
		return "framework added: " + framework(e.Framework)
	case core.FrameworkUpdated:
		return "framework updated: " + framework(e.Framework)
	case core.FrameworkRemoved:
		return "framework removed: " + e.Info.GetId().GetValue()
	}
	return ""
}

func eventText(ev *scheduler.Event) string {
	switch ev.GetType() {
	case scheduler.Event_SUBSCRIBED:
		return "SUBSCRIBED " + ev.GetSubscribed().GetFrameworkId().GetValue()
	case scheduler.Event_OFFERS:
		var b strings.Builder
		b.WriteString("OFFERS")
		for _, o := range ev.GetOffers().GetOffers() {
			fmt.Fprintf(&b, "\n      %s of %s: %s", o.GetId().GetValue(), o.GetAgentId().GetValue(), protoText(o.GetResources()))
			if o.AllocationInfo != nil {
				fmt.Fprintf(&b, " for %s", o.GetAllocationInfo().GetRole())
			}
			b.WriteString(awayText(o.GetUnavailability()))
		}
		return b.String()
	case scheduler.Event_INVERSE_OFFERS:
		var b strings.Builder
		b.WriteString("INVERSE_OFFERS")
		for _, o := range ev.GetInverseOffers().GetInverseOffers() {
			fmt.Fprintf(&b, "\n      %s of %s%s", o.GetId().GetValue(), o.GetAgentId().GetValue(), awayText(o.GetUnavailability()))
		}
		return b.String()
	case scheduler.Event_RESCIND_INVERSE_OFFER:
		return "RESCIND_INVERSE_OFFER " + ev.GetRescindInverseOffer().GetInverseOfferId().GetValue()
	case scheduler.Event_RESCIND:
		return "RESCIND " + ev.GetRescind().GetOfferId().GetValue()
	case scheduler.Event_UPDATE:
		s := ev.GetUpdate().GetStatus()
		text := fmt.Sprintf("UPDATE %s %v from %v", s.GetTaskId().GetValue(), s.GetState(), s.GetSource())
		if s.AgentId != nil {
			text += " on " + s.GetAgentId().GetValue()
		}
		if s.Reason != nil {
			text += fmt.Sprintf(", %v", s.GetReason())
		}
		if s.Message != nil {
			text += fmt.Sprintf(": %q", s.GetMessage())
		}
		if s.UnreachableTime != nil {
			text += fmt.Sprintf(" since %d s", s.GetUnreachableTime().GetNanoseconds()/1e9)
		}
		if s.Uuid != nil {
			text += " to acknowledge"
		}
		return text
	case scheduler.Event_UPDATE_OPERATION_STATUS:
		s := ev.GetUpdateOperationStatus().GetStatus()
		text := fmt.Sprintf("UPDATE_OPERATION_STATUS %s %v: %q", s.GetOperationId().GetValue(), s.GetState(), s.GetMessage())
		if s.Uuid != nil {
			text += " to acknowledge"
		}
		return text
	case scheduler.Event_FAILURE:
		if x := ev.GetFailure(); x.ExecutorId != nil {
			return fmt.Sprintf("FAILURE of executor %s on %s, %d", x.GetExecutorId().GetValue(), x.GetAgentId().GetValue(), x.GetStatus())
		}
		return "FAILURE of agent " + ev.GetFailure().GetAgentId().GetValue()
	case scheduler.Event_ERROR:
		return fmt.Sprintf("ERROR %q", ev.GetError().GetMessage())
	default:
		return oneSpaced(ev.String())
	}
}

func messageText(m *link.FromMaster) string {
	switch m := m.GetMessage().(type) {
	case *link.FromMaster_Welcome:
		return "Welcome " + m.Welcome.GetAgentId().GetValue()
	case *link.FromMaster_Ping:
		return "Ping"
	case *link.FromMaster_RunTask:
		return fmt.Sprintf("RunTask %s %s", m.RunTask.GetTask().GetTaskId().GetValue(), protoText(m.RunTask.GetTask().GetResources()))
	case *link.FromMaster_RunTaskGroup:
		text := "RunTaskGroup in " + m.RunTaskGroup.GetExecutor().GetExecutorId().GetValue()
		for _, t := range m.RunTaskGroup.GetGroup().GetTasks() {
			text += fmt.Sprintf(" %s %s", t.GetTaskId().GetValue(), protoText(t.GetResources()))
		}
		return text
	case *link.FromMaster_ExecutorMessage:
		return fmt.Sprintf("ExecutorMessage %s %q", m.ExecutorMessage.GetExecutorId().GetValue(), m.ExecutorMessage.GetData())
	case *link.FromMaster_ShutdownExecutor:
		return "ShutdownExecutor " + m.ShutdownExecutor.GetExecutorId().GetValue()
	case *link.FromMaster_KillTask:
		text := "KillTask " + m.KillTask.GetTaskId().GetValue()
		if p := m.KillTask.GetKillPolicy(); p != nil {
			text += fmt.Sprintf(" within %v", time.Duration(p.GetGracePeriod().GetNanoseconds()))
		}
		return text
	case *link.FromMaster_Acknowledge:
		return fmt.Sprintf("Acknowledge %s %s", m.Acknowledge.GetTaskId().GetValue(), uuidName(m.Acknowledge.GetUuid()))
	case *link.FromMaster_ShutdownFramework:
		return "ShutdownFramework " + m.ShutdownFramework.GetFrameworkId().GetValue()
	case *link.FromMaster_ApplyOperation:
		return fmt.Sprintf("ApplyOperation %s %s makes %s", cmp.Or(m.ApplyOperation.GetOperationId().GetValue(), "-"), protoText(m.ApplyOperation.GetFrom()), protoText(m.ApplyOperation.GetTo()))
	case *link.FromMaster_AcknowledgeOperation:
		return "AcknowledgeOperation"
	case *link.FromMaster_Shutdown:
		return fmt.Sprintf("Shutdown %q", m.Shutdown.GetMessage())
	default:
		return oneSpaced(fmt.Sprint(m))
	}
}

// oneSpaced makes the text of a message the same in all binaries: package
// prototext has one blank or two, as the build has it.
func oneSpaced(text string) string { return strings.ReplaceAll(text, "  ", " ") }

func protoText(list []*v1.Resource) string {
	r, err := resources.FromProto(list)
	if err != nil {
		return err.Error()
	}
	return r.String()
}

// uuidOf makes a short name an id of 16 bytes; uuidName finds the name again.
func uuidOf(name string) []byte   { return []byte((name + strings.Repeat(".", 16))[:16]) }
func uuidName(uuid []byte) string { return strings.TrimRight(string(uuid), ".") }

func mustResources(t tester, text string) []*v1.Resource {
	t.Helper()
	r, err := resources.Parse(text, resources.DefaultRole)
	if err != nil {
		t.Fatal(err)
	}
	return r.Proto()
}

// args are the arguments of a script's command.
type args struct {
	t tester
	d *datadriven.TestData
}

func (a args) text(key, otherwise string) string {
	for _, arg := range a.d.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			return strings.Join(arg.Vals, ",")
		}
	}
	return otherwise
}

func (a args) list(key string) []string {
	for _, arg := range a.d.CmdArgs {
		if arg.Key == key {
			return arg.Vals
		}
	}
	return nil
}

func (a args) number(key string, otherwise float64) float64 {
	text := a.text(key, "")
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a args) has(flag string) bool { return a.d.HasArg(flag) }

func (w *world) framework(stream string) *v1.FrameworkID {
	return &v1.FrameworkID{Value: proto.String(w.frames[stream])}
}

func (w *world) agentID(name string) *v1.AgentID {
	if id, ok := w.agents[name]; ok {
		name = id
	}
	return &v1.AgentID{Value: proto.String(name)}
}

func taskID(name string) *v1.TaskID { return &v1.TaskID{Value: proto.String(name)} }

func key(framework, task string) (ids.FrameworkID, ids.TaskID) {
	return ids.FrameworkID(framework), ids.TaskID(task)
}
