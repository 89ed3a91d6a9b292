#!/bin/bash
# Runs every fuzz test of the module, each for the time given: test/fuzz.sh 20s
#
# Go before 1.27 fails at random when the time is over, with a deadline but
# without an input (go.dev/issue/75804): that alone is no failure.
set -eu -o pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for p in $(go list ./...); do
	tests=$(go test -list '^Fuzz' "$p")
	for f in $(grep '^Fuzz' <<<"$tests" || true); do
		echo "$p $f"
		go test -run '^$' -fuzz "^$f\$" -fuzztime "$1" -fuzzminimizetime 10x "$p" 2>&1 | tee "$log" && continue
		grep -A1 -- '^--- FAIL: ' "$log" | grep -qx ' *context deadline exceeded' && ! grep -q 'Failing input' "$log" || exit 1
	done
done
