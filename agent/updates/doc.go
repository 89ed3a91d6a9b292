// Package updates keeps the status updates of one task until a framework has
// acknowledged them: in order, one in flight, sent again until then. It is pure;
// time comes in, what is to be sent goes out.
//
//	Add ──▶ [ head | later … ] ──Due──▶ sent, again after 10 s, 20 s … 10 min
//	            ▲                          │
//	            └──────── Ack(uuid) ◀──────┘
//
// # Invariants
//
//  1. Updates are due in the order of Add; the next one only after the Ack of
//     the one before.
//  2. An update with a uuid seen before is dropped; of those acknowledged, the
//     newest 256 are remembered.
//  3. After a terminal update none is taken; once it is acknowledged the stream
//     is closed and has nothing more to say.
package updates
