package launch

import (
	"math"

	v1 "mezzo/api/mesos/v1"
	"mezzo/containerizer"
)

// defaultWindow is the size of a terminal that nobody named.
var defaultWindow = containerizer.Window{Rows: 24, Columns: 80}

// Process is a further process in a task's container, as a call describes it.
// What would make a container of its own is refused.
func Process(c *v1.CommandInfo, box *v1.ContainerInfo) (containerizer.ExecSpec, error) {
	switch {
	case c.GetValue() == "":
		return containerizer.ExecSpec{}, invalid("command.value is missing")
	case len(c.GetUris()) > 0:
		return containerizer.ExecSpec{}, unsupported("command.uris: nothing is fetched for a command in a task's container")
	case box.GetMesos().GetImage() != nil || box.GetDocker() != nil || len(box.GetVolumes()) > 0:
		return containerizer.ExecSpec{}, unsupported("container: the command runs in the task's own")
	}
	env, err := checkCommand("command.environment", c)
	if err != nil {
		return containerizer.ExecSpec{}, err
	}
	s := containerizer.ExecSpec{Shell: c.GetShell(), Value: c.GetValue(), Args: c.GetArguments(), Env: env, User: c.GetUser()}
	if box.GetTtyInfo() != nil {
		w, err := Window(box.GetTtyInfo())
		if err != nil {
			return containerizer.ExecSpec{}, err
		}
		s.TTY = &w
	}
	return s, nil
}

// Window is the size of a terminal.
func Window(t *v1.TTYInfo) (containerizer.Window, error) {
	if t.GetWindowSize() == nil {
		return defaultWindow, nil
	}
	rows, columns := t.GetWindowSize().GetRows(), t.GetWindowSize().GetColumns()
	if rows == 0 || columns == 0 || rows > math.MaxUint16 || columns > math.MaxUint16 {
		return containerizer.Window{}, invalid("tty_info: there is no terminal of %d rows and %d columns", rows, columns)
	}
	return containerizer.Window{Rows: uint16(rows), Columns: uint16(columns)}, nil
}
