// Package failover loses masters: real processes, killed and stopped while an
// agent and a framework work, with the log's own election and with ZooKeeper's.
package failover
