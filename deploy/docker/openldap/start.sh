#!/bin/sh
# Fills the directory when its database is empty, then serves it: over TLS on
# port 1636, and on a socket for the health check.
set -eu

slapd=${SLAPD:-/usr/sbin/slapd}
conf=/openldap/slapd.conf
ulimit -n 1024 # slapd reserves memory for as many connections as it may open

if ! [ -e /var/lib/ldap/data.mdb ]; then
  umask 077
  # LDIF of the people, with the hash of a new password of each kind.
  hash() { "$slapd" -Tpasswd -h '{SSHA}' -T "$1"; }
  tr -d '\n' </run/secrets/ldap-bind-password >/tmp/bind
  tr -d '\n' </run/secrets/ldap-people-password >/tmp/people
  sed -e "s|@BIND@|$(hash /tmp/bind)|" -e "s|@PEOPLE@|$(hash /tmp/people)|" /openldap/people.ldif >/tmp/people.ldif
  rm /tmp/bind /tmp/people
  # An interrupted first start must not leave half a directory: the database
  # is filled aside and gets its name last.
  rm -rf /var/lib/ldap/new
  mkdir /var/lib/ldap/new
  sed 's|^directory .*|directory /var/lib/ldap/new|' $conf >/tmp/new.conf
  "$slapd" -Tadd -q -f /tmp/new.conf -l /tmp/people.ldif
  rm /tmp/people.ldif /tmp/new.conf
  mv /var/lib/ldap/new/data.mdb /var/lib/ldap/data.mdb
  rm -rf /var/lib/ldap/new
fi

exec "$slapd" -d 0 -f $conf -h 'ldaps://:1636 ldapi://%2Ftmp%2Fldapi'
