// Package election finds the leading master. Agents use it to know whom to
// call; it decides nothing about who leads.
//
// A master flag names masters in one of these forms:
//
//	host[:port]              the only master
//	host[:port],host[:port]  masters to be asked in turn
//
// Without a port it is 5050. A leading "master@", as in a Mesos process id, is
// accepted and dropped. The forms zk:// and file:// are refused by name.
package election
