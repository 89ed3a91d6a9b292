package core

import (
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/scheduler"
	"mezzo/internal/errs"
	"mezzo/master/constraint"
	"mezzo/resources"
)

// What ends a stream for good. Frameworks compare it by the letter, for instance
// to ask for a new id.
//
// Source: mesos master.cpp.
const (
	frameworkRemoved    = "Framework has been removed"
	frameworkFailedOver = "Framework failed over"
)

// subscribe admits a framework, or takes it over from its former stream. What
// is wrong is said in an ERROR event on the new stream, as Mesos does.
func (c *Core) subscribe(s StreamID, call *scheduler.Call_Subscribe) {
	info := call.GetFrameworkInfo()
	if info.GetId().GetValue() == "" {
		c.counts[MessagesRegisterFramework]++
	} else {
		c.counts[MessagesReregisterFramework]++
	}
	if err := c.admissible(info, call.GetSuppressedRoles(), call.GetOfferConstraints()); err != nil {
		c.refuse(s, info, errs.Text(err))
		return
	}
	if _, removed := c.completed.get(ids.FrameworkID(info.GetId().GetValue())); removed {
		c.refuse(s, info, frameworkRemoved)
		return
	}
	if info.GetId().GetValue() == "" {
		c.lastFramework++
		info.Id = ids.FrameworkID(fmt.Sprintf("%s-%04d", c.cfg.Master.GetId(), c.lastFramework-1)).Proto()
	}
	f, known := c.frameworks[ids.FrameworkID(info.GetId().GetValue())]
	if known && f.Info.GetPrincipal() != info.GetPrincipal() {
		c.refuse(s, info, "changing the framework's principal is not allowed")
		return
	}
	if !known {
		f = c.newFramework(info)
		f.Suppressed, f.Constraints = slices.Sorted(slices.Values(call.GetSuppressedRoles())), call.GetOfferConstraints()
		c.frameworks[f.ID] = f
		must(c.alloc.AddFramework(toAllocator(f)))
	} else {
		c.disconnect(f, frameworkFailedOver)
		c.update(f, info, call.GetSuppressedRoles(), call.GetOfferConstraints())
		f.Reregistered, f.Recovered = c.now, false
	}
	c.connect(f, s)
	c.tellFramework(f, !known)
	c.trace(Info, "framework subscribed", "framework_id", string(f.ID), "name", info.GetName())
}

func (c *Core) refuse(s StreamID, info *v1.FrameworkInfo, why string) {
	c.fail(s, why)
	c.trace(Info, "framework refused", "framework_id", info.GetId().GetValue(), "name", info.GetName(), "reason", why)
}

// connect gives f a stream and offers.
func (c *Core) connect(f *framework, s StreamID) {
	c.cancel(f.failover)
	f.failover = nil
	f.stream, f.Connected = s, true
	c.touchFramework(f.ID)
	c.streams[s] = f
	c.send(f, c.subscribedEvent(f.ID))
	must(c.alloc.SetConnected(f.ID, true))
	c.wantAllocation("")
}

// disconnect takes f's stream and offers away. If the stream still is there it
// is told why.
func (c *Core) disconnect(f *framework, why string) {
	if !f.Connected {
		return
	}
	must(c.alloc.SetConnected(f.ID, false))
	if why != "" {
		c.fail(f.stream, why)
	}
	delete(c.streams, f.stream)
	f.stream, f.Connected, f.disconnected = "", false, c.now
	c.touchFramework(f.ID)
	for _, o := range f.sortedOffers() {
		c.discard(o, 0)
		c.wantAllocation(o.agent.ID)
	}
	for _, o := range sortInverse(f.inverse) {
		c.unbookInverse(o)
	}
	c.askAgain(f)
}

// streamClosed gives the framework of a broken stream its time to come back.
func (c *Core) streamClosed(s StreamID) {
	f, ok := c.streams[s]
	if !ok {
		return
	}
	c.disconnect(f, "")
	wait := c.awaitFramework(f, 0)
	c.tellFramework(f, false)
	c.trace(Info, "framework disconnected", "framework_id", string(f.ID), "dur", wait.String())
}

// awaitFramework gives f its failover timeout since it was disconnected, and
// some time at least.
func (c *Core) awaitFramework(f *framework, least time.Duration) time.Duration {
	timeout := time.Duration(f.Info.GetFailoverTimeout() * float64(time.Second))
	wait := max(least, timeout-c.now.Sub(f.disconnected))
	f.failover = c.after(wait, func() {
		c.trace(Info, "framework failover timeout", "framework_id", string(f.ID))
		c.removeFramework(f)
	})
	return wait
}

// update takes over what info says anew; user and checkpoint stay as they were.
func (c *Core) update(f *framework, info *v1.FrameworkInfo, suppressed []string, constraints *scheduler.OfferConstraints) {
	info.User, info.Checkpoint = f.Info.User, f.Info.Checkpoint
	f.Info, f.Constraints = info, constraints
	c.touchFramework(f.ID)
	f.Suppressed = slices.Sorted(slices.Values(suppressed))
	for _, o := range f.sortedOffers() {
		if !slices.Contains(f.Roles(), o.Role) {
			c.rescind(o)
		}
	}
	must(c.alloc.UpdateFramework(toAllocator(f)))
}

// admissible checks what a framework says of itself.
func (c *Core) admissible(info *v1.FrameworkInfo, suppressed []string, constraints *scheduler.OfferConstraints) error {
	if err := checkInfo(info); err != nil {
		return err
	}
	if err := c.checkRoles(rolesOf(info), suppressed, constraints); err != nil {
		return err
	}
	id := info.GetId().GetValue()
	if id != "" {
		if err := ids.Validate("framework", id); err != nil {
			return err
		}
	}
	if info.GetUser() == "root" && !c.cfg.RootSubmissions {
		return fmt.Errorf("user \"root\" may not run frameworks here (--root_submissions): %w", errs.Invalid)
	}
	return nil
}

// checkInfo checks what must hold of any framework, known from itself or
// from agents.
func checkInfo(info *v1.FrameworkInfo) error {
	switch multi := isMultiRole(info); {
	case multi && info.Role != nil:
		return fmt.Errorf("role is set, but a framework with MULTI_ROLE sets roles: %w", errs.Invalid)
	case !multi && len(info.GetRoles()) > 0:
		return fmt.Errorf("roles are set, but a framework without MULTI_ROLE sets role: %w", errs.Invalid)
	}
	roles := rolesOf(info)
	for i, role := range roles {
		if err := resources.ValidateRole(role); err != nil {
			return err
		}
		if slices.Contains(roles[:i], role) {
			return fmt.Errorf("role %q is listed twice: %w", role, errs.Invalid)
		}
	}
	if t := info.GetFailoverTimeout(); !(t >= 0 && t*float64(time.Second) < math.MaxInt64) {
		return fmt.Errorf("failover_timeout %v is not a time: %w", t, errs.Invalid)
	}
	if err := checkSize(info); err != nil {
		return fmt.Errorf("description: %w", err)
	}
	return checkOfferFilters(info)
}

// checkRoles checks roles against those allowed, and what else is said of roles
// against roles.
func (c *Core) checkRoles(roles, suppressed []string, constraints *scheduler.OfferConstraints) error {
	for _, role := range roles {
		if len(c.cfg.Roles) > 0 && !slices.Contains(c.cfg.Roles, role) {
			return fmt.Errorf("role %q is not one of the master's --roles: %w", role, errs.Invalid)
		}
	}
	for _, role := range suppressed {
		if !slices.Contains(roles, role) {
			return fmt.Errorf("suppressed role %q is not one of the framework's roles: %w", role, errs.Invalid)
		}
	}
	for _, role := range sortedKeys(constraints.GetRoleConstraints()) {
		if !slices.Contains(roles, role) {
			return fmt.Errorf("offer constraints are for role %q, which is not one of the framework's: %w", role, errs.Invalid)
		}
	}
	_, err := constraint.Compile(constraints)
	return err
}

// updateFramework is the UPDATE_FRAMEWORK call: unlike a SUBSCRIBE it says no to
// what cannot change.
func (c *Core) updateFramework(f *framework, call *scheduler.Call_UpdateFramework) error {
	info := call.GetFrameworkInfo()
	if err := c.admissible(info, call.GetSuppressedRoles(), call.GetOfferConstraints()); err != nil {
		return err
	}
	for _, fixed := range []struct {
		name    string
		changed bool
	}{
		{"principal", info.GetPrincipal() != f.Info.GetPrincipal()},
		{"user", info.GetUser() != f.Info.GetUser()},
		{"checkpoint", info.GetCheckpoint() != f.Info.GetCheckpoint()},
	} {
		if fixed.changed {
			return fmt.Errorf("%s of a framework cannot change: %w", fixed.name, errs.Invalid)
		}
	}
	c.update(f, proto.CloneOf(info), call.GetSuppressedRoles(), call.GetOfferConstraints())
	c.tellFramework(f, false)
	c.wantAllocation("")
	return nil
}
