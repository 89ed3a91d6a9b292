package core

import (
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
)

// TimeInfo is t in the form of the v1 API; nil for the zero time.
func TimeInfo(t time.Time) *v1.TimeInfo {
	if t.IsZero() {
		return nil
	}
	return &v1.TimeInfo{Nanoseconds: proto.Int64(t.UnixNano())}
}

// Seconds is t as the API's doubles count it: seconds since the epoch, 0 for
// the zero time.
func Seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

func errorEvent(message string) *scheduler.Event {
	return &scheduler.Event{
		Type:  scheduler.Event_ERROR.Enum(),
		Error: &scheduler.Event_Error{Message: proto.String(message)},
	}
}

func updateEvent(s *v1.TaskStatus) *scheduler.Event {
	return &scheduler.Event{
		Type:   scheduler.Event_UPDATE.Enum(),
		Update: &scheduler.Event_Update{Status: s},
	}
}

func rescindEvent(id ids.OfferID) *scheduler.Event {
	return &scheduler.Event{
		Type:    scheduler.Event_RESCIND.Enum(),
		Rescind: &scheduler.Event_Rescind{OfferId: id.Proto()},
	}
}

func failureEvent(id ids.AgentID) *scheduler.Event {
	return &scheduler.Event{
		Type:    scheduler.Event_FAILURE.Enum(),
		Failure: &scheduler.Event_Failure{AgentId: id.Proto()},
	}
}

func operationEvent(s *v1.OperationStatus) *scheduler.Event {
	return &scheduler.Event{
		Type:                  scheduler.Event_UPDATE_OPERATION_STATUS.Enum(),
		UpdateOperationStatus: &scheduler.Event_UpdateOperationStatus{Status: s},
	}
}

func (c *Core) subscribedEvent(id ids.FrameworkID) *scheduler.Event {
	return &scheduler.Event{
		Type: scheduler.Event_SUBSCRIBED.Enum(),
		Subscribed: &scheduler.Event_Subscribed{
			FrameworkId:              id.Proto(),
			HeartbeatIntervalSeconds: proto.Float64(c.cfg.Heartbeat.Seconds()),
			MasterInfo:               c.cfg.Master,
		},
	}
}
