package core

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// hello is a link.Hello that was found sound.
type hello struct {
	*link.Hello
	address    string
	ip         string // of the machine; empty if unknown
	total      resources.Resources
	tasks      []*Task
	reported   map[taskKey]bool
	frameworks map[ids.FrameworkID]*v1.FrameworkInfo
	executors  map[executorKey]*Executor
}

// maxKeptBytes is the largest description that the registry keeps of an agent,
// framework or schedule: several in one batch must fit an entry of the log.
const maxKeptBytes = 1 << 20

// checkSize refuses what the registry could not keep: a store that fails ends
// the master's reign.
func checkSize(m proto.Message) error {
	if n := proto.Size(m); n > maxKeptBytes {
		return fmt.Errorf("%d bytes, more than the %d that are kept: %w", n, maxKeptBytes, errs.Invalid)
	}
	return nil
}

// checkHello refuses what could not be accounted for.
func (c *Core) checkHello(ev AgentHello) (*hello, error) {
	h := &hello{Hello: ev.Hello, reported: map[taskKey]bool{}, frameworks: map[ids.FrameworkID]*v1.FrameworkInfo{}, executors: map[executorKey]*Executor{}}
	if _, second := c.conns[ev.Conn]; second {
		return nil, fmt.Errorf("hello came twice on one stream: %w", errs.Conflict)
	}
	if h.Hello.GetAgent().GetHostname() == "" {
		return nil, fmt.Errorf("agent has no hostname: %w", errs.Invalid)
	}
	h.address = h.GetAddress()
	if h.address == "" {
		format := "%s:%d"
		if strings.Contains(ev.IP, ":") {
			format = "[%s]:%d"
		}
		h.address = fmt.Sprintf(format, ev.IP, h.Agent.GetPort())
	}
	if err := checkAddress(h.address); err != nil {
		return nil, err
	}
	h.ip = machineIP(h.address, ev.IP)
	if id := h.Agent.GetId(); id != nil {
		if err := ids.Validate("agent", id.GetValue()); err != nil {
			return nil, err
		}
	}
	if err := checkSize(h.Agent); err != nil {
		return nil, fmt.Errorf("agent's description: %w", err)
	}
	var err error
	if h.total, err = resources.FromProto(h.Agent.GetResources()); err != nil {
		return nil, fmt.Errorf("agent resources: %w", err)
	}
	for _, info := range h.GetFrameworks() {
		if err := errors.Join(ids.Validate("framework", info.GetId().GetValue()), checkInfo(info)); err != nil {
			return nil, fmt.Errorf("framework %q: %w", info.GetId().GetValue(), err)
		}
		h.frameworks[ids.FrameworkID(info.GetId().GetValue())] = info
	}
	return h, errors.Join(h.checkTasks(), h.checkExecutors())
}

func (h *hello) checkTasks() error {
	for _, info := range h.GetTasks() {
		t, err := recoveredTask(info)
		if err == nil && h.reports(t) {
			err = fmt.Errorf("reported twice: %w", errs.Invalid)
		}
		if err == nil && h.frameworks[t.Framework] == nil {
			err = fmt.Errorf("framework %q is not described: %w", t.Framework, errs.Invalid)
		}
		if err != nil {
			return fmt.Errorf("task %q: %w", info.GetTaskId().GetValue(), err)
		}
		h.reported[t.key()] = true
		h.tasks = append(h.tasks, t)
	}
	return nil
}

func (h *hello) reports(t *Task) bool { return h.reported[t.key()] }

// recoveredTask is a task as an agent tells of it.
func recoveredTask(info *v1.Task) (*Task, error) {
	if err := ids.Validate("task", info.GetTaskId().GetValue()); err != nil {
		return nil, err
	}
	if !agentKnows(info.GetState()) {
		return nil, fmt.Errorf("no agent sees a task as %v: %w", info.GetState(), errs.Invalid)
	}
	res, err := resources.FromProto(info.GetResources())
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(slices.Collect(res.All()), func(r resources.Resource) bool { return r.AllocatedTo() == "" }) {
		return nil, fmt.Errorf("resources are not allocated to a role: %w", errs.Invalid)
	}
	t := &Task{
		ID:        ids.TaskID(info.GetTaskId().GetValue()),
		Framework: ids.FrameworkID(info.GetFrameworkId().GetValue()),
		Info:      info,
		Resources: res,
		State:     info.GetState(),
		Statuses:  info.GetStatuses(),
	}
	if info.StatusUpdateUuid != nil {
		t.Told, t.ToldUUID = info.GetStatusUpdateState(), info.GetStatusUpdateUuid()
	}
	return t, nil
}

// addressForm is "host:port"; an IPv6 address has brackets.
var addressForm = regexp.MustCompile(`^(?:[\w.-]{1,255}|\[[\w:.%]{2,64}\]):(\d{1,5})$`)

// checkAddress tells whether an agent could be reached at address: it becomes
// part of URLs, and of what people read.
func checkAddress(address string) error {
	form := addressForm.FindStringSubmatch(address)
	if form == nil {
		return invalid("address %.100q is not host:port", address)
	}
	if _, err := strconv.ParseUint(form[1], 10, 16); err != nil {
		return invalid("address %q has a port above 65535", address)
	}
	return nil
}

// host is the part of "host:port" before the port.
func host(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		return address[:i]
	}
	return address
}
