#!/usr/bin/env bash
# A throw-away Postgres cluster for tests:
#   postgres.sh start DIR   makes one in the empty folder DIR, prints its URL
#   postgres.sh halt DIR    ends it as a crash would
#   postgres.sh again DIR   starts it where it was
#   postgres.sh stop DIR    stops it and removes its data
# It listens on a free loopback port only, believes every local user, and never
# waits for the disk: use it for nothing else.
set -euo pipefail

usage() { sed -n '2,8s/^# //p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
dir=$(realpath --canonicalize-missing "$2")

# The programs are in PATH, or where Debian puts them; the newest wins.
bin=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name initdb 2>/dev/null | sort --version-sort | tail -n 1 || true)
bin=$(dirname "${bin:-$(command -v initdb)}")

# Postgres refuses to run as root.
as_owner=()
if [ "$(id -u)" -eq 0 ]; then
  owner=postgres
  id "$owner" >/dev/null 2>&1 || owner=nobody
  as_owner=(setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups env HOME="$dir")
fi

pg_ctl() { (cd "$dir" && "${as_owner[@]}" "$bin/pg_ctl" --pgdata="$dir/data" --silent "$@"); }

start() {
  mkdir -p "$dir"
  if [ ${#as_owner[@]} -gt 0 ]; then
    chown "$owner" "$dir"
  fi
  (cd "$dir" && "${as_owner[@]}" "$bin/initdb" --pgdata="$dir/data" --username=gatehouse \
    --auth=trust --encoding=UTF8 --no-locale --no-sync >"$dir/initdb.log") || { cat "$dir/initdb.log" >&2; exit 1; }
  cat >>"$dir/data/postgresql.conf" <<-END
	listen_addresses = '127.0.0.1'
	unix_socket_directories = ''
	max_connections = 300
	fsync = off
	synchronous_commit = off
	full_page_writes = off
	END
  local port
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 12000)) # below the ports that outgoing connections use
    if pg_ctl --log="$dir/server.log" --options="-p $port" start >/dev/null; then
      echo "$port" >"$dir/port"
      echo "postgres://gatehouse@127.0.0.1:$port/postgres?sslmode=disable"
      return
    fi
  done
  cat "$dir/server.log" >&2
  exit 1
}

halt() { pg_ctl --mode=immediate stop; }

again() { pg_ctl --log="$dir/server.log" --options="-p $(cat "$dir/port")" start >/dev/null; }

stop() {
  if [ -f "$dir/data/postmaster.pid" ]; then
    pg_ctl --mode=immediate stop
  fi
  rm -rf "$dir/data"
}

case $1 in
  start | halt | again | stop) "$1" ;;
  *) usage ;;
esac
