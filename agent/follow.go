package agent

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"mezzo/api/mesos/v1/agent"
	"mezzo/containerizer/logger"
	"mezzo/internal/errs"
	"mezzo/internal/files"
)

const (
	// followPoll is how often a container's output is looked at.
	followPoll = 100 * time.Millisecond
	// followBytes is the largest piece of it.
	followBytes = 64 << 10
)

// follow answers with what a container's process writes to its files from now on,
// until it ends.
func (s *server) follow(w http.ResponseWriter, r *http.Request, of held) error {
	root := of.sandbox(s.workDir)
	both := []*followed{
		{place: files.Place{Root: root, Rel: logger.Stdout}, of: agent.ProcessIO_Data_STDOUT},
		{place: files.Place{Root: root, Rel: logger.Stderr}, of: agent.ProcessIO_Data_STDERR},
	}
	for _, f := range both {
		defer f.close()
		if err := f.begin(); err != nil {
			return err
		}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	out, err := openOutput(w, r)
	if err != nil {
		return err
	}
	poll, beat := time.NewTicker(followPoll), time.NewTicker(streamHeartbeat)
	defer poll.Stop()
	defer beat.Stop()
	for ended := false; !ended; {
		select {
		case <-poll.C:
			// First: what was written before the end is there then.
			snap, err := s.snapshot(r.Context())
			if err != nil {
				return nil
			}
			ended = !snap.holds(of.id)
			for _, f := range both {
				if f.advance(out.data) != nil {
					return nil
				}
			}
		case <-beat.C:
			if out.heartbeat() != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

// followed is a file that grows, and is begun anew when it is full.
type followed struct {
	place files.Place
	of    agent.ProcessIO_Data_Type
	f     *os.File // nil: there was none yet
	at    int64
}

// begin goes to the end of what is there.
func (x *followed) begin() error {
	f, err := x.open()
	if err != nil || f == nil {
		return err
	}
	x.f = f
	x.at, err = f.Seek(0, io.SeekEnd)
	return err
}

// open returns nil if there is no such file.
func (x *followed) open() (*os.File, error) {
	f, err := files.Open(x.place)
	if errors.Is(err, errs.NotFound) {
		return nil, nil
	}
	return f, err
}

// advance passes on what is new. What was still written to the file of before is
// passed on before what is in the new one.
func (x *followed) advance(pass func(agent.ProcessIO_Data_Type, []byte) error) error {
	f, err := x.open()
	if err != nil {
		return err
	}
	if err := x.rest(pass); err != nil || f == nil {
		return errors.Join(err, closeIf(f))
	}
	if x.f != nil && same(x.f, f) {
		return f.Close()
	}
	x.close()
	x.f, x.at = f, 0
	return x.rest(pass)
}

// rest passes on what is left of the open file. One that became shorter is read
// from its beginning.
func (x *followed) rest(pass func(agent.ProcessIO_Data_Type, []byte) error) error {
	if x.f == nil {
		return nil
	}
	if st, err := x.f.Stat(); err == nil && st.Size() < x.at {
		x.at = 0
	}
	buf := make([]byte, followBytes)
	for {
		n, err := x.f.ReadAt(buf, x.at)
		if n > 0 {
			if err := pass(x.of, buf[:n]); err != nil {
				return err
			}
			x.at += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (x *followed) close() {
	if x.f != nil {
		_ = x.f.Close() // it was read
		x.f = nil
	}
}

func closeIf(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func same(a, b *os.File) bool {
	x, errA := a.Stat()
	y, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(x, y)
}
