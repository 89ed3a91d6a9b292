package master

import (
	"errors"
	"fmt"
	"net/http"

	"mezzo/api/ids"
	"mezzo/api/mesos/v1/master"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

// changes are the operator's calls that change the state: the event that each
// becomes, and the status that says that it is done.
var changes = map[master.Call_Type]struct {
	event func(*master.Call) (core.Event, error)
	done  int
}{
	master.Call_KILL_TASK:        {killTask, http.StatusAccepted},
	master.Call_UPDATE_QUOTA:     {updateQuota, http.StatusOK},
	master.Call_SET_QUOTA:        {setQuota, http.StatusOK},
	master.Call_REMOVE_QUOTA:     {removeQuota, http.StatusOK},
	master.Call_UPDATE_WEIGHTS:   {updateWeights, http.StatusOK},
	master.Call_DEACTIVATE_AGENT: {deactivateAgent, http.StatusOK},
	master.Call_REACTIVATE_AGENT: {reactivateAgent, http.StatusOK},
	master.Call_DRAIN_AGENT:      {drainAgent, http.StatusOK},
	master.Call_MARK_AGENT_GONE:  {markAgentGone, http.StatusOK},

	master.Call_TEARDOWN:            {teardown, http.StatusOK},
	master.Call_RESERVE_RESOURCES:   {reserveResources, http.StatusAccepted},
	master.Call_UNRESERVE_RESOURCES: {unreserveResources, http.StatusAccepted},
	master.Call_CREATE_VOLUMES:      {createVolumes, http.StatusAccepted},
	master.Call_DESTROY_VOLUMES:     {destroyVolumes, http.StatusAccepted},
	master.Call_GROW_VOLUME:         {growVolume, http.StatusAccepted},
	master.Call_SHRINK_VOLUME:       {shrinkVolume, http.StatusAccepted},

	master.Call_UPDATE_MAINTENANCE_SCHEDULE: {updateMaintenanceSchedule, http.StatusOK},
	master.Call_START_MAINTENANCE:           {startMaintenance, http.StatusOK},
	master.Call_STOP_MAINTENANCE:            {stopMaintenance, http.StatusOK},
}

// change makes an event of an operator's happen, unless it could not be read,
// and answers.
func (m *Master) change(w http.ResponseWriter, ev core.Event, unread error, done int) {
	err := unread
	if err == nil {
		err = m.lead().loop.ask(request{event: ev})
	}
	switch {
	case errors.Is(err, errs.Conflict): // unlike schedulers, operators can do something about it
		refuse(w, http.StatusConflict, "%s", errs.Text(err))
	case err != nil:
		fail(w, err)
	default:
		m.lead().loop.cached.Store(nil) // who changed something looks next whether it is so
		w.WriteHeader(done)
	}
}

// killTask is the KILL_TASK call.
func killTask(call *master.Call) (core.Event, error) {
	kill := call.GetKillTask()
	if kill == nil {
		return nil, fmt.Errorf("kill_task is missing: %w", errs.Invalid)
	}
	return core.KillTask{
		Framework: ids.FrameworkID(kill.GetFrameworkId().GetValue()),
		Task:      ids.TaskID(kill.GetTaskId().GetValue()),
		Policy:    kill.GetKillPolicy(),
	}, nil
}

// deactivateAgent is the DEACTIVATE_AGENT call.
func deactivateAgent(call *master.Call) (core.Event, error) {
	if call.DeactivateAgent == nil {
		return nil, fmt.Errorf("deactivate_agent is missing: %w", errs.Invalid)
	}
	return core.SetDeactivated{Agent: ids.AgentID(call.GetDeactivateAgent().GetAgentId().GetValue()), On: true}, nil
}

// reactivateAgent is the REACTIVATE_AGENT call.
func reactivateAgent(call *master.Call) (core.Event, error) {
	if call.ReactivateAgent == nil {
		return nil, fmt.Errorf("reactivate_agent is missing: %w", errs.Invalid)
	}
	return core.SetDeactivated{Agent: ids.AgentID(call.GetReactivateAgent().GetAgentId().GetValue())}, nil
}
