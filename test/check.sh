#!/usr/bin/env bash
# Everything that must be clean besides the tests; see make check.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.cache/bin

step() { printf '== %s\n' "$*"; }

step format
"$tools/golangci-lint" fmt --diff
step vet
go vet ./...
go -C test/deploy vet ./...
step lint
"$tools/golangci-lint" run ./...
(cd test/deploy && "$tools/golangci-lint" run ./...)
step modules
go mod tidy -diff
go -C test/deploy mod tidy -diff
step deadcode
dead=$("$tools/deadcode" -test ./...)
if [ -n "$dead" ]; then
  printf '%s\n' "$dead" >&2
  exit 1
fi
