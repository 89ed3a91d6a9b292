package flags_test

// Goal: each way of giving a flag does what it does in Mesos, the stronger
// source wins, and what is wrong is named. Method: tables over one Set.

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mezzo/internal/errs"
	"mezzo/internal/flags"
)

// config is what the flags of the tests set.
type config struct {
	IP, Password string
	WorkDir      string
	Port         int
	Strict       bool
	Roles        []string
	Timeout      time.Duration
}

func newSet() (*flags.Set, *config) {
	c := &config{Port: 5050, Strict: true, Timeout: 75 * time.Second}
	s := flags.New()
	s.String(&c.IP, "ip", "Address.")
	s.Secret(&c.Password, "password", "Never shown.")
	s.Path(&c.WorkDir, "work_dir", "Directory.")
	s.Int(&c.Port, "port", "Port.")
	s.Bool(&c.Strict, "strict", "Whether.")
	s.Strings(&c.Roles, "roles", "Roles.")
	s.Duration(&c.Timeout, "agent_ping_timeout", "Time.\nAnd more.")
	s.Alias("slave_ping_timeout", "agent_ping_timeout")
	return s, c
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	secret := write(t, "  s3cret\n")
	file := write(t, "# for the tests\n\nip = 3.3.3.3\nport=3\nroles=a, b\n")
	base := func(change func(*config)) config {
		c := config{Port: 5050, Strict: true, Timeout: 75 * time.Second}
		change(&c)
		return c
	}
	for _, tc := range []struct {
		name      string
		args, env []string
		want      config
	}{
		{"defaults", nil, nil, base(func(*config) {})},
		{"equals sign", []string{"--ip=1.1.1.1", "--port=1"}, nil, base(func(c *config) { c.IP, c.Port = "1.1.1.1", 1 })},
		{"two words", []string{"--port", "1"}, nil, base(func(c *config) { c.Port = 1 })},
		{"empty value", []string{"--ip="}, []string{"MESOS_IP=2.2.2.2"}, base(func(*config) {})},
		{"equals sign in the value", []string{"--ip=a=b"}, nil, base(func(c *config) { c.IP = "a=b" })},
		{"no", []string{"--no-strict"}, nil, base(func(c *config) { c.Strict = false })},
		{"bool with value", []string{"--strict=false"}, nil, base(func(c *config) { c.Strict = false })},
		{"bool by number", []string{"--strict=0"}, nil, base(func(c *config) { c.Strict = false })},
		{"bool alone", []string{"--strict"}, []string{"MESOS_STRICT=false"}, base(func(*config) {})},
		{"environment, upper case", nil, []string{"MESOS_IP=2.2.2.2", "PATH=/bin"}, base(func(c *config) { c.IP = "2.2.2.2" })},
		{"environment, as in the deck", nil, []string{"MESOS_ip=2.2.2.2"}, base(func(c *config) { c.IP = "2.2.2.2" })},
		{"environment, own prefix first", nil, []string{"MESOS_PORT=2", "MEZZO_PORT=4"}, base(func(c *config) { c.Port = 4 })},
		{"environment, empty", nil, []string{"MESOS_PORT="}, base(func(*config) {})},
		{"flag over environment over file", []string{"--ip=1.1.1.1", "--config=" + file}, []string{"MESOS_IP=2.2.2.2", "MESOS_PORT=2"},
			base(func(c *config) { c.IP, c.Port, c.Roles = "1.1.1.1", 2, []string{"a", "b"} })},
		{"file named by the environment", nil, []string{"MEZZO_CONFIG=" + file}, base(func(c *config) { c.IP, c.Port, c.Roles = "3.3.3.3", 3, []string{"a", "b"} })},
		{"value from a file", []string{"--password=file://" + secret}, nil, base(func(c *config) { c.Password = "s3cret" })},
		{"path", []string{"--work_dir=file:///w"}, []string{"MEZZO_CONFIG=file://" + file}, base(func(c *config) { c.WorkDir, c.IP, c.Port, c.Roles = "/w", "3.3.3.3", 3, []string{"a", "b"} })},
		{"old name", []string{"--slave_ping_timeout=10secs"}, nil, base(func(c *config) { c.Timeout = 10 * time.Second })},
		{"old name in the environment", nil, []string{"MESOS_SLAVE_PING_TIMEOUT=10secs"}, base(func(c *config) { c.Timeout = 10 * time.Second })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c := newSet()
			ignored, err := s.Parse(tc.args, tc.env)
			if err != nil || len(ignored) > 0 {
				t.Fatalf("Parse = %q, %v", ignored, err)
			}
			if d := cmp.Diff(tc.want, *c); d != "" {
				t.Errorf("config (-want +got):\n%s", d)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"--nope=1"}, "unknown flag --nope"},
		{[]string{"--work-dir=/x"}, "unknown flag --work-dir; did you mean --work_dir?"},
		{[]string{"--no-nope"}, "unknown flag --no-nope"},
		{[]string{"--no-port"}, "unknown flag --no-port"},
		{[]string{"--no-strict=true"}, "flag --no-strict takes no value"},
		{[]string{"--port"}, "flag --port needs a value"},
		{[]string{"--port", "--strict"}, "flag --port needs a value"},
		{[]string{"--port=x"}, `flag --port: value "x": want a whole number`},
		{[]string{"--strict=maybe"}, `flag --strict: value "maybe": want true or false`},
		{[]string{"--agent_ping_timeout=soon"}, "want a time like 15secs"},
		{[]string{"--port=1", "--port=2"}, "flag --port is given twice"},
		{[]string{"--slave_ping_timeout=1secs", "--agent_ping_timeout=2secs"}, "given twice"},
		{[]string{"--strict", "--no-strict"}, "flag --strict is given twice"},
		{[]string{"start"}, `argument "start"`},
		{[]string{"-p=1"}, `argument "-p=1"`},
		{[]string{"--"}, `argument "--"`},
		{[]string{"--ip=file:///no/such/file"}, "no such file"},
		{[]string{"--config=/no/such/file"}, "no such file"},
		{[]string{"--config=" + write(t, "port=1\nnope=2\n")}, `line 2: unknown flag "nope": invalid`},
		{[]string{"--config=" + write(t, "prot=1\n")}, `line 1: unknown flag "prot"; did you mean --port?`},
		{[]string{"--config=" + write(t, "port\n")}, "line 1: want name=value"},
		{[]string{"--config=" + write(t, "port=1\nport=2\n")}, "line 2: port is given twice"},
		{[]string{"--config=" + write(t, "config=x\n")}, `line 1: unknown flag "config"`},
		{[]string{"--config=" + write(t, "\nport=x\n")}, `line 2: value "x"`},
	} {
		s, _ := newSet()
		_, err := s.Parse(tc.args, nil)
		if !errors.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("Parse(%q) = %v, want one that says %q", tc.args, err, tc.says)
		}
	}
}

func TestParseTellsAllProblems(t *testing.T) {
	s, _ := newSet()
	_, err := s.Parse([]string{"--port=x"}, []string{"MESOS_STRICT=y"})
	if err == nil || !strings.Contains(err.Error(), "flag --port") || !strings.Contains(err.Error(), "variable MESOS_STRICT") {
		t.Errorf("Parse = %v", err)
	}
}

func TestUnknownVariablesAreReported(t *testing.T) {
	s, _ := newSet()
	got, err := s.Parse(nil, []string{"MESOS_SANDBOX=/x", "MEZZO_NOPE=1", "MESOS_PORT=1", "HOME=/root"})
	if d := cmp.Diff([]string{"MESOS_SANDBOX", "MEZZO_NOPE"}, got); err != nil || d != "" {
		t.Errorf("Parse = %v, ignored (-want +got):\n%s", err, d)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	s, _ := newSet()
	if _, err := s.Parse([]string{"--password=s3cret"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.Values(); got["password"] != "***" || got["port"] != "5050" || got["agent_ping_timeout"] != "75secs" {
		t.Errorf("values %v", got)
	}
}

func TestUsage(t *testing.T) {
	s, _ := newSet()
	const want = `  --agent_ping_timeout=VALUE  (default: 75secs)
      Time.
      And more.
  --config=VALUE
      File with lines name=value for flags given neither here nor in the environment.
  --ip=VALUE
      Address.
  --password=VALUE
      Never shown.
  --port=VALUE  (default: 5050)
      Port.
  --roles=VALUE
      Roles.
  --[no-]strict  (default: true)
      Whether.
  --work_dir=VALUE
      Directory.
`
	if d := cmp.Diff(want, s.Usage()); d != "" {
		t.Errorf("usage (-want +got):\n%s", d)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"15secs": 15 * time.Second, "1.5hrs": 90 * time.Minute, "10mins": 10 * time.Minute, "2weeks": 14 * 24 * time.Hour,
		"1days": 24 * time.Hour, "500ms": 500 * time.Millisecond, "1h30m": 90 * time.Minute, "0secs": 0, "-1secs": -time.Second,
	} {
		if got, err := flags.ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "secs", "1e300weeks", "1 sec", "NaNsecs", "5fortnights"} {
		if got, err := flags.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v", text, got)
		}
	}
}

// FuzzParse: no argument panics; what a duration prints reads back the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"--ip=1", "--no-strict", "--agent_ping_timeout=5mins", "--", "--=", "--port= ", "1.5hrs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s, _ := newSet()
		if !strings.Contains(arg, "file://") && !strings.HasPrefix(arg, "--config") {
			_, _ = s.Parse([]string{arg}, []string{"MESOS_" + arg})
		}
		d, err := flags.ParseDuration(arg)
		if err != nil {
			return
		}
		if again, err := flags.ParseDuration(flags.FormatDuration(d)); err != nil || again != d {
			t.Errorf("%q is %v, printed and read %v, %v", arg, d, again, err)
		}
	})
}
