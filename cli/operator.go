package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesosjson"
	"mezzo/election"
)

const (
	// Answers are bounded: GET_STATE of a very large cluster.
	maxAnswerBytes = 512 << 20
	// How long a master may think about an answer.
	answerTimeout = 30 * time.Second
)

// operator makes operator calls to the first master that answers.
type operator struct {
	masters election.Detector
	http    *http.Client
	out     io.Writer
}

func newOperator(masters string, d Deps) (*operator, error) {
	detector, err := election.Parse(masters)
	if err != nil {
		return nil, fmt.Errorf("--master: %w", err)
	}
	return &operator{masters: detector, http: d.HTTP, out: d.Stdout}, nil
}

// call makes one operator call.
func (o *operator) call(ctx context.Context, call *master.Call) (resp *master.Response, err error) {
	return resp, o.ask(ctx, func(ctx context.Context, addr string) error {
		resp, err = o.callAt(ctx, addr, call)
		return err
	})
}

// read gets a document in JSON from a path of the master's.
func (o *operator) read(ctx context.Context, path string) (body []byte, err error) {
	return body, o.ask(ctx, func(ctx context.Context, addr string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
		if err == nil {
			body, err = fetch(o.http, req)
		}
		if err != nil {
			return fmt.Errorf("read %s at %s: %w", path, addr, err)
		}
		return nil
	})
}

// ask asks one master after the other until one answers.
func (o *operator) ask(ctx context.Context, at func(ctx context.Context, addr string) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %v", answerTimeout))
	defer cancel()
	var tried []string
	var dial *net.OpError // why the last of them does not answer
	for addr := ""; ; {
		next, err := o.masters.Detect(ctx, addr)
		if err != nil {
			return err
		}
		if addr = next; slices.Contains(tried, addr) {
			return fmt.Errorf("no master answers at %s (%w): start one with `mezzo local` or pass --master", strings.Join(tried, ", "), dial.Err)
		}
		tried = append(tried, addr)
		if err := at(ctx, addr); !errors.As(err, &dial) {
			return err
		}
	}
}

func (o *operator) callAt(ctx context.Context, addr string, call *master.Call) (*master.Response, error) {
	name := call.GetType().String()
	body, err := codec.Protobuf.Marshal(call)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/v1", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	req.Header.Set("Content-Type", codec.Protobuf.ContentType())
	req.Header.Set("Accept", codec.Protobuf.ContentType())
	answer, err := fetch(o.http, req)
	if err != nil {
		return nil, fmt.Errorf("call %s at %s: %w", name, addr, err)
	}
	resp := &master.Response{}
	if err := codec.Protobuf.Unmarshal(answer, resp); err != nil {
		return nil, fmt.Errorf("call %s: what listens at %s is no master: %w", name, addr, err)
	}
	return resp, nil
}

// get makes one of the calls that are nothing but a type.
func (o *operator) get(ctx context.Context, t master.Call_Type) (*master.Response, error) {
	resp, err := o.call(ctx, &master.Call{Type: t.Enum()})
	// The numbers of an agent's calls mean other things.
	if got := resp.GetType().String(); err == nil && got != t.String() {
		return nil, fmt.Errorf("call %s: answered with %s: what listens there is no master", t, got)
	}
	return resp, err
}

// print writes m as JSON, for eyes and scripts.
func (o *operator) print(m proto.Message) error {
	b, err := mesosjson.Marshal(m)
	if err != nil {
		return err
	}
	return o.printJSON(b)
}

// printAny is print for what is no message.
func (o *operator) printAny(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return o.printJSON(b)
}

func (o *operator) printJSON(b []byte) error {
	var buf bytes.Buffer
	if err := json.Indent(&buf, b, "", "  "); err != nil {
		return err
	}
	buf.WriteByte('\n')
	_, err := buf.WriteTo(o.out)
	return err
}

// statusError is an answer that is no success.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
	if e.message != "" {
		s += ": " + e.message
	}
	return s
}

// fetch returns the body of a 2xx answer.
func fetch(hc *http.Client, req *http.Request) ([]byte, error) {
	body, _, err := exchange(hc, req)
	return body, err
}

// exchange returns the header of an answer that tells an error, too.
func exchange(hc *http.Client, req *http.Request) ([]byte, http.Header, error) {
	resp, err := hc.Do(req)
	if err != nil {
		// The client repeats method and URL; the cause says more.
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		if cause := context.Cause(req.Context()); cause != nil {
			err = cause
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return nil, nil, err
	case len(body) > maxAnswerBytes:
		return nil, nil, fmt.Errorf("answer has more than %d bytes", maxAnswerBytes)
	case resp.StatusCode/100 != 2:
		return nil, resp.Header, &statusError{resp.StatusCode, strings.TrimSpace(string(body[:min(len(body), 4<<10)]))}
	}
	return body, resp.Header, nil
}
