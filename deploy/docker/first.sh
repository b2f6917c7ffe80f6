#!/usr/bin/env bash
# The steps of a first start that come before docker compose up, once
# secrets.sh has run. It can run again at any time.
#   COMPOSE   the command to use in place of "docker compose"
#   SECRETS   the folder that secrets.sh filled, if not its default
set -euo pipefail
cd "$(dirname "$0")/../.."
read -r -a compose <<<"${COMPOSE:-docker compose}"
secrets=${SECRETS:-deploy/docker/secrets}

authenticator() { "${compose[@]}" run --rm --no-TTY authenticator "$@"; }

# The signing keys of the tenants; their public halves go into the registry.
for tenant in admin dev; do
  authenticator keys init "$tenant" </dev/null >"$secrets/$tenant.pem.new"
  chmod 0444 "$secrets/$tenant.pem.new"
  mv -f "$secrets/$tenant.pem.new" "$secrets/$tenant.pem"
done

# The password with which the authenticator binds to the directory, under the
# name that site.yaml calls it by.
authenticator secret set ldap-people <"$secrets/ldap-bind-password"

# The password with which the registry asks the authenticator who may write.
authenticator service-password set tenants <"$secrets/tenants-service-password"
