package election

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"mezzo/internal/errs"
)

// Bounds of what a server sends, in bytes behind each length.
//
// Source: ZooKeeper's jute, ConnectResponse and ReplyHeader.
const (
	minGreeting, maxGreeting = 36, 128
	minFrame, maxFrame       = 16, 8 << 20
)

// frames is a connection to a server. The library trusts what it reads, and does
// not tell the session timeout that the server grants; this looks at the lengths
// and at the greeting as they pass by:
//
//	greeting:  length 4 | version 4 | timeout 4, ms | session 8 | …
//	then:      length 4 | reply header 16 | …
//
// Concurrency: Read by one goroutine, as the library does.
type frames struct {
	net.Conn
	granted func(time.Duration) // told the session's timeout
	late    *time.Timer         // ends a connection that greets nobody

	head     []byte // of the length that is being read
	left     int    // bytes of the frame that are still to come
	greeting []byte // its first 8 bytes
	greeted  bool
}

func newFrames(c net.Conn, patience time.Duration, granted func(time.Duration)) *frames {
	return &frames{Conn: c, granted: granted, late: time.AfterFunc(patience, func() { _ = c.Close() })}
}

// Close ends the connection.
func (f *frames) Close() error {
	f.late.Stop()
	return f.Conn.Close()
}

// Read returns no more than the rest of a length or of a frame.
func (f *frames) Read(p []byte) (int, error) {
	if f.left > 0 {
		n, err := f.Conn.Read(p[:min(len(p), f.left)])
		f.left -= n
		f.greet(p[:n])
		return n, err
	}
	n, err := f.Conn.Read(p[:min(len(p), 4-len(f.head))])
	if f.head = append(f.head, p[:n]...); len(f.head) < 4 {
		return n, err
	}
	size, low, high := int(binary.BigEndian.Uint32(f.head)), minFrame, maxFrame
	if !f.greeted {
		low, high = minGreeting, maxGreeting
	}
	if size < low || size > high {
		return 0, fmt.Errorf("what listens there is no ZooKeeper: a message of %d bytes: %w", size, errs.Corrupt)
	}
	f.head, f.left = f.head[:0], size
	return n, err
}

// greet reads the greeting's part in p.
func (f *frames) greet(p []byte) {
	if f.greeted {
		return
	}
	f.greeting = append(f.greeting, p[:min(len(p), 8-len(f.greeting))]...)
	if f.left > 0 {
		return
	}
	f.greeted = true
	f.late.Stop()
	if ms := int32(binary.BigEndian.Uint32(f.greeting[4:])); ms > 0 { // else the session has expired
		f.granted(time.Duration(ms) * time.Millisecond)
	}
}

// hosts gives the library its servers in turn. They are looked up when they are
// dialed, since what a name means changes in the life of an agent.
type hosts struct {
	servers []string
	next    int
	failed  int // dialed since one answered
}

// Init takes the servers, already shuffled.
func (h *hosts) Init(servers []string) error { h.servers = servers; return nil }

// Len is the number of servers.
func (h *hosts) Len() int { return len(h.servers) }

// Next is the server to dial; all says that each has failed since one answered.
func (h *hosts) Next() (server string, all bool) {
	server = h.servers[h.next%len(h.servers)]
	all = h.failed > 0 && h.failed%len(h.servers) == 0
	h.next++
	h.failed++
	return server, all
}

// Connected says that the server answered.
func (h *hosts) Connected() { h.failed = 0 }
