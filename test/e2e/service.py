"""A Tapis service as centres write them: Flask, and tapisservice unmodified.

It reads its settings from TAPIS_CONFIG_PATH, gets its service tokens when it
starts, and listens at http://localhost:PORT, PORT being its only argument.
"""

import sys

from flask import Flask, g, jsonify, request
from tapisservice.auth import get_service_tapis_client
from tapisservice.errors import BaseTapisError
from tapisservice.tapisflask import auth
from tapisservice.tenants import tenant_cache

client = get_service_tapis_client(tenants=tenant_cache)
app = Flask(__name__)


@app.before_request
def authenticate():
    if request.path != "/ready":
        auth.authn_and_authz()


@app.errorhandler(BaseTapisError)
def refused(e):
    return jsonify({"message": e.msg}), e.code


@app.get("/ready")
def ready():
    return jsonify(sorted(client.service_tokens))


@app.get("/whoami")
def whoami():
    """Who asks, as tapisservice understands it."""
    return jsonify({"username": g.username, "for": g.request_username, "tenant": g.request_tenant_id})


@app.get("/directory")
def directory():
    """What the registry tells this service, on behalf of its user, of a directory."""
    found = client.tenants.get_ldap(ldap_id=request.args["ldap_id"])
    return jsonify({"bind_dn": found.bind_dn})


@app.get("/admins")
def admins():
    """What the security kernel says, on behalf of the user, of the user's tenant."""
    return jsonify(client.sk.getAdmins(tenant=g.request_tenant_id).names)


@app.post("/refresh")
def refresh():
    """Refreshes every service token, and says whether new ones came."""
    before = {t: client.service_tokens[t]["access_token"].access_token for t in client.service_tokens}
    for tenant in before:
        client.refresh_service_tokens(tenant)
    return jsonify(all(client.service_tokens[t]["access_token"].access_token != before[t] for t in before))


app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
