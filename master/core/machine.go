package core

import (
	"fmt"
	"net/netip"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// machineKey names a machine in one way only; an empty field says nothing.
type machineKey struct{ host, ip string }

// machine is one that is scheduled for maintenance. It is never changed.
type machine struct {
	id   *v1.MachineID // as the operator wrote it
	away *v1.Unavailability
	down bool // in maintenance, else draining
}

// parseMachine checks what an operator calls a machine.
func parseMachine(id *v1.MachineID) (machineKey, error) {
	key := machineKey{strings.ToLower(id.GetHostname()), id.GetIp()}
	if key == (machineKey{}) {
		return key, fmt.Errorf("machine has neither hostname nor ip: %w", errs.Invalid)
	}
	if key.ip == "" {
		return key, nil
	}
	ip, ok := canonicalIP(key.ip)
	if !ok {
		return key, fmt.Errorf("machine %.300q: ip %.100q is not an address: %w", key.host, key.ip, errs.Invalid)
	}
	key.ip = ip
	return key, nil
}

// canonicalIP writes an address in the one form that is compared.
func canonicalIP(text string) (string, bool) {
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return "", false
	}
	return ip.Unmap().WithZone("").String(), true
}

// machineIP is the address that names an agent's machine: the one where the
// agent says that it can be reached, or else where it came from.
func machineIP(address, from string) string {
	if ip, ok := canonicalIP(host(address)); ok {
		return ip
	}
	ip, _ := canonicalIP(from)
	return ip
}

func (k machineKey) String() string {
	switch {
	case k.ip == "":
		return k.host
	case k.host == "":
		return k.ip
	default:
		return k.host + " (" + k.ip + ")"
	}
}

// halves are the other names that may mean the machine of k, which has both.
func (k machineKey) halves() []machineKey {
	if k.host == "" || k.ip == "" {
		return nil
	}
	return []machineKey{{host: k.host}, {ip: k.ip}}
}

// names are all the names by which an agent's machine may be scheduled.
func (a *Agent) names() []machineKey {
	k := machineKey{strings.ToLower(a.Info.GetHostname()), a.IP}
	return append([]machineKey{k}, k.halves()...)
}
