package master_test

import (
	"fmt"
	"net/url"
	"testing"
)

// TestOperationsHistory: an operator reserves, makes a volume, and takes both back,
// by calls and by forms.
func TestOperationsHistory(t *testing.T) {
	m, agent := joined(t)
	id := agent.GetValue()
	const (
		plain   = `{"name":"cpus","type":"SCALAR","scalar":{"value":1}%s}`
		dynamic = `,"reservations":[{"type":"DYNAMIC","role":"r","principal":"op"}]`
		disk    = `{"name":"disk","type":"SCALAR","scalar":{"value":10},"reservations":[{"type":"STATIC","role":"eng"},{"type":"DYNAMIC","role":"eng/r","principal":"op"}]%s}`
		volume  = `,"disk":{"persistence":{"id":"v"},"volume":{"container_path":"data","mode":"RW"}}`
	)
	cpus, reserved, vol := fmt.Sprintf(plain, ""), fmt.Sprintf(plain, dynamic), fmt.Sprintf(disk, volume)
	call := func(kind, field string, of ...string) string {
		return callText(kind, fmt.Sprintf(`{"agent_id":{"value":%q},%q:[%s]}`, id, field, of[0]))
	}
	form := func(field, value string) string { return url.Values{"slaveId": {id}, field: {value}}.Encode() }
	asks(t, m, []row{
		{"POST", "/api/v1", `{"type":"RESERVE_RESOURCES"}`, 400, "reserve_resources is missing"},
		{"POST", "/api/v1", callText("RESERVE_RESOURCES", `{"agent_id":{"value":"nobody"},"resources":[`+reserved+`]}`), 400, `agent "nobody" is not registered`},
		{"POST", "/api/v1", call("RESERVE_RESOURCES", "resources", cpus), 400, "not dynamically reserved"},
		{"POST", "/api/v1", call("UNRESERVE_RESOURCES", "resources", reserved), 409, "is not in"},
		{"POST", "/api/v1", call("RESERVE_RESOURCES", "resources", reserved), 202, ""},
		{"POST", "/api/v1", `{"type":"GET_OPERATIONS"}`, 200, `"state":"OPERATION_PENDING"`},
		{"GET", "/slaves", "", 200, `"r":{"cpus":1,"disk":0,"gpus":0,"mem":0}`},
		{"POST", "/reserve", form("resources", `[`+fmt.Sprintf(disk, "")+`]`), 202, ""},
		{"POST", "/api/v1", call("CREATE_VOLUMES", "volumes", vol), 202, ""},
		{"POST", "/create-volumes", form("volumes", `[`+vol+`]`), 400, "has a volume"},
		{"POST", "/master/unreserve", form("resources", `[`+fmt.Sprintf(disk, "")+`]`), 409, "is not in"},
		{"POST", "/destroy-volumes", form("volumes", `[`+vol+`]`), 202, ""},
		{"POST", "/unreserve", form("resources", `[`+fmt.Sprintf(disk, "")+`,`+reserved+`]`), 202, ""},
		{"POST", "/unreserve", form("resources", ``), 400, "missing 'resources'"},
		{"POST", "/unreserve", form("resources", `{}`), 400, "read resources"},
		{"POST", "/unreserve", form("resources", `[1]`), 400, "read resource 0"},
		{"POST", "/unreserve", `slaveId=%zz`, 400, "read form"},
		{"GET", "/reserve", "", 405, "POST"},
		{"POST", "/api/v1", `{"type":"TEARDOWN"}`, 400, "teardown is missing"},
		{"POST", "/api/v1", callText("TEARDOWN", `{"framework_id":{"value":"nobody"}}`), 400, `framework "nobody"`},
		{"POST", "/teardown", "frameworkId=nobody", 400, `framework "nobody"`},
		{"POST", "/teardown", "", 400, "missing 'frameworkId'"},
	})
}
