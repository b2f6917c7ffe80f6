# Gatehouse: `make` lists what can be made.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export FUZZTIME ?= 10s

TOOLS := .cache/bin/installed

.DEFAULT_GOAL := help
.PHONY: help run build test quicktest e2e fuzz bench benchservices check fmt clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Start a primary site on http://localhost:8080, data in ./data
	@echo "Building gatehouse; the first time this takes a minute ..."
	@go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/gatehouse
	@exec ./bin/gatehouse

build: ## Build bin/gatehouse, bin/tenants and bin/authenticator
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/...

test: ## Run all tests as CI does; installs what they need
	test/all.sh

quicktest: ## Run the short tests on SQLite only; installs nothing
	GATEHOUSE_TEST_POSTGRES= go test -short ./...

e2e: ## Run the end-to-end tests with the real clients
	test/all.sh ./test/e2e

fuzz: ## Fuzz every target for FUZZTIME each (default 10s)
	test/fuzz.sh

bench: ## Measure tokens, other requests and tenant listings a second
	go run ./bench

benchservices: ## Measure the authenticator on Postgres and slapd; installs them
	test/install.sh
	go test -run '^$$' -bench Services -benchtime 1x -timeout 20m ./test/e2e

check: $(TOOLS) ## Check format, vet, lint, go.mod and dead code
	test/check.sh

fmt: $(TOOLS) ## Format the Go code
	.cache/bin/golangci-lint fmt

clean: ## Remove what was built; ./data stays
	rm -rf bin .cache test/e2e/.venv

# The tools live in a module of their own, so that ours stays small.
$(TOOLS): tools/go.mod tools/go.sum
	GOBIN=$(CURDIR)/.cache/bin go -C tools install tool
	@touch $@
