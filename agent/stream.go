package agent

import (
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
	"mezzo/internal/errs"
)

// Streams of records, in calls and answers, as clients of Mesos name them: the
// type of the whole is recordioType, that of a record is in a header of its own.
//
// Source: mesos slave/http.cpp.
const (
	recordioType       = "application/recordio"
	messageContentType = "Message-Content-Type"
	messageAccept      = "Message-Accept"
)

// streamHeartbeat is how often a stream shows that it lives
// (--http_heartbeat_interval of Mesos).
const streamHeartbeat = 30 * time.Second

// errNotAcceptable is about the Accept headers of a stream.
var errNotAcceptable = errors.New("not acceptable")

// outputStream answers with ProcessIO records.
type outputStream struct {
	w       *recordio.Writer
	codec   codec.Codec
	flusher http.Flusher
}

// openOutput begins the answer, of the type that r accepts.
func openOutput(w http.ResponseWriter, r *http.Request) (*outputStream, error) {
	out, contentType := codec.Codec(nil), ""
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.Contains(accept, recordioType) {
		c, ok := codec.Negotiate(strings.Join(r.Header.Values(messageAccept), ","))
		if !ok {
			return nil, fmt.Errorf("expecting '%s' to allow application/json or application/x-protobuf: %w", messageAccept, errNotAcceptable)
		}
		out, contentType = c, recordioType
		w.Header().Set(messageContentType, c.ContentType())
	} else {
		c, ok := codec.Negotiate(accept)
		if !ok {
			return nil, fmt.Errorf("expecting 'Accept' to allow %s, application/json or application/x-protobuf: %w", recordioType, errNotAcceptable)
		}
		out, contentType = c, c.ContentType()
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	s := &outputStream{w: recordio.NewWriter(w), codec: out, flusher: flusherOf(w)}
	s.flusher.Flush()
	return s, nil
}

// flusherOf finds the flusher below what wraps it.
func flusherOf(w http.ResponseWriter) http.Flusher { return flusher{http.NewResponseController(w)} }

type flusher struct{ *http.ResponseController }

// Flush passes on what is written; a peer that is gone is seen by the next write.
func (f flusher) Flush() { _ = f.ResponseController.Flush() }

func (s *outputStream) send(m *agent.ProcessIO) error {
	rec, err := s.codec.Marshal(m)
	if err != nil {
		return err
	}
	if err := s.w.Write(rec); err != nil {
		return err
	}
	s.flusher.Flush()
	return nil
}

func (s *outputStream) data(of agent.ProcessIO_Data_Type, b []byte) error {
	return s.send(&agent.ProcessIO{Type: agent.ProcessIO_DATA.Enum(), Data: &agent.ProcessIO_Data{Type: of.Enum(), Data: b}})
}

func (s *outputStream) heartbeat() error {
	return s.send(&agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
		Type: agent.ProcessIO_Control_HEARTBEAT.Enum(),
		Heartbeat: &agent.ProcessIO_Control_Heartbeat{
			Interval: &v1.DurationInfo{Nanoseconds: proto.Int64(streamHeartbeat.Nanoseconds())},
		},
	}})
}

// inputStream reads calls, one a record.
type inputStream struct {
	r     *recordio.Reader
	codec codec.Codec
}

// openInput reads the first call of a streaming request.
func openInput(r *http.Request) (s *inputStream, first *agent.Call, status int, err error) {
	header := r.Header.Get(messageContentType)
	if header == "" {
		return nil, nil, http.StatusBadRequest, fmt.Errorf("expecting '%s' to be present with %s: %w", messageContentType, recordioType, errs.Invalid)
	}
	c, ok := codec.ForContentType(header)
	if !ok {
		return nil, nil, http.StatusUnsupportedMediaType, fmt.Errorf("expecting '%s' of application/json or application/x-protobuf: %w", messageContentType, errs.Invalid)
	}
	s = &inputStream{recordio.NewReader(r.Body, maxCall), c}
	first, err = s.next()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the request has no record: %w", errs.Invalid)
	}
	if err == nil && first.GetType() != agent.Call_ATTACH_CONTAINER_INPUT {
		return nil, nil, http.StatusUnsupportedMediaType, fmt.Errorf("streaming requests are for ATTACH_CONTAINER_INPUT, not %s: %w", first.GetType(), errs.Invalid)
	}
	return s, first, http.StatusBadRequest, err
}

// next is the next call; io.EOF after the last one.
func (s *inputStream) next() (*agent.Call, error) {
	rec, err := s.r.Next()
	if err != nil {
		return nil, err
	}
	c := &agent.Call{}
	return c, s.codec.Unmarshal(rec, c)
}
