package prober

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"mezzo/agent/probe"
	v1 "mezzo/api/mesos/v1"
)

// Runner runs a command in a container and returns its exit code, and the end of
// what it wrote.
type Runner func(ctx context.Context, c *v1.CommandInfo) (code int, said string, err error)

// Target is the task that is probed.
type Target struct {
	PID uint32 // of a process in its network namespace; 0: the agent's own
	Run Runner
}

// HealthCheck makes one attempt of h.
func HealthCheck(ctx context.Context, t Target, h *v1.HealthCheck) probe.Outcome {
	switch h.GetType() {
	case v1.HealthCheck_COMMAND:
		return command(ctx, t, h.GetCommand())
	case v1.HealthCheck_TCP:
		return connect(ctx, t, h.GetTcp().GetProtocol(), h.GetTcp().GetPort())
	case v1.HealthCheck_HTTP:
		c := h.GetHttp()
		o := get(ctx, t, c.GetProtocol(), c.GetScheme(), c.GetPort(), c.GetPath())
		if !o.Done {
			return o
		}
		if o.OK = o.Code >= 200 && o.Code < 400; len(c.GetStatuses()) > 0 {
			o.OK = slices.Contains(c.GetStatuses(), uint32(o.Code))
		}
		if !o.OK {
			o.Why = fmt.Sprintf("it answers with %d %s", o.Code, http.StatusText(o.Code))
		}
		return o
	default:
		return probe.Outcome{Why: fmt.Sprintf("health checks of type %s are not made", h.GetType())}
	}
}

// Check makes one attempt of c.
func Check(ctx context.Context, t Target, c *v1.CheckInfo) probe.Outcome {
	switch c.GetType() {
	case v1.CheckInfo_COMMAND:
		return command(ctx, t, c.GetCommand().GetCommand())
	case v1.CheckInfo_TCP:
		return connect(ctx, t, v1.NetworkInfo_IPv4, c.GetTcp().GetPort())
	case v1.CheckInfo_HTTP:
		return get(ctx, t, v1.NetworkInfo_IPv4, "http", c.GetHttp().GetPort(), c.GetHttp().GetPath())
	default:
		return probe.Outcome{Why: fmt.Sprintf("checks of type %s are not made", c.GetType())}
	}
}

func command(ctx context.Context, t Target, c *v1.CommandInfo) probe.Outcome {
	code, said, err := t.Run(ctx, c)
	switch {
	case err != nil:
		return probe.Outcome{Why: late(ctx, err)}
	case code != 0:
		why := fmt.Sprintf("its command exited with status %d", code)
		if said != "" {
			why += ": " + said
		}
		return probe.Outcome{Done: true, Code: code, Why: why}
	}
	return probe.Outcome{Done: true, OK: true}
}

func connect(ctx context.Context, t Target, p v1.NetworkInfo_Protocol, port uint32) probe.Outcome {
	conn, err := dial(ctx, t.PID, net.JoinHostPort(loopback(p), strconv.FormatUint(uint64(port), 10)))
	if err != nil {
		return probe.Outcome{Done: true, Why: late(ctx, err)}
	}
	_ = conn.Close() // that it was opened is all
	return probe.Outcome{Done: true, OK: true}
}

// maxRedirects are followed, as Mesos does.
const maxRedirects = 10

func get(ctx context.Context, t Target, p v1.NetworkInfo_Protocol, scheme string, port uint32, path string) probe.Outcome {
	if scheme == "" {
		scheme = "http"
	}
	addr := net.JoinHostPort(loopback(p), strconv.FormatUint(uint64(port), 10))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr+path, nil)
	if err != nil {
		return probe.Outcome{Why: err.Error()}
	}
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, addr string) (net.Conn, error) { return dial(ctx, t.PID, addr) },
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // of a name nobody has: it is the loopback address
		DisableKeepAlives: true,
		Proxy:             nil,
	}
	client := http.Client{Transport: transport, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return errors.New("too many redirects")
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return probe.Outcome{Why: late(ctx, err)}
	}
	_ = resp.Body.Close() // nobody reads it
	return probe.Outcome{Done: true, OK: true, Code: resp.StatusCode}
}

func loopback(p v1.NetworkInfo_Protocol) string {
	if p == v1.NetworkInfo_IPv6 {
		return "::1"
	}
	return "127.0.0.1"
}

// late says what is behind an error at the end of a context.
func late(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "it did not answer in time"
	}
	return err.Error()
}

// dialTimeout bounds a connection of an attempt without a timeout.
const dialTimeout = time.Minute

func dial(ctx context.Context, pid uint32, addr string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: dialTimeout}
	err = inNetns(pid, func() error {
		conn, err = d.DialContext(ctx, "tcp", addr)
		return err
	})
	return conn, err
}
