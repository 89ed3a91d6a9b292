package master_test

import "testing"

// TestFiles: goal, that the master's log can be read as tools read it, and nothing
// else of the machine.
func TestFiles(t *testing.T) {
	m := start(t, nil)
	call := func(kind, body string) string { return callText(kind, body) }
	asks(t, m, []row{
		{"GET", "/files/read?path=/master/log&offset=5&length=3", "", 200, `{"data":"was","offset":5}`},
		{"GET", "/master/files/read.json?path=/master/log", "", 200, `{"data":"","offset":15}`},
		{"GET", "/files/read?path=/master/log&offset=x", "", 400, "not a number"},
		{"GET", "/files/read", "", 400, "path"},
		{"GET", "/files/read?path=/etc/passwd&offset=0", "", 404, "/etc/passwd"},
		{"GET", "/files/read?path=/master/log/../../etc/passwd&offset=0", "", 404, "is not here"},
		{"GET", "/files/browse?path=/master/log", "", 400, "not a directory"},
		{"GET", "/files/download?path=/master/log", "", 200, "what was logged"},
		{"GET", "/files/debug", "", 200, `"/master/log":"/`},
		{"POST", "/files/read?path=/master/log", "", 405, "GET"},
		{"POST", "/api/v1", call("READ_FILE", `{"path":"/master/log","offset":0,"length":4}`), 200, `"data":"d2hhdA=="`},
		{"POST", "/api/v1", call("READ_FILE", `{"path":"/etc/passwd","offset":0}`), 404, "/etc/passwd"},
		{"POST", "/api/v1", `{"type":"READ_FILE"}`, 400, "read_file is missing"},
		{"POST", "/api/v1", call("LIST_FILES", `{"path":"/master/log"}`), 400, "not a directory"},
		{"POST", "/api/v1", `{"type":"LIST_FILES"}`, 400, "list_files is missing"},
	})
}
