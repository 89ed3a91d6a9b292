// Package flags reads a daemon's configuration the way Mesos daemons take it:
//
//	--name=value  --name value  --name (bools)  --no-name (bools)
//	MESOS_NAME=value, MESOS_name=value, and MEZZO_… which goes before MESOS_…
//	--config=/path: a file of lines "name=value", # begins a comment
//
// Flag goes before environment, environment before file, file before default.
// A value "file:///path" stands for the content of that file, without the white
// space around it, except where a path is wanted. An empty variable is as good as none.
//
// What nobody knows is an error on the command line and in the file. In the
// environment it is only reported: MESOS_… is also what tasks and libraries
// are told by.
//
// The defaults are what the variables hold when they are registered.
package flags
