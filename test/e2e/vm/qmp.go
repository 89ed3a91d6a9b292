package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// qmp is a connection to QEMU's control socket.
type qmp struct {
	conn net.Conn
	in   *json.Decoder
}

type object map[string]any

// dialQMP waits for a machine that was just launched to listen.
func dialQMP(ctx context.Context, m machine) (*qmp, error) {
	conn, err := dialUnix(ctx, m.path("qmp"))
	if err != nil {
		return nil, err
	}
	q := &qmp{conn, json.NewDecoder(conn)}
	var greeting object
	if err := q.in.Decode(&greeting); err != nil {
		conn.Close()
		return nil, fmt.Errorf("qmp greeting: %w", err)
	}
	if err := q.do("qmp_capabilities", nil, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return q, nil
}

func dialUnix(ctx context.Context, path string) (conn net.Conn, err error) {
	err = poll(ctx, 20*time.Second, func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", path)
		return err
	})
	return conn, err
}

func (q *qmp) close() { q.conn.Close() }

// do executes a command and decodes what it returns into result, unless that is nil.
func (q *qmp) do(name string, args object, result any) error {
	if err := q.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return err
	}
	command := object{"execute": name}
	if args != nil {
		command["arguments"] = args
	}
	if err := json.NewEncoder(q.conn).Encode(command); err != nil {
		return fmt.Errorf("qmp %s: %w", name, err)
	}
	for {
		var reply struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := q.in.Decode(&reply); err != nil {
			return fmt.Errorf("qmp %s: %w", name, err)
		}
		switch {
		case reply.Error != nil:
			return fmt.Errorf("qmp %s: %s", name, reply.Error.Desc)
		case reply.Return == nil: // an event
		case result == nil:
			return nil
		default:
			return json.Unmarshal(reply.Return, result)
		}
	}
}

// migrate saves or restores the device state; the RAM stays in its file.
func (q *qmp) migrate(ctx context.Context, command, uri string) error {
	ignoreRAM := []object{{"capability": "x-ignore-shared", "state": true}}
	if err := q.do("migrate-set-capabilities", object{"capabilities": ignoreRAM}, nil); err != nil {
		return err
	}
	if err := q.do(command, object{"uri": uri}, nil); err != nil {
		return err
	}
	var failed error
	err := poll(ctx, time.Minute, func() error {
		var s struct {
			Status string
			Desc   string `json:"error-desc"`
		}
		if failed = q.do("query-migrate", nil, &s); failed != nil {
			return nil
		}
		switch s.Status {
		case "completed":
			return nil
		case "failed":
			failed = fmt.Errorf("qmp %s: failed: %s", command, s.Desc)
			return nil
		default:
			return fmt.Errorf("qmp %s: still %q", command, s.Status)
		}
	})
	return errors.Join(err, failed)
}
