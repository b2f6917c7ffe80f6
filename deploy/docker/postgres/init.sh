#!/usr/bin/env bash
# Run by the Postgres image when its data folder is empty: a database for each
# service, with a user that owns it and can connect to no other.
set -euo pipefail

for service in tenants authenticator; do
  export service
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'END'
\set service `printf %s "$service"`
\set password `cat "/run/secrets/$service-database-password"`
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
END
done
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
  --command='REVOKE ALL ON DATABASE postgres FROM PUBLIC'
