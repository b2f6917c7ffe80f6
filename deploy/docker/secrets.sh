#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml mounts:
#   secrets.sh [FOLDER]     by default the folder secrets beside this script
# What exists is left alone, so that it can run again at any time: delete a
# file to have it made anew (what uses it must then learn the new value).
#
# The folder is closed to everybody but its owner (0700). The files in it are
# readable (0444), because each is mounted as it is into containers that run
# as other users, and Docker passes owner and mode of the file on.
set -euo pipefail
umask 077

dir=${1:-$(dirname "$0")/secrets}
mkdir -p "$dir"
chmod 0700 "$dir"
cd "$dir"
work=$(mktemp -d ./.new.XXXXXX)
trap 'rm -rf "$work"' EXIT

# keep NAME: standard input becomes the file, all of it or nothing.
keep() {
  cat >"$work/$1"
  chmod 0444 "$work/$1"
  mv "$work/$1" "$1"
  echo "made $1"
}

# random NAME BYTES: that many random bytes, in hexadecimal.
random() { [ -e "$1" ] || openssl rand -hex "$2" | keep "$1"; }

random master-key 32 # seals secrets in the authenticator's database: back it up
random postgres-password 24
random ldap-bind-password 24
random tenants-service-password 24 # of the service account tenants
random ldap-people-password 12 # of all test people
for service in tenants authenticator; do
  random "$service-database-password" 24
  [ -e "$service-database-url" ] ||
    echo "postgres://$service:$(cat "$service-database-password")@postgres:5432/$service?sslmode=disable" |
    keep "$service-database-url"
done

# An authority for the test directory, whose key is thrown away at once, and
# the directory's certificate.
if ! [ -e ldap-ca.pem ] || ! [ -e ldap-server.pem ] || ! [ -e ldap-server.key ]; then
  cat >"$work/openssl.cnf" <<-'END'
	[req]
	distinguished_name = name
	prompt = no
	[name]
	CN = Gatehouse test directory
	[authority]
	basicConstraints = critical, CA:TRUE
	keyUsage = critical, keyCertSign
	subjectKeyIdentifier = hash
	[server]
	basicConstraints = critical, CA:FALSE
	keyUsage = critical, digitalSignature
	extendedKeyUsage = serverAuth
	subjectAltName = DNS:openldap, DNS:localhost, IP:127.0.0.1
	END
  certificate() { # the lines of openssl that matter only when it fails
    openssl "$@" -config "$work/openssl.cnf" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
  }
  for key in ca server; do
    openssl ecparam -genkey -name prime256v1 -noout -out "$work/$key.key"
  done
  certificate req -x509 -new -key "$work/ca.key" -days 3650 -extensions authority -out "$work/ca.pem"
  certificate req -new -key "$work/server.key" -out "$work/server.csr"
  openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -set_serial 1 -days 3650 \
    -extfile "$work/openssl.cnf" -extensions server -out "$work/server.pem" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
  keep ldap-server.key <"$work/server.key"
  keep ldap-server.pem <"$work/server.pem"
  keep ldap-ca.pem <"$work/ca.pem"
fi
