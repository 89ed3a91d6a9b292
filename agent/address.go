package agent

import (
	"net"
	"net/netip"
	"strconv"
)

// address is where others reach the agent: what it was told to tell them, or
// where it listens, or else the machine's first address that is not loopback.
func (c *Config) address(listener net.Addr) (ip string, port int) {
	bound, _ := listener.(*net.TCPAddr)
	switch {
	case c.AdvertiseIP != "":
		ip = c.AdvertiseIP
	case bound.IP != nil && !bound.IP.IsUnspecified():
		ip = bound.IP.String()
	default:
		ip = firstIP()
	}
	if port = c.AdvertisePort; port == 0 {
		port = bound.Port
	}
	return ip, port
}

// firstIP is the first IPv4 address of an interface that is not loopback, else
// loopback's.
func firstIP() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if ip := p.Addr(); err == nil && ip.Is4() && ip.IsGlobalUnicast() {
			return ip.String()
		}
	}
	return "127.0.0.1"
}

func hostPort(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }
