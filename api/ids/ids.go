// Package ids names the identities that travel through mezzo, as comparable
// strings fit for map keys. On the wire each is a message of its own with one
// field "value" (mesos.v1.FrameworkID and so on).
package ids

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
