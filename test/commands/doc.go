// Package commands tries the user's commands on the built binary against a
// cluster on this machine, as a person at a terminal would.
package commands
