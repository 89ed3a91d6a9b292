package mesosjson_test

// Goal: the text is Mesos', not protobuf's canonical JSON; bad text gets an
// error that names the place. Method: tables over real API messages and over
// one dynamic message that has every kind of field (kinds_test.go).

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"mezzo/api/mesosjson"
	"mezzo/internal/errs"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesos/v1/scheduler"
)

func TestMarshal(t *testing.T) {
	for _, tc := range []struct {
		name string
		m    proto.Message
		want string
	}{
		{"empty", &scheduler.Call{}, `{}`},
		{"enum by name, declared order", &scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), FrameworkId: &v1.FrameworkID{Value: proto.String("f-1")}},
			`{"framework_id":{"value":"f-1"},"type":"REVIVE"}`},
		{"enum without name", &scheduler.Call{Type: scheduler.Call_Type(99).Enum()}, `{"type":99}`},
		{"defaults", &v1.Filters{}, `{"refuse_seconds":5.0}`},
		{"no deprecated defaults", &v1.FrameworkInfo{User: proto.String(""), Name: proto.String("n")},
			`{"user":"","name":"n","failover_timeout":0.0,"checkpoint":false}`},
		{"64-bit integers as numbers", &v1.Value_Range{Begin: proto.Uint64(0), End: proto.Uint64(math.MaxUint64)},
			`{"begin":0,"end":18446744073709551615}`},
		{"negative integer", &v1.TimeInfo{Nanoseconds: proto.Int64(math.MinInt64)}, `{"nanoseconds":-9223372036854775808}`},
		{"duration is a message", &master.Call_DrainAgent{AgentId: &v1.AgentID{Value: proto.String("a")}, MaxGracePeriod: &durationpb.Duration{Seconds: 600}},
			`{"agent_id":{"value":"a"},"max_grace_period":{"seconds":600},"mark_gone":false}`},
		{"bytes", &v1.TaskStatus{TaskId: &v1.TaskID{Value: proto.String("t")}, State: v1.TaskState_TASK_RUNNING.Enum(), Data: []byte{0xff, 0xef, 0xbe, 1}, Uuid: []byte{}},
			`{"task_id":{"value":"t"},"state":"TASK_RUNNING","data":"/+++AQ==","uuid":""}`},
		{"list and empty list", &v1.Value_Ranges{Range: []*v1.Value_Range{{Begin: proto.Uint64(1), End: proto.Uint64(2)}, {Begin: proto.Uint64(4), End: proto.Uint64(4)}}},
			`{"range":[{"begin":1,"end":2},{"begin":4,"end":4}]}`},
		{"map in key order", &v1.OfferFilters_ResourceQuantities{Quantities: map[string]*v1.Value_Scalar{"mem": scalar(32), "cpus": scalar(.1), "disk": scalar(0)}},
			`{"quantities":{"cpus":{"value":0.1},"disk":{"value":0.0},"mem":{"value":32.0}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := mesosjson.Marshal(tc.m)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, string(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestMarshalRequired(t *testing.T) {
	_, err := mesosjson.Marshal(&v1.TaskInfo{Name: proto.String("n"), TaskId: &v1.TaskID{Value: proto.String("t")}})
	const want = "write mesos.v1.TaskInfo: agent_id is missing: invalid"
	if !errors.Is(err, errs.Invalid) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestFloats(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", math.Copysign(0, -1): "-0.0", 1: "1.0", -2.5: "-2.5", 0.1: "0.1", 1.0 / 3: "0.3333333333333333",
		1e6: "1000000.0", 123456789012: "123456789012.0", 1e20: "100000000000000000000.0", 1e21: "1e+21",
		1e-6: "0.000001", 1e-7: "1e-07", math.MaxFloat64: "1.7976931348623157e+308", math.SmallestNonzeroFloat64: "5e-324",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`,
	} {
		text, err := mesosjson.Marshal(scalar(f))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(text); got != `{"value":`+want+`}` {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
		var back v1.Value_Scalar
		if err := mesosjson.Unmarshal(text, &back); err != nil || math.Float64bits(back.GetValue()) != math.Float64bits(f) {
			t.Errorf("%v: read back as %v, %v", f, back.GetValue(), err)
		}
	}
	text, err := mesosjson.Marshal(scalar(math.NaN()))
	if err != nil || string(text) != `{"value":"NaN"}` {
		t.Errorf("NaN: %s, %v", text, err)
	}
}

func scalar(f float64) *v1.Value_Scalar { return &v1.Value_Scalar{Value: proto.Float64(f)} }

func TestStrings(t *testing.T) {
	for s, want := range map[string]string{
		"":              `""`,
		"plain":         `"plain"`,
		"\"\\/":         `"\"\\/"`,
		"a\nb\rc\td":    `"a\nb\rc\td"`,
		"\x00\b\f\x1f":  `"\u0000\u0008\u000c\u001f"`,
		"\x7f<&>":       "\"\x7f<&>\"",
		"grüße 𝄞\u2028": "\"grüße 𝄞\u2028\"",
		"\ufffd":        "\"\ufffd\"",
		"a\xffb\xc3":    "\"a\ufffdb\ufffd\"",
		"\xed\xa0\x80":  "\"\ufffd\ufffd\ufffd\"",
	} {
		text, err := mesosjson.Marshal(&v1.TaskID{Value: &s})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(text); got != `{"value":`+want+`}` {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
		var back v1.TaskID
		if err := mesosjson.Unmarshal(text, &back); err != nil || back.GetValue() != validString(s) {
			t.Errorf("%q: read back as %q, %v", s, back.GetValue(), err)
		}
	}
}

// validString replaces each bad byte, where strings.ToValidUTF8 joins runs.
func validString(s string) string { return string([]rune(s)) }

func TestUnmarshal(t *testing.T) {
	call := func(c scheduler.Call_Type) *scheduler.Call { return &scheduler.Call{Type: c.Enum()} }
	for _, tc := range []struct {
		name, in string
		want     proto.Message
	}{
		{"empty", `{}`, &scheduler.Call{}},
		{"white space", " \t\r\n{ \"type\" :\n\"REVIVE\" } \n", call(scheduler.Call_REVIVE)},
		{"unknown fields", `{"x":{"y":[1,-2.5e+3,"\u00e9",true,false,null,{}]},"type":"REVIVE","z":[]}`, call(scheduler.Call_REVIVE)},
		{"camel case is unknown", `{"frameworkId":{"value":"f"},"type":"REVIVE"}`, call(scheduler.Call_REVIVE)},
		{"null for every sort of field", `{"type":"REVIVE","framework_id":null,"accept":{"offer_ids":null,"filters":null,"operations":[null]}}`,
			&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Accept: &scheduler.Call_Accept{}}},
		{"null element and null map value", `{"quantities":{"cpus":{"value":1},"mem":null}}`,
			&v1.OfferFilters_ResourceQuantities{Quantities: map[string]*v1.Value_Scalar{"cpus": scalar(1)}}},
		{"null enum", `{"type":null}`, &scheduler.Call{}},
		{"unknown enum name becomes UNKNOWN", `{"type":"FROBNICATE"}`, call(scheduler.Call_UNKNOWN)},
		{"enum number", `{"type":5}`, call(scheduler.Call_REVIVE)},
		{"unknown enum number", `{"type":99}`, call(99)},
		{"unknown reason is dropped", `{"task_id":{"value":"t"},"state":"TASK_LOST","reason":"REASON_NEW"}`,
			&v1.TaskStatus{TaskId: &v1.TaskID{Value: proto.String("t")}, State: v1.TaskState_TASK_LOST.Enum()}},
		{"last key counts", `{"type":"REVIVE","type":"SUPPRESS"}`, call(scheduler.Call_SUPPRESS)},
		{"last key counts, not merged", `{"decline":{"offer_ids":[{"value":"a"}]},"decline":{"filters":{}}}`,
			&scheduler.Call{Decline: &scheduler.Call_Decline{Filters: &v1.Filters{}}}},
		{"null as last key", `{"type":"REVIVE","type":null}`, &scheduler.Call{}},
		{"one value for a list", `{"offer_ids":{"value":"a"}}`, &scheduler.Call_Decline{OfferIds: []*v1.OfferID{{Value: proto.String("a")}}}},
		{"number in a string", `{"begin":"18446744073709551615","end":"1e3"}`, &v1.Value_Range{Begin: proto.Uint64(math.MaxUint64), End: proto.Uint64(1000)}},
		{"whole float for an integer", `{"begin":3.0,"end":-0.0}`, &v1.Value_Range{Begin: proto.Uint64(3), End: proto.Uint64(0)}},
		{"float in a string", `{"value":"2.5"}`, scalar(2.5)},
		{"infinity", `{"value":"Infinity"}`, scalar(math.Inf(1))},
		{"boolean in a string", `{"user":"u","name":"n","checkpoint":"true"}`,
			&v1.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Checkpoint: proto.Bool(true)}},
		{"base64 of any sort", `{"type":"REVIVE","message":{"agent_id":{"value":"a"},"executor_id":{"value":"e"},"data":"_---\n AQ"}}`,
			&scheduler.Call{Type: scheduler.Call_REVIVE.Enum(), Message: &scheduler.Call_Message{AgentId: &v1.AgentID{Value: proto.String("a")}, ExecutorId: &v1.ExecutorID{Value: proto.String("e")}, Data: []byte{0xff, 0xef, 0xbe, 1}}}},
		{"escapes", `{"value":"\"\\\/\b\f\n\r\t\u00e9\uD834\udd1e"}`, &v1.TaskID{Value: proto.String("\"\\/\b\f\n\r\té𝄞")}},
		{"duration", `{"agent_id":{"value":"a"},"max_grace_period":{"seconds":600}}`,
			&master.Call_DrainAgent{AgentId: &v1.AgentID{Value: proto.String("a")}, MaxGracePeriod: &durationpb.Duration{Seconds: 600}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.want.ProtoReflect().New().Interface()
			if err := mesosjson.Unmarshal([]byte(tc.in), got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got, protocmp.Transform()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestUnmarshalReplaces(t *testing.T) {
	m := &v1.TaskID{Value: proto.String("old")}
	if err := mesosjson.Unmarshal([]byte(`{}`), m); err == nil || m.Value != nil {
		t.Errorf("left %v, error %v", m, err)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	for _, tc := range []struct {
		in   string
		m    proto.Message
		want string // of the error, less its beginning and end
	}{
		{``, &scheduler.Call{}, `want an object, found the end`},
		{`null`, &scheduler.Call{}, `want an object, found null`},
		{`[{}]`, &scheduler.Call{}, `want an object, found a list`},
		{`{} x`, &scheduler.Call{}, `byte 3: text after the message`},
		{`{}{}`, &scheduler.Call{}, `byte 2: text after the message`},
		{"{}\x00", &scheduler.Call{}, `byte 2: text after the message`},
		{`{`, &scheduler.Call{}, `byte 1: want a key, found the end`},
		{`{"type"`, &scheduler.Call{}, `byte 7: want ':', found the end`},
		{`{"type":`, &scheduler.Call{}, `type: want a name of mesos.v1.scheduler.Call.Type, found the end`},
		{`{"type":"REVIVE"`, &scheduler.Call{}, `byte 16: want ',' or '}', found the end`},
		{`{"type":"REVIVE",}`, &scheduler.Call{}, `byte 17: want a key, found '}'`},
		{`{,}`, &scheduler.Call{}, `byte 1: want a key, found ','`},
		{`{type:1}`, &scheduler.Call{}, `byte 1: want a key, found a boolean`},
		{`{"x":[1 2]}`, &scheduler.Call{}, `byte 8: want ',' or ']', found a number`},
		{`{"x":[1,]}`, &scheduler.Call{}, `byte 8: want a value, found ']'`},
		{`{"x":01}`, &scheduler.Call{}, `byte 6: want ',' or '}', found a number`},
		{`{"x":-}`, &scheduler.Call{}, `byte 5: malformed number`},
		{`{"x":1.}`, &scheduler.Call{}, `byte 5: malformed number`},
		{`{"x":1e}`, &scheduler.Call{}, `byte 5: malformed number`},
		{`{"x":nul}`, &scheduler.Call{}, `byte 5: not JSON`},
		{`{"x":'a'}`, &scheduler.Call{}, `byte 5: want a value, found '\''`},
		{`{"x":"a`, &scheduler.Call{}, `byte 5: string without end`},
		{`{"x":"\n`, &scheduler.Call{}, `byte 5: string without end`},
		{`{"x":"\`, &scheduler.Call{}, `byte 6: escape without end`},
		{`{"x":"\x"}`, &scheduler.Call{}, `byte 6: unknown escape`},
		{`{"x":"\u12g4"}`, &scheduler.Call{}, `byte 6: malformed \u escape`},
		{`{"x":"\ud834"}`, &scheduler.Call{}, `byte 6: malformed \u escape`},
		{`{"x":"\udd1e\ud834"}`, &scheduler.Call{}, `byte 6: malformed \u escape`},
		{"{\"x\":\"a\nb\"}", &scheduler.Call{}, `byte 7: control character in a string`},
		{"{\"x\":\"\\n\nb\"}", &scheduler.Call{}, `byte 8: control character in a string`},
		{"{\"x\":\"\xff\"}", &scheduler.Call{}, `not UTF-8`},
		{"\ufeff{}", &scheduler.Call{}, "want an object, found '\\ufeff'"},
		{`{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, &scheduler.Call{}, `byte 204: nested deeper than 200`},

		{`{"type":"REVIVE","framework_id":"f"}`, &scheduler.Call{}, `framework_id: want an object, found a string`},
		{`{"type":true}`, &scheduler.Call{}, `type: want a name of mesos.v1.scheduler.Call.Type, found a boolean`},
		{`{"type":1.5}`, &scheduler.Call{}, `type: 1.5 is no whole number within 2^53`},
		{`{"decline":{"offer_ids":[{"value":"a"},{"value":7}]}}`, &scheduler.Call{}, `decline.offer_ids[1].value: want a string, found a number`},
		{`{"decline":{"offer_ids":[[]]}}`, &scheduler.Call{}, `decline.offer_ids[0]: want an object, found a list`},
		{`{"decline":{"offer_ids":[{"value":"a"},{}]}}`, &scheduler.Call{}, `decline.offer_ids[1].value is missing`},
		{`{"decline":{"offer_ids":[{"value":null}]}}`, &scheduler.Call{}, `decline.offer_ids[0].value is missing`},
		{`{"decline":{"filters":{"refuse_seconds":"soon"}}}`, &scheduler.Call{}, `decline.filters.refuse_seconds: "soon" is no number`},
		{`{"decline":{"filters":{"refuse_seconds":""}}}`, &scheduler.Call{}, `decline.filters.refuse_seconds: "" is no number`},
		{`{"decline":{"filters":{"refuse_seconds":"inf"}}}`, &scheduler.Call{}, `decline.filters.refuse_seconds: "inf" is no number`},
		{`{"decline":{"filters":{"refuse_seconds":1e400}}}`, &scheduler.Call{}, `decline.filters.refuse_seconds: 1e400 is out of range for a 64-bit float`},
		{`{"quantities":{"cpus":{"value":1},"a/b":{"value":[]}}}`, &v1.OfferFilters_ResourceQuantities{}, `quantities["a/b"].value: want a number, found a list`},
		{`{"quantities":{"cpus":{}}}`, &v1.OfferFilters_ResourceQuantities{}, `quantities["cpus"].value is missing`},
		{`{"quantities":[]}`, &v1.OfferFilters_ResourceQuantities{}, `quantities: want an object, found a list`},
		{`{"begin":-1,"end":1}`, &v1.Value_Range{}, `begin: -1 is out of range for an unsigned 64-bit integer`},
		{`{"begin":18446744073709551616}`, &v1.Value_Range{}, `begin: 18446744073709551616 is out of range for an unsigned 64-bit integer`},
		{`{"begin":1.5}`, &v1.Value_Range{}, `begin: 1.5 is no whole number within 2^53`},
		{`{"begin":1e30}`, &v1.Value_Range{}, `begin: 1e30 is no whole number within 2^53`},
		{`{"begin":"0x10"}`, &v1.Value_Range{}, `begin: "0x10" is no number`},
		{`{"begin":"+1"}`, &v1.Value_Range{}, `begin: "+1" is no number`},
		{`{"begin":" 1"}`, &v1.Value_Range{}, `begin: " 1" is no number`},
		{`{"nanoseconds":9223372036854775808}`, &v1.TimeInfo{}, `nanoseconds: 9223372036854775808 is out of range for a signed 64-bit integer`},
		{`{"task_id":{"value":"t"},"state":"TASK_HAPPY"}`, &v1.TaskStatus{}, `state: "TASK_HAPPY" is no mesos.v1.TaskState`},
		{`{"task_id":{"value":"t"},"state":"TASK_LOST","data":"a*b="}`, &v1.TaskStatus{}, `data: not base64`},
		{`{"task_id":{"value":"t"},"state":"TASK_LOST","data":[1,2]}`, &v1.TaskStatus{}, `data: want base64 in a string, found a list`},
		{`{"task_id":{"value":"t"},"state":"TASK_LOST","healthy":"yes"}`, &v1.TaskStatus{}, `healthy: want true or false, found "yes"`},
		{`{"task_id":{"value":"t"},"state":"TASK_LOST","healthy":1}`, &v1.TaskStatus{}, `healthy: want a boolean, found a number`},
	} {
		t.Run(tc.in, func(t *testing.T) {
			err := mesosjson.Unmarshal([]byte(tc.in), tc.m)
			if !errors.Is(err, errs.Invalid) {
				t.Fatalf("error %v is not of class Invalid", err)
			}
			want := "read " + string(tc.m.ProtoReflect().Descriptor().FullName()) + ": " + tc.want + ": invalid"
			if d := cmp.Diff(want, err.Error()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// Whoever sends megabytes gets back a sentence.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for _, in := range []string{
		`{"type":` + long + `}`, `{"type":1` + long + `.5}`, `{"decline":{"filters":{"refuse_seconds":"x` + long + `"}}}`,
		`{"decline":{"filters":{"refuse_seconds":` + long + `}}}`,
		`{"subscribe":{"offer_constraints":{"role_constraints":{"` + long + `":1}}}}`,
		`{"subscribe":{"framework_info":{"user":"u","name":"n","offer_filters":{"r":{"min_allocatable_resources":{"quantities":{"quantities":{"` + long + `":{}}}}}}}}}`,
	} {
		if err := mesosjson.Unmarshal([]byte(in), &scheduler.Call{}); err == nil || len(err.Error()) > 400 {
			t.Errorf("error %.400v", err)
		}
	}
}
