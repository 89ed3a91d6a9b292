package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	v1 "mezzo/api/mesos/v1"
)

// scalar is the sum of the scalars of that name.
func scalar(rs []*v1.Resource, name string) float64 {
	var milli int64 // as the wire's doubles mean thousandths, their sum is exact
	for _, r := range rs {
		if r.GetName() == name && r.Scalar != nil {
			milli += int64(math.Round(r.GetScalar().GetValue() * 1000))
		}
	}
	return float64(milli) / 1000
}

// cpus prints 0.5 as "0.5" and 2 as "2", with at most two decimals; three where
// two would make nothing of it.
func cpus(v float64) string {
	decimals := 100.0
	if v < 0.01 {
		decimals = 1000
	}
	return strconv.FormatFloat(math.Round(v*decimals)/decimals, 'f', -1, 64)
}

// mib prints Mesos's memory unit.
func mib(v float64) string { return size(v * (1 << 20)) }

// size prints bytes with a unit and at most one decimal.
func size(bytes float64) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return strconv.FormatFloat(math.Round(bytes), 'f', 0, 64) + "B"
	}
	i := -1
	for bytes >= 1023.95 && i < len(units)-1 {
		bytes /= 1024
		i++
	}
	return strconv.FormatFloat(math.Round(bytes*10)/10, 'f', -1, 64) + units[i:i+1] + "iB"
}

// percent prints a share from 0 to 1.
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + "%"
}

// age prints how long ago t was, in its largest unit, two for hours.
func age(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// seconds turns a timestamp of the wire into a time; zero stays zero.
func seconds(s float64) time.Time {
	if s <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(s * 1e6))
}

func nanos(t *v1.TimeInfo) time.Time {
	if t.GetNanoseconds() == 0 {
		return time.Time{}
	}
	return time.Unix(0, t.GetNanoseconds())
}

// stateName is "RUNNING" for TASK_RUNNING.
func stateName(s v1.TaskState) string { return strings.TrimPrefix(s.String(), "TASK_") }

// terminal tells that a task in this state has ended for good.
func terminal(s v1.TaskState) bool {
	switch s {
	case v1.TaskState_TASK_FINISHED, v1.TaskState_TASK_FAILED, v1.TaskState_TASK_KILLED, v1.TaskState_TASK_ERROR,
		v1.TaskState_TASK_LOST, v1.TaskState_TASK_DROPPED, v1.TaskState_TASK_GONE, v1.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	default:
		return false
	}
}
