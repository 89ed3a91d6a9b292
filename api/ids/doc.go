// Package ids names the identities that travel through mezzo, as comparable
// strings fit for map keys. On the wire each is a message of its own with one
// field "value" (mesos.v1.FrameworkID and so on): convert with T(m.GetValue())
// and T.Proto.
package ids
