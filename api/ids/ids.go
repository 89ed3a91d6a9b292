package ids

import v1 "mezzo/api/mesos/v1"

// Identities. Masters make framework, agent and offer ids; schedulers choose
// task and executor ids; agents make container ids.
type (
	FrameworkID string
	AgentID     string
	OfferID     string
	TaskID      string
	ExecutorID  string
	ContainerID string
)

// Proto returns the wire form, a fresh message.
func (id FrameworkID) Proto() *v1.FrameworkID { return &v1.FrameworkID{Value: value(id)} }

// Proto returns the wire form, a fresh message.
func (id AgentID) Proto() *v1.AgentID { return &v1.AgentID{Value: value(id)} }

// Proto returns the wire form, a fresh message.
func (id OfferID) Proto() *v1.OfferID { return &v1.OfferID{Value: value(id)} }

// Proto returns the wire form, a fresh message.
func (id TaskID) Proto() *v1.TaskID { return &v1.TaskID{Value: value(id)} }

// Proto returns the wire form, a fresh message.
func (id ExecutorID) Proto() *v1.ExecutorID { return &v1.ExecutorID{Value: value(id)} }

// Proto returns the wire form, a fresh message; the container has no parent.
func (id ContainerID) Proto() *v1.ContainerID { return &v1.ContainerID{Value: value(id)} }

func value[ID ~string](id ID) *string {
	s := string(id)
	return &s
}
