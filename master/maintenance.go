package master

import (
	"encoding/json"
	"fmt"
	"net/http"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/maintenance"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
	"mezzo/master/core"
)

// updateMaintenanceSchedule is the UPDATE_MAINTENANCE_SCHEDULE call.
func updateMaintenanceSchedule(call *master.Call) (core.Event, error) {
	if call.UpdateMaintenanceSchedule == nil {
		return nil, fmt.Errorf("update_maintenance_schedule is missing: %w", errs.Invalid)
	}
	return core.SetSchedule{Schedule: call.GetUpdateMaintenanceSchedule().GetSchedule()}, nil
}

// startMaintenance is the START_MAINTENANCE call.
func startMaintenance(call *master.Call) (core.Event, error) {
	if call.StartMaintenance == nil {
		return nil, fmt.Errorf("start_maintenance is missing: %w", errs.Invalid)
	}
	return core.StartMaintenance{Machines: call.GetStartMaintenance().GetMachines()}, nil
}

// stopMaintenance is the STOP_MAINTENANCE call.
func stopMaintenance(call *master.Call) (core.Event, error) {
	if call.StopMaintenance == nil {
		return nil, fmt.Errorf("stop_maintenance is missing: %w", errs.Invalid)
	}
	return core.StopMaintenance{Machines: call.GetStopMaintenance().GetMachines()}, nil
}

// showMaintenance is how maintenance stands, machines in the order of the
// schedule.
func showMaintenance(s *core.Snapshot) *maintenance.ClusterStatus {
	out := &maintenance.ClusterStatus{}
	for _, m := range s.Machines {
		if m.Down {
			out.DownMachines = append(out.DownMachines, m.ID)
			continue
		}
		draining := &maintenance.ClusterStatus_DrainingMachine{Id: m.ID}
		for _, a := range m.Answers {
			draining.Statuses = append(draining.Statuses, a.Proto())
		}
		out.DrainingMachines = append(out.DrainingMachines, draining)
	}
	return out
}

// getSchedule serves GET /maintenance/schedule.
func (m *Master) getSchedule(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	respondJSON(w, r, raw(s.Schedule))
}

// postSchedule serves POST /maintenance/schedule: a Schedule as JSON.
func (m *Master) postSchedule(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	s := &maintenance.Schedule{}
	err := mesosjson.Unmarshal(body, s)
	m.change(w, core.SetSchedule{Schedule: s}, err, http.StatusOK)
}

// maintenanceStatus serves GET /maintenance/status.
func (m *Master) maintenanceStatus(w http.ResponseWriter, r *http.Request) {
	s, err := m.lead().loop.read()
	if err != nil {
		fail(w, err)
		return
	}
	respondJSON(w, r, raw(showMaintenance(s)))
}

// machineDown serves POST /machine/down: a list of MachineID as JSON.
func (m *Master) machineDown(w http.ResponseWriter, r *http.Request) {
	if list, ok := readMachines(w, r); ok {
		m.change(w, core.StartMaintenance{Machines: list}, nil, http.StatusOK)
	}
}

// machineUp serves POST /machine/up: a list of MachineID as JSON.
func (m *Master) machineUp(w http.ResponseWriter, r *http.Request) {
	if list, ok := readMachines(w, r); ok {
		m.change(w, core.StopMaintenance{Machines: list}, nil, http.StatusOK)
	}
}

// readMachines reads a list of machines. What is wrong it answers itself.
func readMachines(w http.ResponseWriter, r *http.Request) ([]*v1.MachineID, bool) {
	body, ok := readBody(w, r)
	if !ok {
		return nil, false
	}
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		refuse(w, http.StatusBadRequest, "read machines: %v", err)
		return nil, false
	}
	machines := make([]*v1.MachineID, len(list))
	for i, text := range list {
		machines[i] = &v1.MachineID{}
		if err := mesosjson.Unmarshal(text, machines[i]); err != nil {
			fail(w, err)
			return nil, false
		}
	}
	return machines, true
}
