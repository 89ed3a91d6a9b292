package core_test

// Goal and method as in script_test.go: maintenance of machines, inverse offers,
// draining of agents and those that are gone.

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master/core"
)

func init() {
	maps.Copy(commands, map[string]func(*world, *datadriven.TestData){
		"schedule":        scheduleCommand,
		"start":           func(w *world, d *datadriven.TestData) { w.step(core.StartMaintenance{Machines: machines(words(d))}) },
		"stop":            func(w *world, d *datadriven.TestData) { w.step(core.StopMaintenance{Machines: machines(words(d))}) },
		"maintenance":     maintenanceCommand,
		"accept-inverse":  func(w *world, d *datadriven.TestData) { answerCommand(w, d, scheduler.Call_ACCEPT_INVERSE_OFFERS) },
		"decline-inverse": func(w *world, d *datadriven.TestData) { answerCommand(w, d, scheduler.Call_DECLINE_INVERSE_OFFERS) },
		"drain":           drainCommand,
		"gone":            func(w *world, d *datadriven.TestData) { w.step(core.MarkAgentGone{Agent: w.agent(first(d))}) },
		"agents":          agentsCommand,
		"oversubscribe":   oversubscribeCommand,
	})
}

func (w *world) agent(name string) ids.AgentID { return ids.AgentID(w.agentID(name).GetValue()) }

func words(d *datadriven.TestData) (out []string) {
	for _, a := range d.CmdArgs {
		out = append(out, a.Key)
	}
	return out
}

// machines reads "a1" (a hostname), "/10.0.0.1" (an address) or "a1/10.0.0.1".
func machines(texts []string) (out []*v1.MachineID) {
	for _, text := range texts {
		id := &v1.MachineID{}
		host, ip, both := strings.Cut(text, "/")
		if host != "" {
			id.Hostname = &host
		}
		if both {
			id.Ip = &ip
		}
		out = append(out, id)
	}
	return out
}

// schedule with a line "5000 [600|-] a1 /10.0.0.2" for each window: when it
// begins, how long it lasts, both in seconds, and the machines.
func scheduleCommand(w *world, d *datadriven.TestData) {
	s := &maintenance.Schedule{}
	for _, l := range lines(d) {
		s.Windows = append(s.Windows, &maintenance.Window{MachineIds: machines(l[2:]), Unavailability: away(l[0], l[1])})
	}
	w.step(core.SetSchedule{Schedule: s})
}

func away(start, length string) *v1.Unavailability {
	nanos := func(text string) *int64 {
		n, _ := strconv.ParseFloat(text, 64)
		return proto.Int64(int64(n * 1e9))
	}
	u := &v1.Unavailability{Start: &v1.TimeInfo{Nanoseconds: nanos(start)}}
	if length != "-" {
		u.Duration = &v1.DurationInfo{Nanoseconds: nanos(length)}
	}
	return u
}

func awayText(u *v1.Unavailability) string {
	if u == nil {
		return ""
	}
	text := fmt.Sprintf(", away from %d s", u.GetStart().GetNanoseconds()/1e9)
	if u.Duration != nil {
		text += fmt.Sprintf(" for %d s", u.GetDuration().GetNanoseconds()/1e9)
	}
	return text
}

// maintenance prints what a Snapshot shows of it.
func maintenanceCommand(w *world, _ *datadriven.TestData) {
	s := w.core.Snapshot().Sort()
	for _, window := range s.Schedule.GetWindows() {
		fmt.Fprintf(w.out, "window%s:", awayText(window.GetUnavailability()))
		for _, id := range window.GetMachineIds() {
			fmt.Fprintf(w.out, " %s/%s", id.GetHostname(), id.GetIp())
		}
		fmt.Fprintln(w.out)
	}
	for _, m := range s.Machines {
		fmt.Fprintf(w.out, "machine %s/%s down=%t\n", m.ID.GetHostname(), m.ID.GetIp(), m.Down)
		for _, a := range m.Answers {
			fmt.Fprintf(w.out, "  %s %v at %d s\n", a.Framework, a.Status, a.At.Unix())
		}
	}
	for _, f := range s.Frameworks {
		for _, o := range f.Inverse {
			fmt.Fprintf(w.out, "inverse offer %s to %s of %s\n", o.ID, f.ID, o.Agent)
		}
	}
}

// accept-inverse s1 offers=(O1) [refuse=5]
func answerCommand(w *world, d *datadriven.TestData, kind scheduler.Call_Type) {
	a := argsOf(w, d)
	w.call(d, &scheduler.Call{
		Type: kind.Enum(), FrameworkId: w.framework(first(d)),
		AcceptInverseOffers:  &scheduler.Call_AcceptInverseOffers{InverseOfferIds: offerIDs(a.list("offers")), Filters: filters(a)},
		DeclineInverseOffers: &scheduler.Call_DeclineInverseOffers{InverseOfferIds: offerIDs(a.list("offers")), Filters: filters(a)},
	})
}

// drain a1 [grace=10] [gone]
func drainCommand(w *world, d *datadriven.TestData) {
	a := argsOf(w, d)
	config := &v1.DrainConfig{MarkGone: proto.Bool(a.has("gone"))}
	if g := a.number("grace", 0); g != 0 {
		config.MaxGracePeriod = &v1.DurationInfo{Nanoseconds: proto.Int64(int64(g * 1e9))}
	}
	w.step(core.DrainAgent{Agent: w.agent(first(d)), Config: config})
}

// oversubscribe a1 [cpus{REV}:2;…] says what an agent has of revocable resources.
func oversubscribeCommand(w *world, d *datadriven.TestData) {
	msg := &link.Oversubscribed{}
	if len(d.CmdArgs) > 1 {
		msg.Resources = mustResources(w.t, d.CmdArgs[1].Key)
	}
	w.step(core.AgentMessage{Conn: w.conns[first(d)], Message: &link.FromAgent{Message: &link.FromAgent_Oversubscribed{Oversubscribed: msg}}})
}

// oversubscribe draws what an agent has of revocable resources.
func (m *machine) oversubscribe(t *rapid.T) {
	res := rapid.SampledFrom([]string{"", "cpus{REV}:4;mem{REV}:64", "cpus{REV}:2", "cpus{REV}:1;ports{REV}:[1-4]", "cpus:1"}).Draw(t, "resources")
	m.say(m.anyConn(t), &link.FromAgent{Message: &link.FromAgent_Oversubscribed{Oversubscribed: &link.Oversubscribed{
		Resources: mustResources(m.world.t, res),
	}}})
}

// agents prints how agents stand with operators.
func agentsCommand(w *world, _ *datadriven.TestData) {
	s := w.core.Snapshot().Sort()
	for _, a := range s.Agents {
		fmt.Fprintf(w.out, "agent %s deactivated=%t%s", a.ID, a.Deactivated, awayText(a.Unavailability))
		if a.Drain != nil {
			fmt.Fprintf(w.out, " %v since %d s", a.Drain.GetState(), a.DrainStarted.Unix())
		}
		fmt.Fprintln(w.out)
	}
}

// maintain draws an operator's step of maintenance, sane or not.
func (m *machine) maintain(t *rapid.T) {
	names := []string{"h0", "H1", "h2", "h0/10.0.0.1", "/10.0.0.1", "/10.0.0.9", "h1/10.0.0.9", "/x"}
	some := rapid.SliceOfN(rapid.SampledFrom(names), 0, 2)
	switch rapid.IntRange(0, 4).Draw(t, "step") {
	case 0, 1:
		s := &maintenance.Schedule{}
		for range rapid.IntRange(0, 2).Draw(t, "windows") {
			s.Windows = append(s.Windows, &maintenance.Window{
				MachineIds:     machines(some.Draw(t, "machines")),
				Unavailability: away(rapid.SampledFrom([]string{"2000", "3000"}).Draw(t, "start"), rapid.SampledFrom([]string{"-", "60", "-1"}).Draw(t, "length")),
			})
		}
		m.step(core.SetSchedule{Schedule: s})
	case 2:
		m.step(core.StartMaintenance{Machines: m.scheduled(t, machines(some.Draw(t, "machines")))})
	default:
		m.step(core.StopMaintenance{Machines: m.scheduled(t, machines(some.Draw(t, "machines")))})
	}
}

// scheduled is some machine that is in the schedule, mostly, or else others.
func (m *machine) scheduled(t *rapid.T, others []*v1.MachineID) []*v1.MachineID {
	s := m.world.core.Snapshot().Sort()
	if len(s.Machines) == 0 || rapid.IntRange(0, 4).Draw(t, "other") == 0 {
		return others
	}
	return []*v1.MachineID{rapid.SampledFrom(s.Machines).Draw(t, "machine").ID}
}

// answer draws a framework's answer to inverse offers, its own or others'.
func (m *machine) answer(t *rapid.T) {
	stream := m.stream(t)
	var list []*v1.OfferID
	s := m.world.core.Snapshot().Sort()
	for i := range s.Frameworks {
		for _, o := range s.Frameworks[i].Inverse {
			if rapid.Bool().Draw(t, "take") {
				list = append(list, o.ID.Proto())
			}
		}
	}
	f := &v1.Filters{RefuseSeconds: proto.Float64(float64(rapid.IntRange(-1, 5).Draw(t, "refuse")))}
	m.stepCall(stream, &scheduler.Call{
		Type: rapid.SampledFrom([]scheduler.Call_Type{
			scheduler.Call_ACCEPT_INVERSE_OFFERS, scheduler.Call_DECLINE_INVERSE_OFFERS,
		}).Draw(t, "type").Enum(),
		FrameworkId:          m.framework(stream),
		AcceptInverseOffers:  &scheduler.Call_AcceptInverseOffers{InverseOfferIds: list, Filters: f},
		DeclineInverseOffers: &scheduler.Call_DeclineInverseOffers{InverseOfferIds: list, Filters: f},
	})
}

// drain draws the end of an agent.
func (m *machine) drain(t *rapid.T) {
	id := ids.AgentID(agentName(rapid.IntRange(0, someAgents).Draw(t, "agent")).GetValue())
	if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
		m.step(core.MarkAgentGone{Agent: id})
		return
	}
	grace := time.Duration(rapid.IntRange(-1, 5).Draw(t, "grace")) * time.Second
	m.step(core.DrainAgent{Agent: id, Config: &v1.DrainConfig{
		MarkGone:       proto.Bool(rapid.IntRange(0, 4).Draw(t, "mark") == 0),
		MaxGracePeriod: &v1.DurationInfo{Nanoseconds: proto.Int64(int64(grace))},
	}})
}
