package agent

// Goal: what an agent is told or measures becomes what it registers with, and
// what is wrong is refused by name.

import (
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	c.WorkDir = t.TempDir()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Port != 5051 {
		t.Errorf("port %d", c.Port)
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	c := Config{IP: "x", AdvertiseIP: "y", Port: -1, AdvertisePort: 70000, WorkDir: "rel", MaxCompletedFrameworks: -1, MaxCompletedTasksPerFramework: -1}
	err := c.Validate()
	if !errors.Is(err, errs.Invalid) {
		t.Fatalf("Validate = %v", err)
	}
	for _, field := range []string{
		"ip", "advertise_ip", "port", "advertise_port", "hostname", "work_dir", "usage_interval",
		"registration_backoff_factor", "executor_shutdown_grace_period", "max_completed_frameworks", "max_completed_executors_per_framework",
	} {
		if !strings.Contains(err.Error(), field+" ") {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
}

func TestCapacity(t *testing.T) {
	big := machine{cpus: 8, memBytes: 16 << 30, diskBytes: 100 << 30}
	for _, tc := range []struct {
		flag string
		m    machine
		want string
	}{
		{"", big, "cpus:8;mem:15360;disk:97280;ports:[31000-32000]"},
		{"", machine{2, 1 << 30, 6 << 30}, "cpus:2;mem:512;disk:3072;ports:[31000-32000]"},
		{"cpus:0.5;ports:[1-2]", big, "cpus:0.5;mem:15360;disk:97280;ports:[1-2]"},
		{"cpus(web):2", big, "cpus(web):2;mem:15360;disk:97280;ports:[31000-32000]"},
		{"mem:1;disk:2;cpus:3;ports:[4-5];gpus:1", big, "mem:1;disk:2;cpus:3;ports:[4-5];gpus:1"},
	} {
		got, err := capacity(tc.flag, tc.m)
		if want := resources.MustParse(tc.want); err != nil || !got.Equal(want) {
			t.Errorf("%q of %+v: %v, %v, want %v", tc.flag, tc.m, got, err, want)
		}
	}
	for _, flag := range []string{"cpus:-1", "cpus", "ports:[2-1]", "cpus:nan"} {
		if _, err := capacity(flag, big); !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), flag) {
			t.Errorf("%q: %v", flag, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	got, err := parseAttributes(" rack : r1 ;size:4.5;ports:[1-2, 5-5];os:{a,b};url:http://h:80/; ;\nzone:1e400")
	if err != nil {
		t.Fatal(err)
	}
	want := &v1.AgentInfo{}
	text := `
		attributes { name: "rack" type: TEXT text { value: "r1" } }
		attributes { name: "size" type: SCALAR scalar { value: 4.5 } }
		attributes { name: "ports" type: RANGES ranges { range { begin: 1 end: 2 } range { begin: 5 end: 5 } } }
		attributes { name: "os" type: SET set { item: "a" item: "b" } }
		attributes { name: "url" type: TEXT text { value: "http://h:80/" } }
		attributes { name: "zone" type: TEXT text { value: "1e400" } }`
	if err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Attributes, got, protocmp.Transform()); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"rack", ":x", "rack:", "p:[2-1]", "p:[", "s:{a", "p:[]", "a:1;b"} {
		if _, err := parseAttributes(bad); !errors.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzAttributes: nothing panics, and what is accepted can be told and shown.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{"a:b", "a:1;b:[1-2]", "a:{x}", "a:inf", "a:0x1p-2", ":", "a:[", "\xff:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseAttributes(text)
		if err != nil {
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("class of %v", err)
			}
			return
		}
		for _, a := range list {
			set := 0
			for _, is := range []bool{a.Scalar != nil, a.Ranges != nil, a.Set != nil, a.Text != nil} {
				if is {
					set++
				}
			}
			if set != 1 || a.GetName() == "" || math.IsNaN(a.GetScalar().GetValue()) || math.IsInf(a.GetScalar().GetValue(), 0) {
				t.Fatalf("%q gives %v", text, a)
			}
		}
		attributesModel(list)
	})
}

func TestAddress(t *testing.T) {
	bound := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 5051}
	for _, tc := range []struct {
		c    Config
		addr *net.TCPAddr
		want string
	}{
		{Config{}, bound, "10.1.2.3:5051"},
		{Config{AdvertiseIP: "1.2.3.4"}, bound, "1.2.3.4:5051"},
		{Config{AdvertisePort: 80}, bound, "10.1.2.3:80"},
		{Config{}, &net.TCPAddr{IP: net.IPv6loopback, Port: 1}, "[::1]:1"},
		{Config{}, &net.TCPAddr{IP: net.IPv6unspecified, Port: 1}, firstIP() + ":1"},
	} {
		if got := hostPort(tc.c.address(tc.addr)); got != tc.want {
			t.Errorf("%+v on %v: %s, want %s", tc.c, tc.addr, got, tc.want)
		}
	}
	if ip := net.ParseIP(firstIP()); ip == nil || ip.To4() == nil {
		t.Errorf("first address %q", firstIP())
	}
}

func TestIdentityOutlivesTheProcess(t *testing.T) {
	work := t.TempDir()
	h, err := openHome(work)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(work); !errors.Is(err, errs.Conflict) || !strings.Contains(err.Error(), work) {
		t.Errorf("a second agent on one work_dir: %v", err)
	}
	if i, err := h.load(); err != nil || i != (identity{}) {
		t.Errorf("a new agent is %v, %v", i, err)
	}
	want := identity{Version: 1, AgentID: "m-S0", BootID: "b"}
	for _, err := range []error{h.save(identity{AgentID: "old"}), h.save(want), h.close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if h, err = openHome(work); err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if got, err := h.load(); err != nil || got != want {
		t.Errorf("loaded %v, %v", got, err)
	}
	// Nothing is written where nothing changes: the disk may be full by now.
	if err := os.Mkdir(h.identityPath()+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := h.save(want); err != nil {
		t.Error(err)
	}
	if err := h.save(identity{AgentID: "other"}); err == nil {
		t.Error("a change was not written, and nobody told")
	}
	for range 2 {
		if err := h.forget(); err != nil {
			t.Error(err)
		}
	}
	if i, err := h.load(); err != nil || i != (identity{}) {
		t.Errorf("after forget %v, %v", i, err)
	}
}

func TestCorruptIdentityIsNamed(t *testing.T) {
	work := t.TempDir()
	h, err := openHome(work)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	path := filepath.Join(work, "meta", "identity.json")
	for _, text := range []string{"", "{", `{"version":2,"agent_id":"a"}`, `{"version":1}`, `{"version":1,"agent_id":"../x"}`, "\x00\x01"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := h.load(); !errors.Is(err, errs.Corrupt) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
