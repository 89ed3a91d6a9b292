package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"mezzo/internal/errs"
)

// minSegment leaves room for the log's own records and something to keep.
const (
	minSegment = 16 << 10
	maxSegment = 1 << 30
)

// Config is what a WAL is opened with.
type Config struct {
	// Dir is the directory.
	Dir string
	// Ensemble and Member own the directory. In one that has a log, zero
	// takes what it says; in an empty one, a zero Member is drawn.
	Ensemble, Member ID
	// MustExist refuses a directory without a log, so that a mistyped path
	// or a lost disk is not taken for a new member.
	MustExist bool
	// SegmentBytes is the size of a segment, a multiple of 4096. Default 32 MiB.
	SegmentBytes int64
	// Spares is how many used segments are kept for reuse. Default 2, none
	// if negative.
	Spares int
	// QueueBytes is how much may wait to be written. Default 64 MiB.
	QueueBytes int64
}

// Deps is what a WAL needs from outside.
type Deps struct {
	// FS is the directory, OS(Config.Dir) if nil.
	FS FS
	// Random draws salts and ids, crypto/rand's reader if nil.
	Random io.Reader
	// Fatal is told, once, that the disk failed: the process must end. No
	// append is acknowledged after it, and none that failed by it is told so
	// before. It is called by the writer: it must not call the WAL.
	Fatal func(error)
}

// SetDefaults fills in what is zero.
func (c *Config) SetDefaults() {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 32 << 20
	}
	if c.Spares == 0 {
		c.Spares = 2
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 64 << 20
	}
}

// Validate names all that is wrong with c.
func (c *Config) Validate() error {
	var wrong []error
	if c.SegmentBytes < minSegment || c.SegmentBytes > maxSegment || c.SegmentBytes%blockBytes != 0 {
		wrong = append(wrong, fmt.Errorf("segment size %d is not a multiple of %d from %d to %d: %w", c.SegmentBytes, blockBytes, minSegment, maxSegment, errs.Invalid))
	}
	if c.QueueBytes < 0 {
		wrong = append(wrong, fmt.Errorf("queue size %d is negative: %w", c.QueueBytes, errs.Invalid))
	}
	return errors.Join(wrong...)
}

func (d *Deps) setDefaults(dir string) error {
	if d.FS == nil {
		d.FS = OS(dir)
	}
	if d.Random == nil {
		d.Random = rand.Reader
	}
	if d.Fatal == nil {
		return fmt.Errorf("nobody is there to be told that the disk failed: %w", errs.Invalid)
	}
	return nil
}
