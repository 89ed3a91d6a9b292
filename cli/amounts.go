package cli

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
	"mezzo/resources"
)

// parseAmounts reads "cpus:10;mem:1GiB" as the wire has it: zeros are kept, for
// a limit of 0 is one. Commas and blanks separate as well, so that what is
// printed can be typed. Nothing is none.
func parseAmounts(flag, text string) (map[string]*v1.Value_Scalar, error) {
	out := map[string]*v1.Value_Scalar{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
		name, number, ok := strings.Cut(part, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("--%s: %q: want NAME:AMOUNT, as in 'cpus:10;mem:1GiB'", flag, part)
		}
		if out[name] != nil {
			return nil, fmt.Errorf("--%s: %s is named twice", flag, name)
		}
		v, err := parseAmount(name, number)
		if err != nil {
			return nil, fmt.Errorf("--%s: %s: %s", flag, name, errs.Text(err))
		}
		out[name] = &v1.Value_Scalar{Value: &v}
	}
	return out, nil
}

func parseAmount(name, text string) (float64, error) {
	unit := 1.0
	if inMiB(name) {
		digits := strings.TrimRight(text, "bBiIkKmMgGtT")
		if u, ok := units[strings.ToUpper(text[len(digits):])]; ok {
			text, unit = digits, u
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an amount", text)
	}
	exact, err := resources.ScalarOf(v * unit)
	return exact.Float(), err
}

// inMiB tells whether amounts of a resource are in MiB.
func inMiB(name string) bool { return name == "mem" || name == "disk" }

// amountsText prints "cpus:10 mem:1GiB", each exactly: what is compared must not be
// rounded.
func amountsText(q map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		parts = append(parts, name+":"+amountText(name, q[name]))
	}
	return strings.Join(parts, " ")
}

func amountText(name string, v float64) string {
	unit := ""
	if inMiB(name) && v != 0 {
		unit = "MiB"
		for _, larger := range []string{"GiB", "TiB"} {
			if math.Mod(v, 1024) != 0 {
				break
			}
			v, unit = v/1024, larger
		}
	}
	return strconv.FormatFloat(v, 'f', -1, 64) + unit
}

// scalars sums up resources by name.
func scalars(rs []*v1.Resource) map[string]float64 {
	out := map[string]float64{}
	for _, r := range rs {
		if r.Scalar != nil {
			out[r.GetName()] = scalar(rs, r.GetName())
		}
	}
	return out
}
