# mezzo: `make` alone lists what there is. Every target sets itself up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
export CGO_ENABLED := 0

# Packages whose tests need a VM with cgroup v2; the rest runs natively.
E2E := ./test/e2e/...

.PHONY: help build demo test unit vet lint race e2e bench gen vm fuzz sim clean distclean deps

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: ## bin/mezzo and its other names (mesos-master, mesos-agent, …), static
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/mezzo ./cmd/mezzo
	@for n in mesos-master mesos-agent mesos-slave mesos-local; do ln -sf mezzo bin/$$n; done

demo: build ## the main job, shown: three tasks held to what they were given (STAY=1 keeps it up)
	@test/deps.sh native
	go run ./test/demo $(if $(STAY),-stay)

test: deps vet unit e2e ## everything, VM tests included

unit: build ## all tests that need no VM, those of containerd's users against 1.6 and 2.x; fails on a skip that isn't expected
	containerd2=$$(test/containerd2.sh); export MEZZO_TEST_REQUIRED=1 MEZZO_BIN=$(CURDIR)/bin/mezzo; \
	( set +e; go test -json -timeout 20m $$(go list ./... | grep -v '^mezzo/test/e2e'); \
	  MEZZO_TEST_CONTAINERD=$$containerd2 go test -json -timeout 20m ./containerizer/... ./images/... ) | go run ./test/report -skips test/skips.txt

e2e: build ## end to end on the built binary, in a VM with cgroup v2 (or the machines of MEZZO_E2E_CLUSTER, or Vagrant's)
	@if [ -z "$${MEZZO_E2E_CLUSTER:-}" ] && ! ls .e2e/vagrant/*.json >/dev/null 2>&1; then test/e2e/vm/host-deps.sh && go run ./test/e2e/vm up; fi
	test/containerd2.sh >/dev/null
	rc=0; MEZZO_E2E_REQUIRED=1 MEZZO_BIN=$(CURDIR)/bin/mezzo go test -json -count=1 -timeout 40m $(E2E) | go run ./test/report -skips test/skips.txt || rc=$$?; \
	$(if $(KEEP),,if [ -z "$${MEZZO_E2E_CLUSTER:-}" ]; then go run ./test/e2e/vm down; fi;) exit $$rc

vm: ## build and cache the VM for end-to-end tests, and start one node
	test/e2e/vm/host-deps.sh
	go run ./test/e2e/vm up

vet: ## gofmt, go vet and the house's own rules
	@out=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	go vet ./...
	go test ./internal/lint

GOLANGCI := $(shell go env GOPATH)/bin/golangci-lint-v2.15.0
lint: vet ## vet, and golangci-lint as .golangci.yml says
	@test -x $(GOLANGCI) || { d=$$(mktemp -d) && GOBIN=$$d go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 && mv $$d/golangci-lint $(GOLANGCI) && rmdir $$d; }
	$(GOLANGCI) run

race: ## the native tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -timeout 30m $$(go list ./... | grep -v '^mezzo/test/')

BENCH ?=
bench: build ## benchmarks: BENCH=allocator, parts, replog or launch, or all of them; MARKDOWN=1 prints for docs/performance.md
	@test/bench.sh $(BENCH)

FUZZTIME ?= 20s
sim: ## SEEDS (10000) histories of the replicated log, from FIRST (1) on
	go test ./replog/paxos -run TestSim -timeout 0 -seeds $(or $(SEEDS),10000) -first $(or $(FIRST),1)

fuzz: ## every fuzz test, each for FUZZTIME (20s)
	@test/fuzz.sh $(FUZZTIME)

gen: ## Go code from the .proto files
	@test/deps.sh gen
	api/gen.sh

deps: ## what the tests need of Debian
	@test/deps.sh native
	@test/e2e/vm/host-deps.sh

clean: ## what was built here
	rm -rf bin

distclean: clean ## and the VM, with what was cached for it
	-go run ./test/e2e/vm down
	rm -rf .e2e $${XDG_CACHE_HOME:-$$HOME/.cache}/mezzo
