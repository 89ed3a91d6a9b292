package agent

import (
	"net/http"

	"mezzo/agent/task"
)

// operationModel is something that the containerizer is at.
type operationModel struct {
	Operation string         `json:"operation"`
	Args      map[string]any `json:"args"`
}

// pending serves GET /containerizer/debug: the containers that are being made or
// ended at this moment.
func (s *server) pending(snap *snapshot, _ *http.Request) (any, error) {
	list := []operationModel{}
	for _, t := range snap.tasks() {
		if !t.Held {
			continue
		}
		args := map[string]any{"containerId": t.Container, "taskId": t.Info.GetTaskId().GetValue()}
		switch t.State {
		case task.Starting:
			list = append(list, operationModel{"launch", args})
		case task.Aborting, task.Killing, task.Done: // held all the same
			list = append(list, operationModel{"destroy", args})
		}
	}
	return map[string]any{"pending": list}, nil
}
