package master

import "mezzo/master/core"

// counters are the metrics that only ever grow.
var counters = []metric{
	counter("master/messages_register_framework", "SUBSCRIBE calls without an id", core.MessagesRegisterFramework),
	counter("master/messages_reregister_framework", "SUBSCRIBE calls with an id", core.MessagesReregisterFramework),
	counter("master/messages_unregister_framework", "TEARDOWN calls", core.MessagesUnregisterFramework),
	counter("master/messages_register_slave", "Hellos without an id", core.MessagesRegisterAgent),
	counter("master/messages_reregister_slave", "Hellos with an id", core.MessagesReregisterAgent),
	counter("master/messages_kill_task", "KILL calls", core.MessagesKillTask),
	counter("master/messages_launch_tasks", "LAUNCH operations with tasks", core.MessagesLaunchTasks),
	counter("master/messages_decline_offers", "DECLINE calls and LAUNCH operations without tasks", core.MessagesDeclineOffers),
	counter("master/messages_revive_offers", "REVIVE calls", core.MessagesReviveOffers),
	counter("master/messages_suppress_offers", "SUPPRESS calls", core.MessagesSuppressOffers),
	counter("master/messages_reconcile_tasks", "RECONCILE calls", core.MessagesReconcileTasks),
	counter("master/messages_reconcile_operations", "RECONCILE_OPERATIONS calls", core.MessagesReconcileOperations),
	counter("master/messages_resource_request", "REQUEST calls", core.MessagesResourceRequest),
	counter("master/requests_satisfied", "requests that offers answered", core.RequestsSatisfied),
	counter("master/requests_refused", "REQUEST calls that can never be satisfied, or make no sense", core.RequestsRefused),
	counter("master/messages_framework_to_executor", "MESSAGE calls", core.MessagesFrameworkToExecutor),
	counter("master/messages_update_slave", "messages of agents about what they have of revocable resources", core.MessagesUpdateAgent),
	counter("master/messages_status_update", "status updates from agents", core.MessagesStatusUpdate),
	counter("master/messages_status_update_acknowledgement", "ACKNOWLEDGE calls", core.MessagesStatusUpdateAcknowledgement),
	counter("master/messages_operation_status_update_acknowledgement", "ACKNOWLEDGE_OPERATION_STATUS calls", core.MessagesOperationStatusUpdateAcknowledgement),
	counter("master/valid_status_updates", "status updates passed on", core.ValidStatusUpdates),
	counter("master/invalid_status_updates", "status updates of unknown tasks or for absent frameworks", core.InvalidStatusUpdates),
	counter("master/valid_status_update_acknowledgements", "acknowledgements passed on", core.ValidStatusUpdateAcknowledgements),
	counter("master/invalid_status_update_acknowledgements", "acknowledgements of nothing", core.InvalidStatusUpdateAcknowledgements),
	counter("master/valid_operation_status_update_acknowledgements", "acknowledgements of statuses of operations passed on", core.ValidOperationStatusUpdateAcknowledgements),
	counter("master/invalid_operation_status_update_acknowledgements", "acknowledgements of statuses of operations that are not awaited", core.InvalidOperationStatusUpdateAcknowledgements),
	counter("master/invalid_framework_to_executor_messages", "messages to executors that are not there", core.InvalidFrameworkToExecutorMessages),
	counter("master/valid_framework_to_executor_messages", "messages to executors passed on", core.ValidFrameworkToExecutorMessages),
	counter("master/messages_executor_to_framework", "messages from executors", core.MessagesExecutorToFramework),
	counter("master/valid_executor_to_framework_messages", "messages from executors passed on", core.ValidExecutorToFrameworkMessages),
	counter("master/invalid_executor_to_framework_messages", "messages from executors to frameworks that are not there", core.InvalidExecutorToFrameworkMessages),
	counter("master/messages_exited_executor", "executors that ended", core.MessagesExitedExecutor),
	counter("master/inverse_offers_sent", "inverse offers", core.InverseOffersSent),
	counter("master/inverse_offers_accepted", "inverse offers accepted", core.InverseOffersAccepted),
	counter("master/inverse_offers_declined", "inverse offers declined", core.InverseOffersDeclined),
	counter("master/inverse_offers_rescinded", "inverse offers taken back", core.InverseOffersRescinded),
	counter("master/dropped_messages", "calls that came to nothing", core.DroppedMessages),
	counter("master/slave_registrations", "agents admitted", core.AgentRegistrations),
	counter("master/slave_reregistrations", "agents taken back", core.AgentReregistrations),
	counter("master/slave_removals", "agents removed", core.AgentRemovals),
	counter("master/slave_removals/reason_registered", "agents replaced at their address", core.AgentRemovalsRegistered),
	counter("master/recovery_slave_removals", "agents that did not come back after a failover", core.RecoveryAgentRemovals),
	counter("master/slave_removals/reason_unhealthy", "agents that fell silent", core.AgentRemovalsUnhealthy),
	counter("master/slave_removals/reason_operator", "agents marked gone, or on machines whose maintenance started", core.AgentRemovalsByOperator),
	counter("master/slave_unreachable_scheduled", "agents to be marked unreachable", core.AgentsUnreachable),
	counter("master/slave_unreachable_completed", "agents marked unreachable", core.AgentsUnreachable),
	counter("master/tasks_finished", "tasks that finished", core.TasksFinished),
	counter("master/tasks_failed", "tasks that failed", core.TasksFailed),
	counter("master/tasks_killed", "tasks that were killed", core.TasksKilled),
	counter("master/tasks_error", "tasks that were refused", core.TasksError),
	counter("master/tasks_lost", "tasks that were lost", core.TasksLost),
	counter("master/tasks_dropped", "tasks that never started", core.TasksDropped),
	counter("master/tasks_gone", "tasks that are gone", core.TasksGone),
	counter("master/tasks_gone_by_operator", "tasks whose agent an operator gave up", core.TasksGoneByOperator),
}

// nothingYet are metrics that exporters look for and whose subject this master
// has not got: they are 0, which is true.
func nothingYet() []metric {
	var list []metric
	for _, group := range []struct {
		why   string
		names []string
	}{
		{"nobody authenticates yet", []string{"master/messages_authenticate"}},
		{"no such message exists in the v1 API", []string{"master/messages_deactivate_framework", "master/messages_unregister_slave"}},
		{"agents are removed without limit of rate", []string{
			"master/slave_unreachable_canceled", "master/slave_shutdowns_scheduled", "master/slave_shutdowns_canceled",
			"master/slave_shutdowns_completed", "master/slave_removals/reason_unregistered",
		}},
		{"there is one queue, event_queue_messages", []string{
			"master/event_queue_dispatches", "master/event_queue_http_requests", "allocator/mesos/event_queue_dispatches",
		}},
	} {
		for _, name := range group.names {
			list = append(list, gauge(name, "0: "+group.why, func(*tally) float64 { return 0 }))
		}
	}
	return list
}
