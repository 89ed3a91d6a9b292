package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// serial is the agent on a guest's second serial port.
type serial struct {
	conn net.Conn
	in   *bufio.Reader
}

// dialSerial waits for a machine that was just launched to listen. The end of
// ctx ends the connection.
func dialSerial(ctx context.Context, m machine) (*serial, error) {
	conn, err := dialUnix(ctx, m.path("serial"))
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return &serial{conn, bufio.NewReader(conn)}, nil
}

func (s *serial) close() { s.conn.Close() }

// ready waits for the guest to have booted.
func (s *serial) ready(timeout time.Duration) error {
	_, _, err := s.expect("agent-ready", timeout)
	return err
}

// run has the guest run one line of shell that must succeed.
func (s *serial) run(line string, timeout time.Duration) error {
	if _, err := io.WriteString(s.conn, line+"\n"); err != nil {
		return fmt.Errorf("serial: %w", err)
	}
	rc, output, err := s.expect("agent-rc ", timeout)
	if err != nil {
		return err
	}
	if rc != "0" {
		return fmt.Errorf("serial: %q: exit code %s: %s", line, rc, output)
	}
	return nil
}

// expect reads up to the line with the prefix; it returns the line's rest and
// what came before it.
func (s *serial) expect(prefix string, timeout time.Duration) (rest, before string, err error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return "", "", err
	}
	var b strings.Builder
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return "", "", fmt.Errorf("serial: waiting for %q: %w", prefix, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return rest, b.String(), nil
		}
		b.WriteString(line + "\n")
	}
}
