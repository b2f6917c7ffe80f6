#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: Debian packages (as root
# or through sudo), a Python environment in test/e2e/.venv with the pinned
# packages of test/e2e/requirements.txt, and those of test/e2e/node from npm.
# Does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=test/e2e/.venv
locks=(test/e2e/requirements-build.txt test/e2e/requirements.txt)

have() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
have_postgres() { have postgres || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
have_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

missing=()
have_postgres || missing+=(postgresql)
have slapd || missing+=(slapd)
have ldapsearch || missing+=(ldap-utils)
have nginx || missing+=(nginx)
have chromium || missing+=(chromium)
have openssl || missing+=(openssl)
have curl || missing+=(curl)
have cc || missing+=(gcc libc6-dev) # for the race detector
have_venv || missing+=(python3 python3-venv)
have node || missing+=(nodejs)
have npm || missing+=(npm)

if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
  fi
  if ! have apt-get || { [ ${#as_root[@]} -gt 0 ] && ! have sudo; }; then
    echo "please install: ${missing[*]} (Debian's names)" >&2
    exit 1
  fi
  echo "installing: ${missing[*]}"
  # Another program may hold the lock of the package database for a while.
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
  "${apt[@]}" update
  "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null
fi

# The copy of the locks in the environment is its last step, so that a broken
# installation is begun anew.
if ! cat "${locks[@]}" | cmp --silent - "$venv/locks"; then
  echo "making $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  pip=("$venv/bin/pip" --quiet --disable-pip-version-check install --require-hashes)
  "${pip[@]}" --no-deps --requirement "${locks[0]}"
  "${pip[@]}" --no-build-isolation --use-pep517 --requirement "${locks[1]}"
  cat "${locks[@]}" >"$venv/locks"
fi

node=test/e2e/node
if ! cmp --silent "$node/package-lock.json" "$node/node_modules/.lock"; then
  npm --prefix "$node" --silent ci
  cp "$node/package-lock.json" "$node/node_modules/.lock"
fi
