#!/usr/bin/env bash
# Runs the tests of the given packages, all by default, with everything they
# want: the race detector, SQLite and Postgres, slapd, the Python SDK. Then
# searches what was logged for secrets. Under CI=true a skipped test fails.
# Without arguments it also runs the tests of what operators install, which are
# a module of their own, and whose files Go does not watch.
set -euo pipefail
cd "$(dirname "$0")/.."

test/install.sh

work=$(mktemp -d)
chmod 711 "$work" # Postgres may run as another user and must get through
finish() {
  status=$?
  test/postgres.sh stop "$work/postgres"
  if [ "$status" -ne 0 ] && [ "${CI:-}" != true ]; then
    echo "the logs are in $work/logs" >&2
  else
    rm -rf "$work"
  fi
}
trap finish EXIT

unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
  printf 'not formatted, run make fmt:\n%s\n' "$unformatted" >&2
  exit 1
fi

GATEHOUSE_TEST_POSTGRES=$(test/postgres.sh start "$work/postgres")
GATEHOUSE_TEST_LOGS=$work/logs
export GATEHOUSE_TEST_POSTGRES GATEHOUSE_TEST_LOGS

go test -race -json -timeout 10m "${@:-./...}" | go run ./test/verdict
go run ./test/logscan "$GATEHOUSE_TEST_LOGS"
[ $# -gt 0 ] || go -C test/deploy test -count=1 -json -timeout 15m ./... | go run ./test/verdict
