// Package replog is a replicated log: what was appended is on the disks of a
// majority of replicas, in one order, for ever or until it is truncated.
//
//	log, err := replog.Open(cfg, deps)     // one replica
//	api.RegisterReplicaServer(server, log.Server())
//	w, err := log.Elect(ctx)               // when it is this replica's turn
//	pos, err := w.AppendWait(ctx, data)    // until <-w.Done()
//	for e, err := range log.Read(log.Begin(), end) { … }
//
// A single replica is a log too: it elects itself, and appends cost one sync.
//
// One goroutine, the loop, owns the protocol (mezzo/replog/paxos); the disk's
// (mezzo/replog/wal) reports to it what is durable; each other replica has one
// that sends. All are ended by Close. A disk that fails ends the process; one
// that is full stops what needs it until there is room.
//
// Guarantees: an append that was acknowledged is at its position for every
// reader, whatever crashes, as long as a majority of disks survives. An append
// that ended with ErrDemoted is there or will never be; who leads next sees
// which. What a Writer appends comes behind its Start without anybody else's
// between, until Done.
package replog
