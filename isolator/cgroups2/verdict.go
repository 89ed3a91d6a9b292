package cgroups2

import (
	"fmt"
	"strings"
	"time"

	"mezzo/isolator"
)

// death is what a domain's files tell after the exit.
type death struct {
	limit      uint64 // memory.max
	limited    bool
	peak       uint64 // memory.peak; 0: the kernel has none
	oom, kills uint64 // memory.events, of the domain and everything below
	largest    sample
}

// sample is what a container's memory consisted of: gone when it has exited, so
// the largest one taken before is kept.
type sample struct {
	at         time.Time
	anon, file uint64
}

func (s sample) size() uint64 { return s.anon + s.file }

// verdict says whether the lack of memory ended a container, and whose lack.
//
// The kernel counts a kill in the cgroups of the killed process and above, and
// oom in the cgroup whose limit was hit and above. So kills with oom are the
// container's own limit; kills without it are those of an ancestor, or of the
// whole node. oom without kills is no death: an allocation was refused.
func verdict(d death, now time.Time) *isolator.Limitation {
	if d.kills == 0 {
		return nil
	}
	l := &isolator.Limitation{Cause: isolator.CauseMemory}
	what, facts := "the memory limit was exceeded", make([]string, 0, 3)
	if d.limited {
		what = "memory limit " + bytesText(d.limit) + " exceeded"
	}
	if d.peak > 0 {
		facts = append(facts, "peak "+bytesText(d.peak))
	}
	if d.oom == 0 {
		l.Cause, what = isolator.CauseNodeMemory, "the node or a parent cgroup ran out of memory"
		if d.limited {
			facts = append(facts, "limit "+bytesText(d.limit))
		}
	}
	if d.kills == 1 {
		facts = append(facts, "1 process killed by the kernel")
	} else {
		facts = append(facts, fmt.Sprintf("%d processes killed by the kernel", d.kills))
	}
	l.Message = what + ": " + strings.Join(facts, ", ")
	if s := d.largest; s.size() > d.peak/2 { // a smaller one says nothing about the peak
		l.Message += fmt.Sprintf(" (largest sample, %v before: anon %s, file %s)",
			now.Sub(s.at).Round(100*time.Millisecond), bytesText(s.anon), bytesText(s.file))
	}
	return l
}

// bytesText is a size for people, with one decimal where there is one.
func bytesText(n uint64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	unit, name := uint64(kib), "KiB"
	switch {
	case n >= gib:
		unit, name = gib, "GiB"
	case n >= mib:
		unit, name = mib, "MiB"
	}
	tenths := n/unit*10 + n%unit*10/unit
	if tenths%10 == 0 {
		return fmt.Sprintf("%d %s", tenths/10, name)
	}
	return fmt.Sprintf("%d.%d %s", tenths/10, tenths%10, name)
}
