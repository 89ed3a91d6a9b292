package core

import v1 "mezzo/api/mesos/v1"

// Counter is one thing counted since the master started.
type Counter int

// Counters. Their names on the wire are the shell's matter.
const (
	MessagesRegisterFramework Counter = iota
	MessagesReregisterFramework
	MessagesUnregisterFramework
	MessagesRegisterAgent
	MessagesReregisterAgent
	MessagesKillTask
	MessagesLaunchTasks
	MessagesDeclineOffers
	MessagesReviveOffers
	MessagesSuppressOffers
	MessagesReconcileTasks
	MessagesReconcileOperations
	MessagesResourceRequest
	MessagesFrameworkToExecutor
	MessagesStatusUpdate
	MessagesUpdateAgent
	MessagesStatusUpdateAcknowledgement
	MessagesOperationStatusUpdateAcknowledgement
	ValidStatusUpdates
	InvalidStatusUpdates
	ValidStatusUpdateAcknowledgements
	InvalidStatusUpdateAcknowledgements
	ValidOperationStatusUpdateAcknowledgements
	InvalidOperationStatusUpdateAcknowledgements
	ValidFrameworkToExecutorMessages
	InvalidFrameworkToExecutorMessages
	MessagesExecutorToFramework
	ValidExecutorToFrameworkMessages
	InvalidExecutorToFrameworkMessages
	MessagesExitedExecutor
	DroppedMessages
	AgentRegistrations
	AgentReregistrations
	AgentRemovals
	AgentRemovalsRegistered
	AgentRemovalsUnhealthy
	RecoveryAgentRemovals
	AgentRemovalsByOperator
	AgentsUnreachable
	TasksFinished
	TasksFailed
	TasksKilled
	TasksError
	TasksLost
	TasksDropped
	TasksGone
	TasksGoneByOperator
	AllocationRuns
	RequestsSatisfied
	RequestsRefused
	InverseOffersSent
	InverseOffersAccepted
	InverseOffersDeclined
	InverseOffersRescinded
	numCounters
)

// Counts holds every Counter.
type Counts [numCounters]uint64

// TaskEnd is a way in which tasks ended.
type TaskEnd struct {
	State  v1.TaskState
	Source v1.TaskStatus_Source
	Reason v1.TaskStatus_Reason
}

var endCounters = map[v1.TaskState]Counter{
	v1.TaskState_TASK_FINISHED:         TasksFinished,
	v1.TaskState_TASK_FAILED:           TasksFailed,
	v1.TaskState_TASK_KILLED:           TasksKilled,
	v1.TaskState_TASK_ERROR:            TasksError,
	v1.TaskState_TASK_LOST:             TasksLost,
	v1.TaskState_TASK_DROPPED:          TasksDropped,
	v1.TaskState_TASK_GONE:             TasksGone,
	v1.TaskState_TASK_GONE_BY_OPERATOR: TasksGoneByOperator,
}

// countEnd counts the end of one task of f.
func (c *Core) countEnd(f *framework, s *v1.TaskStatus) {
	if n, ok := endCounters[s.GetState()]; ok {
		c.counts[n]++
		f.Counts.Ended[s.GetState()]++
	}
	if s.Reason != nil {
		c.taskEnds[TaskEnd{s.GetState(), s.GetSource(), s.GetReason()}]++
	}
}
