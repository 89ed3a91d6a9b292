package mesosjson_test

// Goal: calls of clients that nobody here wrote are read as they are meant.
// Method: testdata/clients.txt holds what they send and below each what mezzo
// makes of it, as it writes it. Those of npm and mesos-go were caught on the
// wire (ids shortened), those of pymesos are what its source builds.

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"mezzo/api/mesosjson"

	"mezzo/api/mesos/v1/scheduler"
)

func TestClients(t *testing.T) {
	datadriven.RunTest(t, "testdata/clients.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "call" {
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		var call scheduler.Call
		if err := mesosjson.Unmarshal([]byte(d.Input), &call); err != nil {
			return err.Error() + "\n"
		}
		text, err := mesosjson.Marshal(&call)
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + "\n"
	})
}
