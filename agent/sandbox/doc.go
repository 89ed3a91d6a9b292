// Package sandbox makes the directories that tasks run in and lets others read
// them.
//
//	work_dir/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>
//	                                                                   └─ latest ─▶ <container>
//
// A command task is its own executor, of the same id. Containers that calls of the
// agent's API launch are below work_dir/nested and work_dir/standalone.
//
// # Invariants
//
//  1. Ids are validated before they become names.
//  2. Everything below work_dir and below a sandbox is reached through an
//     os.Root: neither ".." nor a link that a task left there leads out.
//  3. Only regular files are read, and opening one never waits.
package sandbox
