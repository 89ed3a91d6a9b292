package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

// role is one of GET /roles, as far as it is shown. Amounts are by the name of
// the resource.
type role struct {
	Name       string
	Weight     float64
	Frameworks []string
	Allocated  map[string]float64
	Offered    map[string]float64
	Reserved   map[string]float64
	Quota      *roleQuota // nil: none
	Share      *roleShare // nil: it has nothing
}

// roleQuota is the quota of a role with those below it.
type roleQuota struct {
	Role      string             `json:"role"`
	Guarantee map[string]float64 `json:"guarantee"`
	Limit     map[string]float64 `json:"limit"`
	Consumed  map[string]float64 `json:"consumed"`
}

// roleShare is what a role has of its dominant resource.
type roleShare struct {
	Resource    string
	Used, Total float64
}

// loadRoles asks for all roles, in the order of their names; raw is the answer.
func loadRoles(ctx context.Context, op *operator) (list []role, raw []byte, err error) {
	if raw, err = op.read(ctx, "/roles"); err != nil {
		return nil, nil, err
	}
	var answer struct{ Roles []role }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, nil, fmt.Errorf("read /roles: what listens there is no master: %w", err)
	}
	return answer.Roles, raw, nil
}

func rolesCommand(d Deps) *cobra.Command {
	return command(d, &cobra.Command{
		Use:   "roles",
		Short: "List roles: what each is due, has and may have",
		Long: `List roles: what each is due, has and may have.

SHARE is what the role, with those below it, has of its dominant resource: of
siblings, the one with the smallest share for its weight is offered something
next. CONSUMED is what counts against guarantee and limit, with the roles below
it; ALLOCATED, OFFERED and RESERVED are the role's own.`,
		Args: none,
	}, func(ctx context.Context, op *operator, o *options, _ []string) error {
		list, raw, err := loadRoles(ctx, op)
		if err != nil {
			return err
		}
		if o.json() {
			return op.printJSON(raw)
		}
		w := newTable(d.Stdout, "ROLE", "WEIGHT", "FRAMEWORKS", "SHARE", "GUARANTEE", "LIMIT", "CONSUMED", "ALLOCATED", "OFFERED", "RESERVED")
		for _, r := range list {
			var q roleQuota
			if r.Quota != nil {
				q = *r.Quota
			}
			w.row(r.Name, weightText(r.Weight), strconv.Itoa(len(r.Frameworks)), shareText(r.Share),
				amountsText(q.Guarantee), amountsText(q.Limit), amountsText(q.Consumed), amountsText(r.Allocated), amountsText(r.Offered), amountsText(r.Reserved))
		}
		return w.flush()
	})
}

func shareText(s *roleShare) string {
	if s == nil {
		return ""
	}
	return percent(s.Used/s.Total) + " " + s.Resource
}

func weightText(w float64) string { return strconv.FormatFloat(w, 'f', -1, 64) }
