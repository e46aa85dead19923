# make test is all a fresh machine needs: it installs what the tests use from
# Debian, then runs them. make ci is what the build server runs.

GO ?= go
export CGO_ENABLED ?= 0
# Debian keeps servers where ordinary users do not look.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: all
all: build

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: build
build: ## build bin/reconshield
	$(GO) build -trimpath -o bin/ ./cmd/reconshield

.PHONY: deps
deps: ## install the Debian packages the tests need
	scripts/install-test-deps.sh

.PHONY: test
test: deps ## run every test, one package at a time: some watch real servers by the clock
	$(GO) test -p 1 -timeout 20m $(TESTFLAGS) ./...

# Tests against real servers measure time, which the race detector distorts;
# RACE_PKGS=./... runs them too.
RACE_PKGS = $(shell $(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep -v internal/lab | cut -d ' ' -f 1)

.PHONY: race
race: ## run the tests without servers under the race detector (needs gcc)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(TESTFLAGS) $(RACE_PKGS)

.PHONY: bench
bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

.PHONY: bench-assess
bench-assess: ## time whole assessments: one server, 256 addresses, a /16
	$(GO) test -run '^$$' -bench Assess -benchtime 3x ./internal/app
	scripts/bench-assess.sh

.PHONY: bench-scan
bench-scan: ## compare the scan engine with masscan, zmap and nmap (BENCH_QUICK=1: two minutes)
	scripts/bench-scan.sh

.PHONY: bench-audit
bench-audit: ## time audits of 1,000 to 1,000,000 rules, and a rehearsal, as whole processes
	$(GO) test -run '^$$' -bench 'FirewallAudit|FirewallRehearse' -benchtime 3x -timeout 1h ./cmd/reconshield

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (20s)
	scripts/fuzz.sh

# How many random rulesets of each language, and the first seed of them.
FUZZ_FIREWALL_RULESETS ?= 500
FUZZ_FIREWALL_SEED ?= 1000000

.PHONY: fuzz-firewall
fuzz-firewall: ## hold the ruleset evaluator against this kernel over FUZZ_FIREWALL_RULESETS random rulesets
	FUZZ_FIREWALL_RULESETS=$(FUZZ_FIREWALL_RULESETS) FUZZ_FIREWALL_SEED=$(FUZZ_FIREWALL_SEED) $(GO) test -count 1 -v -run TestKernelAgrees -timeout 2h ./internal/oracle

.PHONY: tools
tools: bin/golangci-lint ## build the pinned linter

bin/golangci-lint: tools/go.mod tools/go.sum
	$(GO) build -C tools -trimpath -ldflags='-s -w' -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: lint
lint: bin/golangci-lint ## lint, formatting included
	bin/golangci-lint config verify
	bin/golangci-lint run ./...

.PHONY: fmt
fmt: bin/golangci-lint ## format the Go files
	bin/golangci-lint fmt

.PHONY: tidy-check
tidy-check: ## fail when go.mod or go.sum is not tidy
	$(GO) mod tidy -diff
	$(GO) -C tools mod tidy -diff

.PHONY: cross
cross: ## build for the other systems
	GOOS=darwin GOARCH=arm64 $(GO) build ./...
	GOOS=windows GOARCH=amd64 $(GO) build ./...
	GOOS=linux GOARCH=arm64 $(GO) build ./...

.PHONY: docs
docs: ## write the generated part of docs/
	$(GO) generate ./...

.PHONY: docs-check
docs-check: ## fail when docs/ is not what the code generates
	scripts/check-generated.sh

.PHONY: ci
ci: ## everything the build server runs
	.ci/run

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
