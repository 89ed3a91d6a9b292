package master

import (
	"encoding/binary"
	"net"
	"net/netip"

	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// advertise is the address that others are told: what the configuration says,
// else what the listener is bound to, else an address of this machine.
func advertise(cfg Config, bound net.Addr) netip.AddrPort {
	at := netip.MustParseAddrPort(bound.String())
	ip, port := at.Addr().Unmap(), at.Port()
	if given, err := netip.ParseAddr(cfg.AdvertiseIP); err == nil {
		ip = given
	}
	if cfg.AdvertisePort != 0 {
		port = uint16(cfg.AdvertisePort)
	}
	if ip.IsUnspecified() {
		ip = ownAddress()
	}
	return netip.AddrPortFrom(ip, port)
}

// Advertised is the address, "ip:port", that others are told, if Port is not 0.
func (c *Config) Advertised() string {
	ip := net.ParseIP(c.IP)
	if ip == nil {
		ip = net.IPv4zero
	}
	return advertise(*c, &net.TCPAddr{IP: ip, Port: c.Port}).String()
}

// ownAddress is the first IPv4 address of this machine that others can reach;
// 127.0.0.1 if there is none.
func ownAddress() netip.Addr {
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
				return p.Addr()
			}
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// identity is how the master introduces itself.
func identity(id string, cfg Config, at netip.AddrPort, version string) *v1.MasterInfo {
	info := &v1.MasterInfo{
		Id:       &id,
		Ip:       proto.Uint32(0),
		Port:     proto.Uint32(uint32(at.Port())),
		Pid:      proto.String("master@" + at.String()),
		Hostname: &cfg.Hostname,
		Version:  &version,
		Domain:   cfg.Domain,
		Address: &v1.Address{
			Hostname: &cfg.Hostname,
			Ip:       proto.String(at.Addr().String()),
			Port:     proto.Int32(int32(at.Port())),
		},
	}
	if at.Addr().Is4() {
		// The bytes of the address in network order, read as this machine reads
		// integers; all that run mezzo are little-endian.
		b := at.Addr().As4()
		info.Ip = proto.Uint32(binary.LittleEndian.Uint32(b[:]))
	}
	return info
}

// agentPID is an agent in libprocess's form of addresses, which old tools parse.
func agentPID(address string) string { return "slave(1)@" + address }
