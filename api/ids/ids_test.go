package ids_test

import (
	"errors"
	"strings"
	"testing"

	"mezzo/api/ids"
	"mezzo/internal/errs"
)

func TestValidate(t *testing.T) {
	for id, want := range map[string]string{
		"a": "", "web.1": "", "...": "", " ": "", "grüße": "", "a:b": "", "\xff": "",
		strings.Repeat("x", 255):      "",
		strings.Repeat("x", 256):      `task id "` + strings.Repeat("x", 32) + `"… has 256 bytes, more than 255: invalid`,
		strings.Repeat("\u00e9", 128): `task id "` + strings.Repeat("\u00e9", 32) + `"… has 256 bytes, more than 255: invalid`,
		"":                            `task id is empty: invalid`,
		".":                           `task id "." names a directory: invalid`,
		"..":                          `task id ".." names a directory: invalid`,
		"a/b":                         `task id "a/b" has a slash, backslash or control character: invalid`,
		`a\b`:                         `task id "a\\b" has a slash, backslash or control character: invalid`,
		"a\n":                         `task id "a\n" has a slash, backslash or control character: invalid`,
		"\x00":                        `task id "\x00" has a slash, backslash or control character: invalid`,
		"a\x7f":                       `task id "a\x7f" has a slash, backslash or control character: invalid`,
	} {
		err := ids.Validate("task", id)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", id, err)
		case want != "" && (!errors.Is(err, errs.Invalid) || err.Error() != want):
			t.Errorf("%q: error %v, want %s", id, err, want)
		}
	}
}

func TestProto(t *testing.T) {
	for got, want := range map[string]string{
		ids.FrameworkID("f").Proto().GetValue(): "f",
		ids.AgentID("a").Proto().GetValue():     "a",
		ids.OfferID("o").Proto().GetValue():     "o",
		ids.TaskID("t").Proto().GetValue():      "t",
		ids.ExecutorID("e").Proto().GetValue():  "e",
		ids.ContainerID("c").Proto().GetValue(): "c",
	} {
		if got != want {
			t.Errorf("value %q, want %q", got, want)
		}
	}
}
