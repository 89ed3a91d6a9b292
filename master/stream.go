package master

import (
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/codec"
	"mezzo/api/recordio"
)

// heartbeatInterval is how often a stream shows that it lives.
const heartbeatInterval = 15 * time.Second

// stream is an answer without end, record by record.
type stream struct {
	http    *http.ResponseController
	records *recordio.Writer
	codec   codec.Codec
}

// openStream begins the answer.
func openStream(w http.ResponseWriter, out codec.Codec) *stream {
	w.Header().Set("Content-Type", out.ContentType())
	w.WriteHeader(http.StatusOK)
	s := &stream{http: http.NewResponseController(w), records: recordio.NewWriter(w), codec: out}
	_ = s.http.SetReadDeadline(time.Time{}) // the request is here, and its peer is watched on
	return s
}

// write sends m as one record.
func (s *stream) write(m proto.Message) error {
	data, err := s.codec.Marshal(m)
	if err != nil {
		return err
	}
	return s.writeEncoded(data)
}

// writeEncoded sends one record, as one chunk.
func (s *stream) writeEncoded(data []byte) error {
	if err := s.records.Write(data); err != nil {
		return err
	}
	return s.http.Flush()
}

// speaker is what serve needs of a stream of events M.
type speaker[M any] interface {
	event(M) error
	heartbeat() error
	farewell(message string) // why the stream ends
}

// serve speaks what comes out of events, and heartbeats, until the queue is closed
// (its reason; nil if it has none), the reader is gone, or can't be written to.
func serve[M any](r *http.Request, events *queue[M], s speaker[M]) error {
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	end := func(reason error) error {
		if reason != nil {
			s.farewell(reason.Error())
		}
		return reason
	}
	for {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-heartbeat.C:
			if err := s.heartbeat(); err != nil {
				return err
			}
		case <-events.wake:
			batch, closed, reason := events.take()
			for _, ev := range batch {
				if reason := events.reason(); reason != nil {
					return end(reason) // what was lost behind ev makes ev useless
				}
				if err := s.event(ev); err != nil {
					return err
				}
			}
			if closed {
				return end(reason)
			}
		}
	}
}
