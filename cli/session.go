package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/agent"
	"mezzo/api/recordio"
)

// agentCalls makes calls to an agent's API.
type agentCalls struct {
	http *http.Client
	addr string // "host:port"
}

const recordsOf = "application/recordio"

// maxRecord bounds one record of a stream.
const maxRecord = 16 << 20

func (a *agentCalls) request(ctx context.Context, contentType string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.addr+"/api/v1", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return req, nil
}

// call makes a call with an answer at once.
func (a *agentCalls) call(ctx context.Context, c *agent.Call) (*agent.Response, error) {
	body, err := codec.Protobuf.Marshal(c)
	if err != nil {
		return nil, err
	}
	req, err := a.request(ctx, codec.Protobuf.ContentType(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", codec.Protobuf.ContentType())
	answer, err := fetch(a.http, req)
	if err != nil {
		return nil, err
	}
	resp := &agent.Response{}
	if len(answer) == 0 {
		return resp, nil
	}
	return resp, codec.Protobuf.Unmarshal(answer, resp)
}

// stream makes a call whose answer is output, and writes that until it ends.
// begun is called once the answer has begun; nil: nobody wants to know.
func (a *agentCalls) stream(ctx context.Context, c *agent.Call, stdout, stderr io.Writer, begun func()) error {
	body, err := codec.Protobuf.Marshal(c)
	if err != nil {
		return err
	}
	req, err := a.request(ctx, codec.Protobuf.ContentType(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", recordsOf)
	req.Header.Set("Message-Accept", codec.Protobuf.ContentType())
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // half a sentence is better than none
		return &statusError{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	if begun != nil {
		begun()
	}
	records := recordio.NewReader(resp.Body, maxRecord)
	for {
		rec, err := records.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the connection to the agent broke: %w", err)
		}
		var p agent.ProcessIO
		if err := codec.Protobuf.Unmarshal(rec, &p); err != nil {
			return err
		}
		w := stdout
		if p.GetData().GetType() == agent.ProcessIO_Data_STDERR {
			w = stderr
		}
		if p.GetType() == agent.ProcessIO_DATA {
			if _, err := w.Write(p.GetData().GetData()); err != nil {
				return err
			}
		}
	}
}

// input is a stream of what is typed.
type input struct {
	w *recordio.Writer
	c io.Closer
}

// attachInput opens the input of a session. Its end is told by done.
func (a *agentCalls) attachInput(ctx context.Context, id *v1.ContainerID, done func(error)) (*input, error) {
	r, w := io.Pipe()
	req, err := a.request(ctx, recordsOf, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Message-Content-Type", codec.Protobuf.ContentType())
	in := &input{recordio.NewWriter(w), w}
	go func() {
		_, err := fetch(a.http, req)
		_ = r.CloseWithError(io.ErrClosedPipe) // never fails (package io)
		done(err)
	}()
	return in, in.send(&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_CONTAINER_ID.Enum(), ContainerId: id})
}

func (in *input) send(c *agent.Call_AttachContainerInput) error {
	rec, err := codec.Protobuf.Marshal(&agent.Call{Type: agent.Call_ATTACH_CONTAINER_INPUT.Enum(), AttachContainerInput: c})
	if err != nil {
		return err
	}
	return in.w.Write(rec)
}

func (in *input) io(p *agent.ProcessIO) error {
	return in.send(&agent.Call_AttachContainerInput{Type: agent.Call_AttachContainerInput_PROCESS_IO.Enum(), ProcessIo: p})
}

// Write sends what was typed; nothing ends the input.
func (in *input) Write(b []byte) (int, error) {
	return len(b), in.io(&agent.ProcessIO{Type: agent.ProcessIO_DATA.Enum(), Data: &agent.ProcessIO_Data{Type: agent.ProcessIO_Data_STDIN.Enum(), Data: b}})
}

// end tells that nothing more is typed. What has ended meanwhile needs not know.
func (in *input) end() {
	if _, err := in.Write(nil); err == nil {
		_ = in.c.Close() // never fails (package io)
	}
}

func (in *input) resize(columns, rows int) error {
	return in.io(&agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
		Type: agent.ProcessIO_Control_TTY_INFO.Enum(), TtyInfo: ttyInfo(columns, rows),
	}})
}

func ttyInfo(columns, rows int) *v1.TTYInfo {
	return &v1.TTYInfo{WindowSize: &v1.TTYInfo_WindowSize{Rows: proto.Uint32(uint32(rows)), Columns: proto.Uint32(uint32(columns))}}
}

// wait asks how a session ended.
func (a *agentCalls) wait(ctx context.Context, id *v1.ContainerID) (code int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %v", answerTimeout))
	defer cancel()
	resp, err := a.call(ctx, &agent.Call{
		Type:                agent.Call_WAIT_NESTED_CONTAINER.Enum(),
		WaitNestedContainer: &agent.Call_WaitNestedContainer{ContainerId: id},
	})
	if err != nil {
		return 0, err
	}
	w := resp.GetWaitNestedContainer()
	if w.ExitStatus == nil {
		return 0, errors.New("its exit status was lost")
	}
	status := int(w.GetExitStatus())
	if sig := status & 0x7f; sig != 0 {
		return 128 + sig, nil
	}
	return status >> 8 & 0xff, nil
}

// signal sends a signal to a session's process.
func (a *agentCalls) signal(ctx context.Context, id *v1.ContainerID, sig int32) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := a.call(ctx, &agent.Call{
		Type:                agent.Call_KILL_NESTED_CONTAINER.Enum(),
		KillNestedContainer: &agent.Call_KillNestedContainer{ContainerId: id, Signal: proto.Int32(sig)},
	})
	return err
}
