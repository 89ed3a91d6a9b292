package wal

// tailBytes is how much is written at once.
const tailBytes = 1 << 20

var zeros [tailBytes]byte

// tail is the end of the segment that is appended to. It writes whole blocks,
// of which it remembers the last, because the kernel would have to read the
// rest of a block that it does not have in memory.
type tail struct {
	*segment
	offset  int64 // of buf[0] in the file, a multiple of blockBytes
	buf     []byte
	clean   int    // how much of buf is in the file
	written uint64 // bytes ever given to files
}

// reset continues in a segment whose last bytes, from a block's start on, are rest.
func (t *tail) reset(s *segment, offset int64, rest []byte) {
	if t.buf == nil {
		t.buf = make([]byte, 0, tailBytes)
	}
	t.segment, t.offset, t.buf, t.clean = s, offset, append(t.buf[:0], rest...), len(rest)
}

func (t *tail) end() int64 { return t.offset + int64(len(t.buf)) }

func (t *tail) append(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), cap(t.buf)-len(t.buf))
		t.buf = append(t.buf, p[:n]...)
		if p = p[n:]; len(t.buf) == cap(t.buf) {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tail) flush() error {
	n := len(t.buf)
	if n == t.clean {
		return nil
	}
	full := int(roundUp(int64(n), blockBytes))
	whole := append(t.buf, zeros[:full-n]...)
	if _, err := t.file.WriteAt(whole, t.offset); err != nil {
		return err
	}
	t.written += uint64(full)
	keep := int(roundDown(int64(n), blockBytes))
	t.buf = t.buf[:copy(t.buf, t.buf[keep:n])]
	t.offset += int64(keep)
	t.clean = len(t.buf)
	return nil
}

// zero overwrites from the tail's last block on, up to end.
func (t *tail) zero(end int64) error {
	for at := roundUp(t.end(), blockBytes); at < end; {
		n := min(roundUp(end, blockBytes)-at, tailBytes)
		if _, err := t.file.WriteAt(zeros[:n], at); err != nil {
			return err
		}
		at += n
	}
	return nil
}
