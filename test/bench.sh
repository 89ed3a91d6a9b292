#!/usr/bin/env bash
# bench.sh [NAME…] measures what is named, all of it without names:
#   allocator  who is offered what, in the shapes of Mesos's own benchmarks
#   parts      the rest of what is measured package by package
#   replog     the replicated log beside hashicorp/raft, dragonboat, etcd, ZooKeeper
#   launch     the whole system beside ctr on the same containerd
#   api        one master with many agents and readers (AGENTS=1000,10000,40000)
#   agent      1, 10, 100, 500 containers at once (WAVES=…), recovery, updates, sweeps
set -euo pipefail
cd "$(dirname "$0")/.."
bench() { # bench TIME PACKAGE…
	local time=$1
	shift
	go test -run '^$' -bench . -benchmem -benchtime "$time" -timeout 60m "$@" | go run ./test/bench/table ${MARKDOWN:+-markdown}
}
for name in ${*:-allocator parts replog launch api agent}; do
	case $name in
	allocator) GOMAXPROCS=1 bench 10x ./allocator && bench 200ms ./allocator/sorter ;;
	parts) bench 200ms ./api/... ./resources/... ./isolator/... ./master/... ./replog/... ;;
	replog) test/deps.sh native bench && (cd test/bench/replog && go build -o ../../../bin/replogbench . ) && bin/replogbench ${QUICK:+-quick} ;;
	launch) test/deps.sh native && go run ./test/bench ;;
	api) go build -o bin/apibench ./test/bench/api && bin/apibench -agents "${AGENTS:-1000,10000,40000}" ;;
	agent) test/deps.sh native && go build -o bin/agentbench ./test/bench && bin/agentbench -waves "${WAVES:-1,10,100,500}" && bench 1s -bench Sample ./isolator/cgroups2 ;;
	*)
		echo "bench: $name is none of allocator, parts, replog, launch, api, agent" >&2
		exit 1
		;;
	esac
done
