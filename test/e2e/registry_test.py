"""Drives every operation of the Tenants API with tapipy, unmodified.

registry_test.go starts the server and runs this file with GATEHOUSE_URL, the
base URL of the tenant admin, GATEHOUSE_SERVICE_PASSWORD, and
GATEHOUSE_TEST_SECRETS, a file that takes every secret received here.
"""

import json
import os
import pathlib
import unittest

import tapipy
from tapipy import errors
from tapipy.tapis import Tapis, TapisResult

URL = os.environ["GATEHOUSE_URL"]
BEHALF = {"X-Tapis-Tenant": "admin", "X-Tapis-User": "tenants"}


class Operations:
    """The SDK's tenants, as the service tenants, that notes what is called."""

    called = set()

    def __init__(self):
        service = Tapis(base_url=URL, username="tenants")
        service.service_password = os.environ["GATEHOUSE_SERVICE_PASSWORD"]
        tokens = service.tokens.create_token(
            account_type="service",
            token_tenant_id="admin",
            token_username="tenants",
            target_site_id="main",
            _tapis_headers=BEHALF,
        )
        token = tokens.access_token.access_token
        with open(os.environ["GATEHOUSE_TEST_SECRETS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(token) + "\n")
        self.tapis = Tapis(base_url=URL, access_token=token)

    def __getattr__(self, operation):
        def call(**arguments):
            self.called.add(operation)
            return getattr(self.tapis.tenants, operation)(_tapis_headers=BEHALF, **arguments)

        return call


OWNER = {"email": "sdk@example.org", "name": "SDK", "institution": "Example"}
LDAP = {
    "ldap_id": "sdk-people", "url": "ldaps://ldap.example.org", "port": 636, "use_ssl": True, "user_dn": "ou=people",
    "bind_dn": "cn=reader", "bind_credential": "sdk-people", "account_type": "user",
}  # fmt: skip
SITE = {
    "site_id": "sdkeast", "primary": False, "base_url": "sdkeast.example.org",
    "site_admin_tenant_id": "sdkadmin", "services": ["security", "tokens"],
}  # fmt: skip
TENANT = {
    "tenant_id": "sdk", "base_url": "https://sdk.example.org", "site_id": "main", "status": "draft",
    "token_service": "https://sdk.example.org/v3/tokens", "security_kernel": "https://sdk.example.org/v3/security",
    "authenticator": "https://sdk.example.org/v3/oauth2", "owner": OWNER["email"], "admin_user": "ada",
    "token_gen_services": [], "user_ldap_connection_id": LDAP["ldap_id"],
}  # fmt: skip


class Registry(unittest.TestCase):
    def setUp(self):
        self.tenants = Operations()

    def test_every_operation(self):
        t = self.tenants
        owner = t.create_owner(**OWNER)
        self.assertIsInstance(owner, TapisResult)
        self.assertEqual(t.get_owner(email=OWNER["email"]).institution, "Example")
        self.assertIn(OWNER["email"], [o.email for o in t.list_owners()])

        self.assertEqual(t.create_ldap(**LDAP).ldap_id, "sdk-people")
        self.assertEqual(t.get_ldap(ldap_id="sdk-people").bind_credential, "sdk-people")
        self.assertIn("sdk-people", [c.ldap_id for c in t.list_ldaps()])

        site = t.create_site(**SITE)
        self.assertIs(site.primary, False)
        self.assertEqual(t.get_site(site_id="sdkeast").services, ["security", "tokens"])
        self.assertEqual([s.site_id for s in t.list_sites()], ["main", "sdkeast"])

        tenant = t.create_tenant(**TENANT)
        self.assertEqual(tenant.status, "DRAFT")
        self.assertFalse(hasattr(tenant, "token_gen_services"))
        self.assertEqual(t.get_tenant(tenant_id="sdk").tenant_id, "sdk")
        self.assertNotIn("sdk", [x.tenant_id for x in t.list_tenants()])
        drafts = t.list_tenants(_tapis_query_parameters={"show_draft": True, "select": "tenant_id"})
        self.assertIn("sdk", [x.tenant_id for x in drafts])

        key = t.get_tenant(tenant_id="dev").public_key  # any good one
        tenant = t.update_tenant(tenant_id="sdk", status="active", public_key=key, description="By the SDK.")
        self.assertEqual((tenant.status, tenant.last_updated_by), ("ACTIVE", "tenants@admin"))
        last = t.get_tenant_history(tenant_id="sdk")[-1]
        self.assertEqual(last.updates.status.prev, "DRAFT")
        self.assertEqual(last.updates.description.new, "By the SDK.")

        for delete, argument in (
            (t.delete_ldap, {"ldap_id": "sdk-people"}),
            (t.delete_owner, {"email": OWNER["email"]}),
        ):
            with self.assertRaises(errors.BaseTapyException) as caught:
                delete(**argument)
            self.assertIn("in use, by the tenant sdk", str(caught.exception))
        t.update_tenant(tenant_id="sdk", user_ldap_connection_id="", owner="owner@example.org", status="inactive")
        self.assertIsNone(t.delete_ldap(ldap_id="sdk-people")["result"])
        self.assertIsNone(t.delete_owner(email=OWNER["email"])["result"])
        self.assertIsNone(t.delete_site(site_id="sdkeast")["result"])
        with self.assertRaises(errors.NotFoundError):
            t.get_site(site_id="sdkeast")

        text = pathlib.Path(tapipy.__file__).with_name("resources").joinpath("openapi_v3-tenants.yml").read_text(encoding="utf-8")
        known = {line.split()[1] for line in text.splitlines() if line.strip().startswith("operationId:")}
        self.assertEqual(Operations.called, known)

    def test_refusals_have_the_classes_that_scripts_catch(self):
        with self.assertRaises(errors.UnauthorizedError):
            Tapis(base_url=URL).tenants.create_owner(**OWNER)
        with self.assertRaises(errors.BadRequestError) as caught:
            self.tenants.create_owner(**{**OWNER, "email": "nobody"})
        self.assertIn("email", str(caught.exception))
        with self.assertRaises(errors.NotFoundError):
            self.tenants.update_tenant(tenant_id="nowhere", description="x")


if __name__ == "__main__":
    unittest.main(verbosity=2)
