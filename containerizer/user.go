package containerizer

import (
	"bytes"
	"math"
	"strings"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// account is whom a container's process runs as.
type account struct {
	specs.User
	home string
}

// superuser is the account that needs no look-up.
var superuser = account{home: "/root"}

// needsLookup tells whether name says more than root.
func needsLookup(name string) bool {
	switch name {
	case "", "root", "0", "root:root", "0:0":
		return false
	}
	return true
}

// findAccount looks name, "user[:group]" by name or number, up in the text of
// /etc/passwd and /etc/group. A number need not be listed.
func findAccount(name string, passwd, group []byte) (account, error) {
	// The library takes what is missing for root, and forgets what is too much.
	if who, of, found := strings.Cut(name, ":"); who == "" || found && of == "" || strings.ContainsRune(of, ':') {
		return account{}, invalid("user %q is neither user nor user:group", name)
	}
	u, err := user.GetExecUser(name, &user.ExecUser{Home: "/"}, bytes.NewReader(passwd), bytes.NewReader(group))
	if err != nil {
		return account{}, invalid("user %q: %v", name, err)
	}
	a := account{home: u.Home}
	ids := append([]int{u.Uid, u.Gid}, u.Sgids...)
	for _, id := range ids {
		// The kernel takes 32 bits: 1<<32 would be root. The highest means "none".
		if id < 0 || int64(id) >= math.MaxUint32 {
			return account{}, invalid("user %q: id %d is out of range", name, id)
		}
	}
	a.UID, a.GID = uint32(u.Uid), uint32(u.Gid)
	for _, id := range u.Sgids {
		a.AdditionalGids = append(a.AdditionalGids, uint32(id))
	}
	return a, nil
}
