// Package cli holds mezzo's commands for users and operators: run, ps, top,
// logs, kill; agents, frameworks, explain, roles, quota, weights. They use the
// public HTTP API alone: whatever they do, any program may do.
//
// What is asked for goes to stdout; what happens meanwhile, and errors, to
// stderr, each line of ours beginning with "mezzo: ". -o json prints the API's
// own answer, in its own JSON, so that scripts and tools of Mesos can read it;
// quota the part of it that it shows, logs prints an object a line of output, run its task's statuses to stderr.
//
// Exit codes: 0; 1 for an error; 141 when nobody reads the output any more, as
// for any program in a pipe. `mezzo run` kills its task then, and else ends with its task's exit code,
// with 127 or 126 when its command is not there or can't be run, 125 when the
// task could not be run at all, 130 when it was interrupted.
//
// Operator calls, and where they go:
//
//	ps, logs, kill          GET_STATE             master /api/v1
//	top                     GET_USAGE             master /api/v1   (mezzo's own)
//	kill                    KILL_TASK             master /api/v1   (mezzo's own)
//	agents, frameworks      GET_AGENTS, …         master /api/v1
//	agents de-, reactivate  DEACTIVATE_AGENT, …   master /api/v1
//	explain                 EXPLAIN               master /api/v1   (mezzo's own)
//	weights                 …_WEIGHTS             master /api/v1
//	quota set, rm           UPDATE_QUOTA          master /api/v1
//	quota, roles            /roles                master
//	run                     a framework           master /api/v1/scheduler
//	logs, run               /state, /files        agent
package cli
