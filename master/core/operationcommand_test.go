package core_test

import (
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	"mezzo/api/link"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/master/core"
)

// withVolumes reads resources; "disk(r,p):10=id" is a persistent volume,
// "disk(r,p):10=id,shared" a shared one.
func (w *world) withVolumes(texts []string) (all []*v1.Resource) {
	for _, text := range texts {
		of, volume, ok := strings.Cut(text, "=")
		list := mustResources(w.t, of)
		if ok {
			id, shared := strings.CutSuffix(volume, ",shared")
			r := list[0]
			persistence := &v1.Resource_DiskInfo_Persistence{Id: &id}
			if rs := r.GetReservations(); len(rs) > 0 && rs[len(rs)-1].Principal != nil {
				persistence.Principal = rs[len(rs)-1].Principal
			}
			r.Disk = &v1.Resource_DiskInfo{Persistence: persistence, Volume: &v1.Volume{ContainerPath: proto.String("data"), Mode: v1.Volume_RW.Enum()}}
			if shared {
				r.Shared = &v1.Resource_SharedInfo{}
			}
		}
		all = append(all, list...)
	}
	return all
}

// operation makes one of its type and what it is about.
func (w *world) operation(kind string, of []string) *v1.Offer_Operation {
	op := &v1.Offer_Operation{Type: v1.Offer_Operation_Type(v1.Offer_Operation_Type_value[kind]).Enum()}
	switch op.GetType() {
	case v1.Offer_Operation_RESERVE:
		op.Reserve = &v1.Offer_Operation_Reserve{Resources: w.withVolumes(of)}
	case v1.Offer_Operation_UNRESERVE:
		op.Unreserve = &v1.Offer_Operation_Unreserve{Resources: w.withVolumes(of)}
	case v1.Offer_Operation_CREATE:
		op.Create = &v1.Offer_Operation_Create{Volumes: w.withVolumes(of)}
	case v1.Offer_Operation_DESTROY:
		op.Destroy = &v1.Offer_Operation_Destroy{Volumes: w.withVolumes(of)}
	case v1.Offer_Operation_GROW_VOLUME:
		op.GrowVolume = &v1.Offer_Operation_GrowVolume{Volume: w.withVolumes(of[:1])[0], Addition: w.withVolumes(of[1:])[0]}
	case v1.Offer_Operation_SHRINK_VOLUME:
		by, err := strconv.ParseFloat(of[1], 64)
		if err != nil {
			w.t.Fatal(err)
		}
		op.ShrinkVolume = &v1.Offer_Operation_ShrinkVolume{Volume: w.withVolumes(of[:1])[0], Subtract: &v1.Value_Scalar{Value: &by}}
	}
	return op
}

// operate a1, with the input "RESERVE cpus(r,p):1", is an operator's.
func operateCommand(w *world, d *datadriven.TestData) {
	l := lines(d)[0]
	w.step(core.Operate{Agent: ids.AgentID(w.agentID(first(d)).GetValue()), Operation: w.operation(l[0], l[1:])})
}

// operationUpdate is what an agent says of the operation it was asked for last
// under an id; "-" is none.
func (w *world) operationUpdate(framework, id, state, uuid string) *link.OperationUpdate {
	applied := w.applied[id]
	if applied == nil { // a master of old asked for it
		applied = uuidOf(id)
	}
	u := &link.OperationUpdate{Uuid: applied, Status: &v1.OperationStatus{State: v1.OperationState(v1.OperationState_value[state]).Enum()}}
	if framework != "-" {
		u.FrameworkId = &v1.FrameworkID{Value: &framework}
	}
	if id != "-" {
		u.Status.OperationId, u.Status.Uuid = &v1.OperationID{Value: &id}, &v1.UUID{Value: uuidOf(uuid)}
	}
	return u
}

// operated a1 M-0000 id OPERATION_FINISHED u1
func operatedCommand(w *world, d *datadriven.TestData) {
	u := w.operationUpdate(d.CmdArgs[1].Key, d.CmdArgs[2].Key, d.CmdArgs[3].Key, d.CmdArgs[4].Key)
	w.step(core.AgentMessage{Conn: w.conns[first(d)], Message: &link.FromAgent{Message: &link.FromAgent_OperationUpdate{OperationUpdate: u}}})
}

// opack s1 a1 id u1
func opackCommand(w *world, d *datadriven.TestData) {
	w.call(d, &scheduler.Call{
		Type: scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(), FrameworkId: w.framework(first(d)),
		AcknowledgeOperationStatus: &scheduler.Call_AcknowledgeOperationStatus{
			AgentId: w.agentID(d.CmdArgs[1].Key), OperationId: &v1.OperationID{Value: &d.CmdArgs[2].Key}, Uuid: uuidOf(d.CmdArgs[3].Key),
		},
	})
}

// reconcile operations s1 [id …]
func reconcileOperationsCommand(w *world, d *datadriven.TestData) {
	r := &scheduler.Call_ReconcileOperations{}
	for _, a := range d.CmdArgs[1:] {
		r.Operations = append(r.Operations, &scheduler.Call_ReconcileOperations_Operation{OperationId: &v1.OperationID{Value: &a.Key}})
	}
	w.call(d, &scheduler.Call{Type: scheduler.Call_RECONCILE_OPERATIONS.Enum(), FrameworkId: w.framework(first(d)), ReconcileOperations: r})
}
