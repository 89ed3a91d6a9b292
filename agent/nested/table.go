package nested

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"mezzo/api/checkpoint"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// MaxDepth is how deep containers may be nested.
//
// Source: mesos slave/containerizer/mesos/constants.hpp.
const MaxDepth = 32

// State is how far a container has come.
type State int

// States, in their order.
const (
	Launching State = iota
	Running
	Ended
)

// Container is one of the table's.
type Container struct {
	ID        *v1.ContainerID // with those around it
	Name      ids.ContainerID // by which it is held, unlike that of any other on the agent
	Within    ids.ContainerID // name of the one around it; empty: standalone
	InGroup   bool            // Within is the container of a task group
	Framework ids.FrameworkID // of the one around it
	Executor  ids.ExecutorID
	Resources []*v1.Resource // its own; none: it shares those of the one around it
	Ceilings  map[string]*v1.Value_Scalar
	Limits    isolator.Limits // what those come to

	State State
	PID   uint32
	End   End
}

// End is how a container ended.
type End struct {
	Status  *int32 // as wait(2) gives it; nil: not known
	Reason  *v1.TaskStatus_Reason
	Message string
}

// Same tells whether two ids, with those around them, are the same.
func Same(a, b *v1.ContainerID) bool {
	for ; a != nil && b != nil; a, b = a.GetParent(), b.GetParent() {
		if a.GetValue() != b.GetValue() {
			return false
		}
	}
	return a == nil && b == nil
}

// Path is a container's id with those around it, the outermost first, for people:
// an id may have a dot in it.
func Path(id *v1.ContainerID) string {
	if id.GetParent() == nil {
		return id.GetValue()
	}
	return Path(id.GetParent()) + "." + id.GetValue()
}

// Name is what a container of that id is held by. Ids are unique within one parent
// only, and people choose them.
func Name(id *v1.ContainerID) ids.ContainerID {
	kind := "nested-"
	if id.GetParent() == nil {
		kind = "standalone-"
	}
	h := sha256.New()
	for at := id; at != nil; at = at.GetParent() {
		fmt.Fprintf(h, "%d:%s", len(at.GetValue()), at.GetValue())
	}
	return ids.ContainerID(kind + hex.EncodeToString(h.Sum(nil))[:32])
}

// Check refuses ids that no container can have.
//
// Errors: errs.Invalid.
func Check(id *v1.ContainerID) error {
	depth := 0
	for at := id; at != nil; at = at.GetParent() {
		if err := ids.Validate("container", at.GetValue()); err != nil {
			return err
		}
		if depth++; depth > MaxDepth {
			return fmt.Errorf("container id: nested more than %d deep: %w", MaxDepth, errs.Invalid)
		}
	}
	if depth == 0 {
		return fmt.Errorf("container id is missing: %w", errs.Invalid)
	}
	return nil
}

// Table is all of them. The zero value is not usable; New makes one.
type Table struct {
	byName map[ids.ContainerID]*Container
}

// New makes an empty table.
func New() *Table { return &Table{byName: make(map[ids.ContainerID]*Container)} }

// Add takes a container in. Its name must not be in the table.
func (t *Table) Add(c Container) { t.byName[c.Name] = &c }

// Get returns a container, nil if there is none; it is the table's.
func (t *Table) Get(name ids.ContainerID) *Container { return t.byName[name] }

// Remove forgets one.
func (t *Table) Remove(name ids.ContainerID) { delete(t.byName, name) }

// All are copies of all, by path.
func (t *Table) All() []Container {
	all := make([]Container, 0, len(t.byName))
	for _, c := range t.byName {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(Path(a.ID), Path(b.ID)) })
	return all
}

// Inside are the names of what is in the container of that name, what is innermost
// first.
func (t *Table) Inside(name ids.ContainerID) (names []ids.ContainerID) {
	for _, inner := range slices.Sorted(maps.Keys(t.byName)) {
		if t.byName[inner].Within == name {
			names = append(append(names, t.Inside(inner)...), inner)
		}
	}
	return names
}

// Standalone are the names of those that are in none.
func (t *Table) Standalone() (names []ids.ContainerID) {
	for _, name := range slices.Sorted(maps.Keys(t.byName)) {
		if t.byName[name].Within == "" {
			names = append(names, name)
		}
	}
	return names
}

// Record is what is kept of c on disk.
func (c *Container) Record() *checkpoint.Nested {
	r := &checkpoint.Nested{
		ContainerId: c.ID, Name: string(c.Name), Within: string(c.Within), InGroup: c.InGroup,
		Resources: c.Resources, Limits: c.Ceilings,
		Pid: c.PID, Ended: c.State == Ended, ExitStatus: c.End.Status, Message: c.End.Message,
	}
	if c.Framework != "" {
		r.FrameworkId, r.ExecutorId = c.Framework.Proto(), c.Executor.Proto()
	}
	if c.End.Reason != nil {
		r.Reason = proto.Int32(int32(*c.End.Reason))
	}
	return r
}

// FromRecord is the container that a record is of. One that had not ended counts
// as launching: whether it still runs is for others to find out.
//
// Errors: errs.Corrupt.
func FromRecord(r *checkpoint.Nested) (Container, error) {
	c := Container{
		ID: r.GetContainerId(), Name: ids.ContainerID(r.GetName()), Within: ids.ContainerID(r.GetWithin()), InGroup: r.GetInGroup(),
		Framework: ids.FrameworkID(r.GetFrameworkId().GetValue()), Executor: ids.ExecutorID(r.GetExecutorId().GetValue()),
		Resources: r.GetResources(), Ceilings: r.GetLimits(),
		PID: r.GetPid(), End: End{Status: r.ExitStatus, Message: r.GetMessage()},
	}
	if err := Check(c.ID); err != nil {
		return c, fmt.Errorf("recover container %q: %w: %w", r.GetName(), err, errs.Corrupt)
	}
	if c.Name != Name(c.ID) || (c.ID.GetParent() == nil) != (c.Within == "") {
		return c, fmt.Errorf("recover container %q: its name is %q and it is in %q: %w", Path(c.ID), c.Name, c.Within, errs.Corrupt)
	}
	if r.GetEnded() {
		c.State = Ended
	}
	if r.Reason != nil {
		c.End.Reason = v1.TaskStatus_Reason(r.GetReason()).Enum()
	}
	return c, nil
}
