package wal

const (
	minSegment = 16 << 10 // room for the log's own records and something to keep
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
	// QueueBytes is how much may wait to be written, but for one batch that
	// always may. Default 64 MiB.
	QueueBytes int64
}

// Deps is what a WAL needs from outside.
type Deps struct {
	// FS is the directory, OS(Config.Dir) if nil.
	FS FS
	// Fatal is told, once, that the disk failed: the process must end. No
	// append is acknowledged after it, and none that failed by it is told so
	// before. It is called by the writer: it must not call the WAL.
	Fatal func(error)
}
