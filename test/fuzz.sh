#!/usr/bin/env bash
# Runs every fuzz target of the project for FUZZTIME each (default 10s).
set -euo pipefail
cd "$(dirname "$0")/.."

targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' internal cmd test | sed 's/func //')
for target in $targets; do
  folder=$(dirname "${target%%:*}")
  name=${target##*:}
  echo "== $folder $name"
  go test -run '^$' -fuzz "^$name\$" -fuzzminimizetime 20x -fuzztime "${FUZZTIME:-10s}" "./$folder"
done
