package cli

// Goal: numbers, names and reasons read as people say them. Method: tables.

import (
	"strings"
	"testing"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
)

func TestShortage(t *testing.T) {
	scalarOf := func(name string, v float64, role string) *v1.Resource {
		return &v1.Resource{Name: &name, Type: v1.Value_SCALAR.Enum(), Scalar: &v1.Value_Scalar{Value: &v}, Role: &role}
	}
	agent := func(host string, cpus, mem, usedCPUs, usedMem float64) *master.Response_GetAgents_Agent {
		active := true
		return &master.Response_GetAgents_Agent{
			AgentInfo:          &v1.AgentInfo{Hostname: &host},
			Active:             &active,
			TotalResources:     []*v1.Resource{scalarOf("cpus", cpus, "*"), scalarOf("cpus", 32, "other"), scalarOf("mem", mem, "*")},
			AllocatedResources: []*v1.Resource{scalarOf("cpus", usedCPUs, "*"), scalarOf("mem", usedMem, "*")},
		}
	}
	small, large := agent("small", 2, 1024, 0, 0), agent("large", 8, 16384, 7.5, 1024)
	away := agent("away", 64, 65536, 0, 0)
	away.Active = new(bool)
	for _, tc := range []struct {
		cpus, mem float64
		agents    []*master.Response_GetAgents_Agent
		want      string
	}{
		{1, 64, nil, "no agent is registered: start one with `mezzo agent --master=… --work_dir=…`"},
		{1, 64, []*master.Response_GetAgents_Agent{away}, "no agent is offered: `mezzo agents` shows their states"},
		{64, 64, []*master.Response_GetAgents_Agent{small, large, away}, "no agent fits cpus:64: the largest is large with cpus:8"},
		{1, 99999, []*master.Response_GetAgents_Agent{small, large}, "no agent fits mem:97.7GiB: the largest is large with mem:16GiB"},
		{4, 64, []*master.Response_GetAgents_Agent{small, large}, "no offer yet fits cpus:4: the most that is free is cpus:2 on small"},
		{2, 2048, []*master.Response_GetAgents_Agent{small, large}, "no offer yet fits cpus:2 mem:2GiB: enough is free on some agents, but not all of it on one, or it is offered elsewhere; `mezzo explain` tells more"},
	} {
		if got := shortage(map[string]float64{"cpus": tc.cpus, "mem": tc.mem}, "*", false, tc.agents); got != tc.want {
			t.Errorf("cpus %v, mem %v:\n got %s\nwant %s", tc.cpus, tc.mem, got, tc.want)
		}
	}
}

func TestTaskName(t *testing.T) {
	for _, tc := range []struct{ image, command, want string }{
		{"busybox", "", "busybox"},
		{"docker.io/library/busybox:1.36", "", "busybox"},
		{"registry:5000/team/app@sha256:0123", "", "app"},
		{"file:///images/my app.tar.gz", "", "my-app"},
		{"", "/usr/bin/make", "make"},
		{"", "a:b", "a"},
		{"", "..", "task"},
		{"", "/", "task"},
		{"", "日本", "task"},
	} {
		if got := taskName(&taskSpec{image: tc.image, command: []string{tc.command}}); got != tc.want {
			t.Errorf("name of %q %q is %q, want %q", tc.image, tc.command, got, tc.want)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	w := newTable(&b, "TASK", "STATE", "AGE")
	w.row("ünïcødé-名前", "RUNNING", "1s")
	w.row("e\u0301", "\x1b[2Jbad\nline", "")
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	want := "TASK          STATE         AGE\nünïcødé-名前  RUNNING       1s\ne\u0301             \ufffd[2Jbad line  -\n"
	if got := b.String(); got != want {
		t.Errorf("table\n%q, want\n%q", got, want)
	}
	for most, want := range map[int]string{9: "名前ab", 5: "名前a", 3: "名", 0: ""} {
		if got := clip("名前ab", most); got != want {
			t.Errorf("clip to %d = %q, want %q", most, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	var b strings.Builder
	l := jsonLines("stdout", &b)
	for _, s := range []string{"one\ntw", "o<\n\n", "\xff" + strings.Repeat("x", maxLineBytes), "end"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := l.flush(); err != nil {
		t.Fatal(err)
	}
	object := func(line string) string { return `{"stream":"stdout","line":"` + line + "\"}\n" }
	want := object("one") + object("two<") + object("") + object(`\ufffd`+strings.Repeat("x", maxLineBytes)) + object("end")
	if got := b.String(); got != want {
		t.Errorf("%d bytes, want %d: %.80q", len(got), len(want), got)
	}
}

func TestUnits(t *testing.T) {
	for bytes, want := range map[float64]string{
		0: "0B", 1023: "1023B", 1024: "1KiB", 1 << 20: "1MiB", 1.5 * (1 << 30): "1.5GiB",
		(1 << 20) - 1: "1MiB", 33554432: "32MiB", 1 << 62: "4EiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("size(%v) = %s, want %s", bytes, got, want)
		}
	}
	for text, want := range map[string]float64{"64": 64, "64MiB": 64, "64m": 64, "1.5GiB": 1536, "1g": 1024, "512K": 0.5, "1T": 1 << 20, "1048576B": 1} {
		if got, err := parseMiB("--mem", text); err != nil || got != want {
			t.Errorf("parseMiB(%q) = %v, %v", text, got, err)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.001: "0.001", 0.0149: "0.01", 0.5004: "0.5", 2: "2"} {
		if got := cpus(v); got != want {
			t.Errorf("cpus(%v) = %s, want %s", v, got, want)
		}
	}
	now := time.Unix(1e9, 0)
	for d, want := range map[time.Duration]string{
		0: "now", 119 * time.Second: "119s", 2 * time.Minute: "2m", 2*time.Hour + 5*time.Minute: "2h5m", 48 * time.Hour: "2d",
	} {
		if got := age(now, now.Add(-d)); got != want {
			t.Errorf("age of %v = %s, want %s", d, got, want)
		}
	}
}
