package core

import (
	"errors"
	"fmt"

	"mezzo/allocator"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// maxRequests bounds what one framework asks for at a time.
const maxRequests = 1000

// request is the REQUEST call: it replaces all that the framework asked for
// before. What can never be is said at once.
//
// Mesos differs: it takes note of requests, and does nothing about them.
func (c *Core) request(f *framework, list []*v1.Request) error {
	requests, err := parseRequests(list)
	if err == nil {
		err = c.alloc.SetRequests(f.ID, requests)
	}
	if err != nil {
		c.counts[RequestsRefused]++
		switch { // whatever it is, asking again as it is won't help
		case errors.Is(err, errs.Exhausted):
			return fmt.Errorf("%s: %w", errs.Text(err), errs.Invalid)
		case errors.Is(err, errs.NotFound):
			return fmt.Errorf("%s: %w", err.Error(), errs.Invalid)
		default:
			return err
		}
	}
	f.pending = len(requests)
	c.wantAllocation("")
	return nil
}

func parseRequests(list []*v1.Request) ([]allocator.Request, error) {
	if len(list) > maxRequests {
		return nil, invalid("%d requests are more than %d", len(list), maxRequests)
	}
	var out []allocator.Request
	for i, p := range list {
		r, err := resources.FromProto(p.GetResources())
		if err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
		for item := range r.All() {
			if item.Kind() != resources.KindScalar {
				return nil, invalid("request %d: %q is not a scalar: only amounts can be asked for", i, item.Name())
			}
		}
		if r.IsEmpty() {
			return nil, invalid("request %d: it asks for nothing", i)
		}
		out = append(out, allocator.Request{Agent: ids.AgentID(p.GetAgentId().GetValue()), Amount: r.Quantities()})
	}
	return out, nil
}

// countAnswered counts the requests of f that offers just answered.
func (c *Core) countAnswered(f *framework) {
	if left := len(c.alloc.Requests(f.ID)); left != f.pending {
		c.counts[RequestsSatisfied] += uint64(f.pending - left)
		f.pending = left
	}
}
