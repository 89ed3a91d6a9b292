package election

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
)

// label is how the names of contenders' znodes begin.
//
// Source: mesos master/contender, MASTER_INFO_JSON_LABEL with its underscore.
const label = "json.info_"

// contenders picks the names of contenders' znodes; the first one leads.
func contenders(children []string) []string {
	number := func(name string) uint64 {
		digits, ok := strings.CutPrefix(name, label)
		n, err := strconv.ParseUint(digits, 10, 31)
		if !ok || err != nil {
			return 1 << 31
		}
		return n
	}
	names := slices.DeleteFunc(slices.Clone(children), func(name string) bool { return number(name) == 1<<31 })
	slices.SortFunc(names, func(a, b string) int { return int(number(a)) - int(number(b)) })
	return names
}

// record is what a contender's znode holds.
//
// Errors: errs.Invalid if readers would find no address in it.
func record(info *v1.MasterInfo) ([]byte, error) {
	body, err := mesosjson.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("MasterInfo: %w: %w", err, errs.Invalid)
	}
	if _, err := address(body); err != nil {
		return nil, err
	}
	if info.GetId() == "" {
		return nil, fmt.Errorf("MasterInfo has no id: %w", errs.Invalid)
	}
	return body, nil
}

// address finds where the master of a record is: at its address, or else at the
// ip that older ones have.
//
// Errors: errs.Invalid, for whatever may be in a znode.
func address(body []byte) (string, error) {
	var info struct {
		IP      uint32 `json:"ip"` // network order, read on a little-endian machine
		Port    uint16 `json:"port"`
		Address struct {
			IP   string `json:"ip"`
			Port uint16 `json:"port"`
		} `json:"address"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return "", fmt.Errorf("no MasterInfo in JSON: %w: %w", err, errs.Invalid)
	}
	if info.Address.Port != 0 {
		info.Port = info.Address.Port
	}
	ip, err := netip.ParseAddr(info.Address.IP)
	if err != nil && info.IP != 0 {
		ip = netip.AddrFrom4([4]byte(binary.LittleEndian.AppendUint32(nil, info.IP)))
	}
	if !ip.IsValid() || info.Port == 0 {
		return "", fmt.Errorf("MasterInfo names neither address nor ip with a port: %w", errs.Invalid)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(int(info.Port))), nil
}
