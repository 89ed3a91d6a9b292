package agent

import (
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	pb "mezzo/api/checkpoint"
)

// sinceBoot is how long the machine has run: a clock that nobody sets, and that an
// agent's successor can read as well.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0 // no kernel that runs containers is without
	}
	return time.Duration(t.Nano())
}

// stamp notes in a record when it is written, if that matters.
func stamp(record proto.Message, up time.Duration) {
	var left *pb.Left
	switch r := record.(type) {
	case *pb.Life:
		left = r.Left
	case *pb.Executor:
		left = r.Left
	}
	if left != nil {
		left.SinceBoot = int64(up)
	}
}

// deadlineNow is when a deadline comes by the clock of this moment, whatever that
// was set to since it was noted.
func deadlineNow(noted int64, l *pb.Left, now time.Time, up time.Duration) int64 {
	if l == nil {
		return noted
	}
	passed := max(0, up-time.Duration(l.GetSinceBoot()))
	return now.Add(time.Duration(l.GetTime()) - passed).UnixNano()
}
