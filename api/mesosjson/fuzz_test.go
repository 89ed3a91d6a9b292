package mesosjson_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"mezzo/api/mesosjson"

	"mezzo/api/mesos/v1/scheduler"
)

// checkStable: no text makes Unmarshal panic, and what it reads is written as a
// text that is written the same once more. Messages are not compared, because
// writing sets defaults and NaN is not equal to itself.
func checkStable(t *testing.T, text string, fresh func() proto.Message) {
	m := fresh()
	if err := mesosjson.Unmarshal([]byte(text), m); err != nil {
		return
	}
	written, err := mesosjson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(written) {
		t.Fatalf("not JSON: %s", written)
	}
	m = fresh()
	if err := mesosjson.Unmarshal(written, m); err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	again, err := mesosjson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(written) {
		t.Errorf("first  %s\nsecond %s", written, again)
	}
}

func FuzzKinds(f *testing.F) {
	md := kinds(f)
	f.Add(`{"o_double":-1.5e-7,"r_float":["Infinity",0.1],"m_uint64":{"1":"18446744073709551615"},"o_enum":"GREEN"}`)
	f.Add(`{"o_message":{"r_message":[{},null,{"o_bytes":"_-8"}]},"m_string":{"\u00e9":"\ud834\udd1e"},"r_int32":3}`)
	f.Add(`{"o_string":"x","o_string":null,"zz":[[[{"a":tru`)
	f.Fuzz(func(t *testing.T, text string) {
		checkStable(t, text, func() proto.Message { return dynamicpb.NewMessage(md) })
	})
}

func FuzzCall(f *testing.F) {
	f.Add(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","capabilities":[{"type":"MULTI_ROLE"}],"offer_filters":{"r":{}}}}}`)
	f.Add(`{"framework_id":{"value":"f"},"type":"ACCEPT","accept":{"offer_ids":[{"value":"o"}],"operations":[{"type":"LAUNCH","launch":{"task_infos":[{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":2}]}}],"data":"AA=="}]}}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		checkStable(t, text, func() proto.Message { return &scheduler.Call{} })
	})
}

// FuzzSyntax: what is taken, skipped values included, is JSON to encoding/json.
func FuzzSyntax(f *testing.F) {
	f.Add(`{"x":{"a":[1,2.5e-3,"\u00e9\n",true,false,null,{}]}}`)
	f.Add(`{"x":01}`)
	f.Add(`{"x":[1,],}`)
	f.Fuzz(func(t *testing.T, text string) {
		err := mesosjson.Unmarshal([]byte(text), &scheduler.Call{})
		if err == nil && !json.Valid([]byte(text)) {
			t.Errorf("took %q, which is not JSON", text)
		}
	})
}
