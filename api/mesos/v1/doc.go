// Package v1 is generated from the messages of mesos.v1: ids, resources, tasks,
// agents, offers and what they are made of. The .proto files beside it are
// written for mezzo, with the field names, numbers and defaults of Mesos' v1 API;
// their comments are the reference.
//
// Every optional field is a pointer: read with the getters, which know the
// defaults. For maps and logs use the typed ids of package ids.
package v1
