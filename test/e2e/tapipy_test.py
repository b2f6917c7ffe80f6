"""Drives a running Gatehouse with tapipy, the Python SDK of Tapis, unmodified.

sdk_test.go starts the server and runs this file with three variables:
GATEHOUSE_URL, the base URL of the tenant dev, GATEHOUSE_SERVICE_PASSWORD, that
of the services files and tokens, and GATEHOUSE_TEST_SECRETS, a file that takes
every secret used or received here, one JSON string a line, so that the logs
can be searched for it afterwards.
"""

import base64
import datetime
import html
import json
import os
import re
import secrets
import subprocess
import sys
import time
import unittest
import urllib.request

import requests
from tapipy import errors
from tapipy.tapis import Tapis, TapisResult

URL = os.environ["GATEHOUSE_URL"]
ADMIN_URL = URL.replace("localhost", "127.0.0.1")
USER = "testuser1"

# The claims of seeded people's tokens: all of them, and no other.
ACCESS_CLAIMS = {
    "jti", "iss", "sub", "exp",
    "tapis/tenant_id", "tapis/token_type", "tapis/delegation", "tapis/delegation_sub",
    "tapis/username", "tapis/account_type", "tapis/client_id", "tapis/grant_type",
}  # fmt: skip
REFRESH_CLAIMS = {
    "jti", "iss", "sub", "exp",
    "tapis/initial_ttl", "tapis/tenant_id", "tapis/token_type", "tapis/access_token",
}  # fmt: skip
CLIENT_FIELDS = {
    "client_id", "client_key", "owner", "tenant_id", "callback_url",
    "display_name", "description", "active", "create_time", "last_update_time",
}  # fmt: skip


def remember(secret):
    """Registers a secret for the log scan and returns it."""
    with open(os.environ["GATEHOUSE_TEST_SECRETS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(secret) + "\n")
    return secret


def random_secret():
    return remember(secrets.token_urlsafe(32))


def remember_tokens(tapis):
    remember(tapis.access_token.access_token)
    if tapis.refresh_token:
        remember(tapis.refresh_token.refresh_token)


def log_in(username=USER, **options):
    """Returns an SDK object with tokens of a seeded person."""
    tapis = Tapis(base_url=URL, username=username, password=username, **options)
    tapis.get_tokens()
    remember_tokens(tapis)
    return tapis


def fields(result):
    return set(vars(result))


class Constructor(unittest.TestCase):
    def test_the_base_url_decides_the_tenant(self):
        for url, tenant in ((URL, "dev"), (ADMIN_URL, "admin")):
            self.assertEqual(Tapis(base_url=url).tenant_id, tenant)


class Registry(unittest.TestCase):
    def setUp(self):
        self.tapis = Tapis(base_url=URL)

    def test_sites_are_listed(self):
        sites = self.tapis.tenants.list_sites()
        self.assertIsInstance(sites, list)
        self.assertEqual([site.site_id for site in sites], ["main"])
        site = sites[0]
        self.assertIsInstance(site, TapisResult)
        self.assertIs(site.primary, True)
        self.assertEqual(site.site_admin_tenant_id, "admin")
        self.assertIn("${tenant_id}", site.tenant_base_url_template)
        self.assertIn("authenticator", site.services)

    def test_a_site_is_an_object(self):
        site = self.tapis.tenants.get_site(site_id="main")
        self.assertIsInstance(site, TapisResult)
        self.assertEqual(site.site_id, "main")

    def test_tenants_are_listed(self):
        tenants = self.tapis.tenants.list_tenants()
        self.assertIsInstance(tenants, list)
        self.assertEqual(
            {tenant.tenant_id: tenant.base_url for tenant in tenants},
            {"dev": URL, "admin": ADMIN_URL},
        )

    def test_a_tenant_is_an_object(self):
        tenant = self.tapis.tenants.get_tenant(tenant_id="dev")
        self.assertIsInstance(tenant, TapisResult)
        self.assertEqual(tenant.base_url, URL)
        self.assertEqual(tenant.site_id, "main")
        self.assertEqual(tenant.token_service, URL + "/v3/tokens")
        self.assertEqual(tenant.allowable_x_tenant_ids, ["dev"])
        self.assertIs(tenant.is_owned_by_associate_site, False)
        begin, key, end = tenant.public_key.strip().split("\n")
        self.assertEqual((begin, end), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"))
        self.assertGreater(len(base64.b64decode(key, validate=True)), 256)
        datetime.datetime.strptime(tenant.create_time, "%a, %d %b %Y %H:%M:%S GMT")

    def test_each_tenant_has_a_key_of_its_own(self):
        tenants = self.tapis.tenants.list_tenants()
        self.assertEqual(len({tenant.public_key for tenant in tenants}), 2)

    def test_an_unknown_tenant_is_not_found(self):
        with self.assertRaises(errors.NotFoundError) as caught:
            self.tapis.tenants.get_tenant(tenant_id="nowhere")
        self.assertIsInstance(caught.exception.message, str)


class TokenWithoutClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tapis = log_in()
        cls.claims = cls.tapis.access_token.claims

    def test_the_token_is_a_first_class_object(self):
        token = self.tapis.access_token
        self.assertIsInstance(token, TapisResult)
        self.assertEqual(
            fields(token), {"access_token", "claims", "expires_at", "expires_in", "jti", "original_ttl"}
        )
        self.assertEqual(token.original_ttl, 14400)
        self.assertEqual(token.jti, self.claims["jti"])
        self.assertAlmostEqual(token.expires_in().total_seconds(), 14400, delta=120)

    def test_the_claims_are_exactly_the_documented_ones(self):
        self.assertEqual(set(self.claims), ACCESS_CLAIMS)
        want = {
            "iss": URL + "/v3/tokens",
            "sub": "testuser1@dev",
            "tapis/tenant_id": "dev",
            "tapis/token_type": "access",
            "tapis/delegation": False,
            "tapis/delegation_sub": None,
            "tapis/username": "testuser1",
            "tapis/account_type": "user",
            "tapis/client_id": None,
            "tapis/grant_type": "password",
        }
        self.assertEqual({name: self.claims[name] for name in want}, want)
        self.assertIs(type(self.claims["exp"]), int)
        self.assertRegex(self.claims["jti"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

    def test_the_header_names_the_key(self):
        first = self.tapis.access_token.access_token.split(".")[0]
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
        self.assertEqual(set(header), {"alg", "typ", "kid"})
        self.assertEqual((header["alg"], header["typ"]), ("RS256", "JWT"))

    def test_there_is_no_refresh_token(self):
        self.assertIsNone(self.tapis.refresh_token)

    def test_the_sdk_validates_the_token(self):
        self.assertEqual(self.tapis.validate_token(self.tapis.access_token.access_token), self.claims)

    def test_a_tampered_token_is_invalid(self):
        head, payload, signature = self.tapis.access_token.access_token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims["tapis/username"] = "testadmin"
        forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        with self.assertRaises(errors.TokenInvalidError):
            self.tapis.validate_token(f"{head}.{forged}.{signature}")
        intruder = Tapis(base_url=URL, jwt=remember(f"{head}.{forged}.{signature}"))
        with self.assertRaises(errors.UnauthorizedError):
            intruder.authenticator.get_userinfo()

    def test_userinfo_is_the_person(self):
        profile = self.tapis.authenticator.get_userinfo()
        self.assertIsInstance(profile, TapisResult)
        self.assertEqual(profile.username, USER)
        self.assertIn("@", profile.email)

    def test_userinfo_needs_a_token(self):
        with self.assertRaises(errors.UnauthorizedError):
            Tapis(base_url=URL).authenticator.get_userinfo()

    def test_the_token_is_good_in_its_own_tenant_only(self):
        elsewhere = Tapis(base_url=ADMIN_URL, jwt=self.tapis.access_token.access_token)
        with self.assertRaises((errors.UnauthorizedError, errors.ForbiddenError)):
            elsewhere.authenticator.get_userinfo()

    def test_the_admin_tenant_gives_people_no_tokens(self):
        with self.assertRaises((errors.BadRequestError, errors.ForbiddenError)):
            Tapis(base_url=ADMIN_URL, username=USER, password=USER).get_tokens()

    def test_the_answers_without_a_result_are_envelopes(self):
        for operation in (self.tapis.authenticator.hello, self.tapis.authenticator.ready):
            self.assertEqual(operation()["status"], "success")

    def test_the_metadata_name_the_endpoints(self):
        metadata = self.tapis.authenticator.get_server_metadata()
        self.assertIsInstance(metadata, TapisResult)
        self.assertEqual(metadata.token_endpoint, URL + "/v3/oauth2/tokens")


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tapis = log_in("testuser2")

    def create(self, **options):
        client = self.tapis.authenticator.create_client(**options)
        self.assertIsInstance(client, TapisResult)
        remember(client.client_key)
        return client

    def ids(self, **options):
        return [client.client_id for client in self.tapis.authenticator.list_clients(**options)]

    def test_a_client_needs_no_arguments(self):
        client = self.create()
        self.assertLessEqual(CLIENT_FIELDS, fields(client))
        self.assertEqual(client.owner, "testuser2")
        self.assertEqual(client.tenant_id, "dev")
        self.assertIs(client.active, True)
        self.assertEqual(client.display_name, client.client_id[:50])
        self.assertGreaterEqual(len(client.client_key), 43)
        for moment in (client.create_time, client.last_update_time):
            datetime.datetime.strptime(moment, "%a, %d %b %Y %H:%M:%S GMT")

    def test_a_client_keeps_what_it_is_given(self):
        given = {
            "client_id": "portal-" + secrets.token_hex(4),
            "client_key": random_secret(),
            "callback_url": "https://portal.example.org/callback",
            "display_name": "A portal",
            "description": "Signs people in",
        }
        client = self.create(**given)
        self.assertEqual({name: getattr(client, name) for name in given}, given)
        again = self.tapis.authenticator.get_client(client_id=client.client_id)
        self.assertEqual({name: getattr(again, name) for name in given}, given)

    def test_clients_are_listed_with_their_keys_to_their_owner(self):
        client = self.create()
        listed = {one.client_id: one for one in self.tapis.authenticator.list_clients()}
        self.assertIsInstance(listed[client.client_id], TapisResult)
        self.assertEqual(listed[client.client_id].client_key, client.client_key)

    def test_a_token_of_a_client_does_not_reveal_keys(self):
        client = self.create()
        through = log_in("testuser2", client_id=client.client_id, client_key=client.client_key)
        for one in through.authenticator.list_clients():
            self.assertNotEqual(getattr(one, "client_key", None), client.client_key)

    def test_limit_and_offset_cut_the_list(self):
        self.create()
        self.create()
        everything = self.ids()
        self.assertEqual(self.ids(limit=1), everything[:1])
        self.assertEqual(self.ids(limit=1, offset=1), everything[1:2])
        self.assertEqual(self.ids(offset=len(everything)), [])

    def test_a_client_is_updated(self):
        client = self.create()
        updated = self.tapis.authenticator.update_client(
            client_id=client.client_id,
            callback_url="https://portal.example.org/other",
            display_name="Another name",
        )
        self.assertIsInstance(updated, TapisResult)
        again = self.tapis.authenticator.get_client(client_id=client.client_id)
        self.assertEqual(again.callback_url, "https://portal.example.org/other")
        self.assertEqual(again.display_name, "Another name")

    def test_a_deleted_client_is_inactive_everywhere_at_once(self):
        client = self.create()
        through = log_in("testuser2", client_id=client.client_id, client_key=client.client_key)
        answer = self.tapis.authenticator.delete_client(client_id=client.client_id)
        self.assertEqual((answer["status"], answer["result"]), ("success", None))
        self.assertNotIn(client.client_id, self.ids())
        inactive = self.tapis.authenticator.list_clients(_tapis_query_parameters={"show_inactive": True})
        self.assertIs({one.client_id: one for one in inactive}[client.client_id].active, False)
        for attempt in (through.get_tokens, through.refresh_tokens):
            with self.assertRaises(errors.UnauthorizedError) as caught:
                attempt()
            self.assertIn("Invalid client credentials", caught.exception.message)

    def test_others_cannot_see_or_change_a_client(self):
        client = self.create()
        other = log_in("testuser3").authenticator
        self.assertNotIn(client.client_id, [one.client_id for one in other.list_clients()])
        for operation in (other.get_client, other.delete_client):
            with self.assertRaises(errors.ForbiddenError):
                operation(client_id=client.client_id)
        with self.assertRaises(errors.ForbiddenError):
            other.update_client(client_id=client.client_id, display_name="Mine")

    def test_an_unknown_client_is_not_found(self):
        with self.assertRaises(errors.NotFoundError):
            self.tapis.authenticator.get_client(client_id="nothing-" + secrets.token_hex(4))

    def test_a_client_id_is_taken_once(self):
        client = self.create()
        with self.assertRaises(errors.BaseTapyException) as caught:
            self.tapis.authenticator.create_client(client_id=client.client_id)
        self.assertEqual(caught.exception.response.status_code, 409)

    def test_a_short_key_is_refused(self):
        with self.assertRaises(errors.BadRequestError):
            self.tapis.authenticator.create_client(client_key="fifteen bytes!!")


class TokensOfAClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = log_in("testuser4").authenticator.create_client()
        cls.credentials = {"client_id": cls.client.client_id, "client_key": remember(cls.client.client_key)}

    def log_in(self):
        return log_in("testuser4", **self.credentials)

    def test_the_claims_name_the_client_and_count_from_zero(self):
        claims = self.log_in().access_token.claims
        self.assertEqual(set(claims), ACCESS_CLAIMS | {"tapis/refresh_count"})
        self.assertEqual(claims["tapis/client_id"], self.client.client_id)
        self.assertEqual(claims["tapis/grant_type"], "password")
        self.assertEqual(claims["tapis/refresh_count"], 0)

    def test_the_sdk_validates_the_refresh_token(self):
        tapis = self.log_in()
        claims = tapis.validate_token(tapis.refresh_token.refresh_token)
        self.assertEqual(set(claims), REFRESH_CLAIMS)
        self.assertEqual(claims["sub"], "testuser4@dev")
        self.assertEqual(claims["tapis/token_type"], "refresh")
        access = {name: value for name, value in tapis.access_token.claims.items() if name != "exp"}
        self.assertEqual(claims["tapis/access_token"], {**access, "ttl": 14400})
        self.assertEqual(tapis.refresh_token.original_ttl, claims["tapis/initial_ttl"])
        self.assertAlmostEqual(
            tapis.refresh_token.expires_in().total_seconds(), claims["tapis/initial_ttl"], delta=120
        )

    def test_a_refresh_token_is_no_access_token(self):
        tapis = self.log_in()
        intruder = Tapis(base_url=URL, jwt=tapis.refresh_token.refresh_token)
        with self.assertRaises(errors.UnauthorizedError):
            intruder.authenticator.get_userinfo()

    def test_an_access_token_is_no_refresh_token(self):
        tapis = self.log_in()
        tapis.refresh_token = tapis.access_token.access_token
        with self.assertRaises(errors.BadRequestError):
            tapis.refresh_tokens()

    def test_tokens_are_refreshed_three_times(self):
        tapis = self.log_in()
        seen = {tapis.access_token.jti, tapis.refresh_token.jti}
        for count in (1, 2, 3):
            tapis.refresh_tokens()
            remember_tokens(tapis)
            claims = tapis.validate_token(tapis.access_token.access_token)
            self.assertEqual(claims, tapis.access_token.claims)
            self.assertEqual(claims["tapis/refresh_count"], count)
            self.assertEqual(claims["tapis/grant_type"], "refresh_token")
            self.assertEqual(claims["sub"], "testuser4@dev")
            self.assertEqual(tapis.refresh_token.claims["tapis/token_type"], "refresh")
            seen |= {tapis.access_token.jti, tapis.refresh_token.jti}
            self.assertEqual(tapis.authenticator.get_userinfo().username, "testuser4")
        self.assertEqual(len(seen), 8)

    def test_an_expiring_token_is_refreshed_before_a_call(self):
        tapis = self.log_in()
        tapis.access_token.expires_in = lambda: datetime.timedelta(seconds=1)
        self.assertEqual(tapis.authenticator.get_userinfo().username, "testuser4")
        remember_tokens(tapis)
        self.assertEqual(tapis.access_token.claims["tapis/refresh_count"], 1)

    def test_a_script_starts_from_a_stored_refresh_token_day_after_day(self):
        script = """
import json, sys
from tapipy.tapis import Tapis
tapis = Tapis(**json.load(sys.stdin))
tapis.get_tokens()
claims = tapis.access_token.claims
print(tapis.authenticator.get_userinfo().username, claims["tapis/refresh_count"])
"""
        stored = {"base_url": URL, "refresh_token": self.log_in().refresh_token.refresh_token, **self.credentials}
        for _ in ("monday", "tuesday"):
            ran = subprocess.run(
                [sys.executable, "-c", script], input=json.dumps(stored), capture_output=True, text=True, check=False
            )
            self.assertEqual((ran.returncode, ran.stdout), (0, "testuser4 1\n"), ran.stderr)

    def test_a_foreign_client_cannot_use_a_refresh_token(self):
        other = log_in("testuser5").authenticator.create_client()
        thief = self.log_in()
        thief.client_id, thief.client_key = other.client_id, remember(other.client_key)
        with self.assertRaises(errors.BadRequestError):
            thief.refresh_tokens()


class Refusals(unittest.TestCase):
    def refused(self, kind, **options):
        with self.assertRaises(kind) as caught:
            Tapis(base_url=URL, **options).get_tokens()
        for name in ("password", "client_key"):
            self.assertNotIn(options.get(name, "\0"), caught.exception.response.text)
        return caught.exception

    def test_a_wrong_password(self):
        known = self.refused(errors.BadRequestError, username="testuser6", password=random_secret())
        self.assertIn("Invalid username/password combination.", known.message)
        nobody = self.refused(errors.BadRequestError, username="nobody-here", password=random_secret())
        self.assertEqual(known.message, nobody.message)

    def test_a_wrong_client_key(self):
        client = log_in("testuser7").authenticator.create_client()
        remember(client.client_key)
        answer = self.refused(
            errors.UnauthorizedError,
            username="testuser7",
            password="testuser7",
            client_id=client.client_id,
            client_key=random_secret(),
        )
        self.assertIn("Invalid client credentials", answer.message)

    def test_an_unknown_client(self):
        answer = self.refused(
            errors.UnauthorizedError,
            username="testuser8",
            password="testuser8",
            client_id="no-such-client",
            client_key=random_secret(),
        )
        self.assertIn("Invalid client credentials", answer.message)

    def test_a_refresh_token_that_is_none(self):
        client = log_in("testuser9").authenticator.create_client()
        tapis = Tapis(base_url=URL, client_id=client.client_id, client_key=remember(client.client_key))
        tapis.refresh_token = random_secret()
        with self.assertRaises(errors.BadRequestError):
            tapis.refresh_tokens()

    def test_credentials_in_the_url(self):
        query = {"username": "testuser10", "password": random_secret()}
        with self.assertRaises(errors.BadRequestError):
            Tapis(base_url=URL).authenticator.create_token(
                grant_type="password", username="testuser10", password="x" * 16, _tapis_query_parameters=query
            )


class TokensAPI(unittest.TestCase):
    """What a service does: its first token by password, which the SDK does not
    offer, then everything else with the SDK."""

    BEHALF = {"X-Tapis-Tenant": "admin", "X-Tapis-User": "files"}

    @classmethod
    def setUpClass(cls):
        cls.files, cls.refresh = cls.sign_in("files")

    @classmethod
    def sign_in(cls, service):
        """Returns an SDK object with a service's token, and its refresh token."""
        basic = service + ":" + remember(os.environ["GATEHOUSE_SERVICE_PASSWORD"])
        request = urllib.request.Request(
            URL + "/v3/tokens",
            data=json.dumps(cls.order(token_username=service)).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": "Basic " + base64.b64encode(basic.encode()).decode(),
                "X-Tapis-Tenant": "admin",
                "X-Tapis-User": service,
            },
        )
        with urllib.request.urlopen(request) as reply:
            result = json.load(reply)["result"]
        access = remember(result["access_token"]["access_token"])
        return Tapis(base_url=URL, access_token=access), remember(result["refresh_token"]["refresh_token"])

    @staticmethod
    def order(**changes):
        """Returns what the service SDK sends."""
        return {
            "token_username": "files", "token_tenant_id": "admin", "account_type": "service",
            "access_token_ttl": 86400, "generate_refresh_token": True,
            "refresh_token_ttl": 3153600000, "target_site_id": "main", **changes,
        }  # fmt: skip

    def create(self, **changes):
        result = self.files.tokens.create_token(_tapis_headers=self.BEHALF, **self.order(**changes))
        remember(result.access_token.access_token)
        return result

    def test_the_service_is_there(self):
        for operation in (self.files.tokens.hello, self.files.tokens.ready):
            self.assertEqual(operation()["status"], "success")

    def test_a_key_is_rotated_by_those_who_may(self):
        with self.assertRaises(errors.ForbiddenError):
            self.files.tokens.update_keys(tenant_id="dev", _tapis_headers=self.BEHALF)
        before, old = Tapis(base_url=URL).tenants.get_tenant(tenant_id="dev").public_key, log_in("testuser7")
        service, _ = self.sign_in("tokens")
        result = service.tokens.update_keys(tenant_id="dev", _tapis_headers={"X-Tapis-Tenant": "admin", "X-Tapis-User": "tokens"})
        self.assertNotEqual(result.public_key, before)
        self.assertEqual(Tapis(base_url=URL).tenants.get_tenant(tenant_id="dev").public_key, result.public_key)
        new = log_in("testuser7")  # which reads the new key when it is made
        self.assertEqual(new.validate_token(new.access_token.access_token)["sub"], "testuser7@dev")
        for tapis in (old, new):
            self.assertEqual(tapis.authenticator.get_userinfo().username, "testuser7")

    def test_a_service_gets_another_token_with_its_token(self):
        result = self.create()
        self.assertEqual(result.access_token.expires_in, 86400)
        self.assertEqual(result.refresh_token.expires_in, 365 * 86400)
        self.assertTrue(datetime.datetime.fromisoformat(result.access_token.expires_at).tzinfo)
        claims = self.files.validate_token(result.access_token.access_token)
        self.assertEqual(claims["sub"], "files@admin")
        self.assertEqual(claims["tapis/account_type"], "service")
        self.assertEqual(claims["tapis/target_site"], "main")
        self.assertIsNone(claims["tapis/delegation_sub"])

    def test_without_a_refresh_token_there_is_none(self):
        self.assertFalse(hasattr(self.create(generate_refresh_token=False), "refresh_token"))

    def test_a_service_makes_no_tokens_of_others(self):
        with self.assertRaises(errors.ForbiddenError):
            self.create(token_username="systems")
        with self.assertRaises(errors.ForbiddenError):
            self.create(token_username=USER, token_tenant_id="dev", account_type="user")

    def test_a_person_does_not_become_a_service(self):
        person = log_in()
        with self.assertRaises(errors.ForbiddenError):
            person.tokens.create_token(
                token_username=USER, token_tenant_id="dev", account_type="service", target_site_id="main"
            )

    def test_a_service_refreshes_its_token(self):
        result = self.files.tokens.refresh_token(refresh_token=self.refresh, _tapis_headers=self.BEHALF)
        remember(result.access_token.access_token)
        remember(result.refresh_token.refresh_token)
        self.assertEqual(result.access_token.expires_in, 86400)
        self.assertEqual(self.files.validate_token(result.access_token.access_token)["sub"], "files@admin")

    def test_a_revoked_token_is_good_for_nothing(self):
        result = self.create()
        other = Tapis(base_url=URL, access_token=result.access_token.access_token)
        other.tokens.create_token(_tapis_headers=self.BEHALF, **self.order(generate_refresh_token=False))
        for token in (result.access_token.access_token, result.refresh_token.refresh_token):
            answer = self.files.tokens.revoke_token(token=token)
            self.assertIn("revoked", answer["message"])
        with self.assertRaises(errors.UnauthorizedError):
            other.tokens.create_token(_tapis_headers=self.BEHALF, **self.order())
        with self.assertRaises(errors.UnauthorizedError):
            self.files.tokens.refresh_token(refresh_token=result.refresh_token.refresh_token)


class SecurityKernel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sk = log_in().sk

    def test_everyone_has_a_default_role(self):
        answer = self.sk.hasRole(tenant="dev", user=USER, roleName="$$" + USER)
        self.assertIs(answer.isAuthorized, True)
        self.assertIs(self.sk.isAdmin(tenant="dev", user=USER).isAuthorized, False)

    def test_people_make_no_roles_and_ask_about_their_tenant_only(self):
        with self.assertRaises(errors.ForbiddenError):
            self.sk.createRole(roleTenant="dev", roleName="mine", description="")
        with self.assertRaises(errors.ForbiddenError):
            self.sk.getAdmins(tenant="admin")
        with self.assertRaises(errors.NotFoundError):
            self.sk.getUsersWithRole(tenant="dev", roleName="no_such_role")

    def test_the_administrator_of_the_registry_grants_roles(self):
        admin, bob = log_in("testadmin").sk, {"tenant": "dev", "user": "testuser2"}
        deadline = time.monotonic() + 30
        while not admin.isAdmin(tenant="dev", user="testadmin").isAuthorized:
            self.assertLess(time.monotonic(), deadline, "the role has not followed from the registry")
            time.sleep(0.2)
        self.assertIn("/v3/security/role/e2e", admin.createRole(roleTenant="dev", roleName="e2e", description="x").url)
        self.assertEqual(admin.grantRole(**bob, roleName="e2e").changes, 1)
        self.assertIs(self.sk.hasRole(**bob, roleName="e2e").isAuthorized, True)
        self.assertEqual(self.sk.getUsersWithRole(tenant="dev", roleName="e2e").names, ["testuser2"])
        self.assertEqual(admin.deleteRoleByName(tenant="dev", roleName="e2e").changes, 1)
        self.assertIs(self.sk.hasRole(**bob, roleName="e2e").isAuthorized, False)

    def test_a_secret_is_kept_in_versions(self):
        where = {"secretType": "user", "secretName": "e2e+secret"}
        mine = {"tenant": "dev", "user": USER}
        first, second = random_secret(), random_secret()
        version = self.sk.writeSecret(**where, **mine, data={"password": first}).version
        self.sk.writeSecret(**where, **mine, data={"password": second})
        self.assertEqual(self.sk.readSecret(**where, **mine, version=0).secretMap.password, second)
        self.assertEqual(self.sk.readSecret(**where, **mine, version=version).secretMap.password, first)
        self.assertIn("e2e/", self.sk.listSecretMeta(secretType="user", **mine).keys)
        self.sk.destroySecret(**where, **mine, versions=[])
        with self.assertRaises(errors.NotFoundError):
            self.sk.readSecret(**where, **mine, version=0)

    def test_the_probes_answer(self):
        self.assertGreater(self.sk.checkHealth().checkNum, 0)
        self.assertGreater(self.sk.readycheck().checkNum, 0)


class Profiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.people = log_in().authenticator

    def test_people_are_listed(self):
        profiles = self.people.list_profiles()
        self.assertIsInstance(profiles, list)
        names = [profile.username for profile in profiles]
        self.assertLessEqual({"testuser1", "testuser10", "testadmin"}, set(names))
        self.assertEqual([profile.username for profile in self.people.list_profiles(limit=2, offset=1)], names[1:3])
        self.assertEqual(self.people.list_profiles(offset=len(names)), [])
        with self.assertRaises(errors.BadRequestError):
            self.people.list_profiles(limit=1001)

    def test_a_profile_is_of_whom_it_was_asked_for(self):
        profile = self.people.get_profile(username="testuser2")
        self.assertIsInstance(profile, TapisResult)
        self.assertEqual(profile.username, "testuser2")
        self.assertIn("@", profile.email)
        with self.assertRaises(errors.NotFoundError):
            self.people.get_profile(username="nobody")


class Devices(unittest.TestCase):
    """The device flow: the SDK plays the device, a person approves in the pages."""

    def approve(self, address, user_code, name):
        browser = requests.Session()
        page = browser.get(address)
        for fields in ({"username": name, "password": name}, {"user_code": user_code}, {"decision": "allow"}):
            action = re.search(r'<form method="post" action="([^"]*)"', page.text).group(1)
            hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
            page = browser.post(URL + html.unescape(action), data=dict(hidden) | fields)
            page.raise_for_status()

    def test_a_device_gets_tokens_once_a_person_has_approved(self):
        client = log_in("testuser6").authenticator.create_client()
        remember(client.client_key)
        device = Tapis(base_url=URL).authenticator
        code = device.generate_device_code(client_id=client.client_id)
        self.assertRegex(code.user_code, "^[A-Z]{4}-[A-Z]{4}$")
        self.assertEqual(code.client_id, client.client_id)
        grant = {"grant_type": "device_code", "client_id": client.client_id, "device_code": remember(code.device_code)}
        with self.assertRaises(errors.BadRequestError) as caught:
            device.create_token(**grant)
        self.assertIn("authorization_pending", caught.exception.response.text)
        self.approve(code.verification_uri, code.user_code, "testuser6")
        time.sleep(5)  # as long as a device must wait between two questions
        tokens = device.create_token(**grant)
        remember(tokens.access_token.access_token)
        # The id alone proves nothing, and earns no refresh token.
        self.assertFalse(hasattr(tokens, "refresh_token"))
        signed_in = Tapis(base_url=URL, access_token=tokens.access_token.access_token)
        self.assertEqual(signed_in.authenticator.get_userinfo().username, "testuser6")
        with self.assertRaises(errors.BadRequestError):
            device.create_token(**grant)
        device.revoke_token(token=tokens.access_token.access_token)
        with self.assertRaises(errors.UnauthorizedError):
            signed_in.authenticator.get_userinfo()


class TenantConfiguration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tapis = log_in("testadmin")
        cls.admin = tapis.authenticator
        # The role follows from the registry, a moment after the services have met.
        end = time.monotonic() + 20
        while not tapis.sk.isAdmin(tenant="dev", user="testadmin").isAuthorized and time.monotonic() < end:
            time.sleep(0.1)

    def test_it_is_read(self):
        config = self.admin.get_config()
        self.assertIsInstance(config, TapisResult)
        self.assertEqual(config.default_access_token_ttl, 14400)
        self.assertIn("password", config.allowable_grant_types)

    def test_it_is_changed_at_once_and_for_everybody(self):
        secret = random_secret()
        try:
            config = self.admin.update_config(default_access_token_ttl=7200, impersadmin_password=secret)
            self.assertEqual((config.default_access_token_ttl, config.max_access_token_ttl), (7200, 31536000))
            self.assertEqual(config.impersadmin_password, "********")
            self.assertEqual(log_in().access_token.original_ttl, 7200)
        finally:
            self.admin.update_config(default_access_token_ttl=14400)
        self.assertEqual(log_in().access_token.original_ttl, 14400)

    def test_an_error_names_the_path(self):
        with self.assertRaises(errors.BadRequestError) as caught:
            self.admin.update_config(custom_idp_configuration={"ldap": {"user_search_prefix": "cn"}})
        self.assertIn("custom_idp_configuration.ldap.user_search_prefix", caught.exception.message)

    def test_others_may_not(self):
        other = log_in().authenticator
        with self.assertRaises(errors.ForbiddenError):
            other.get_config()
        with self.assertRaises(errors.ForbiddenError):
            other.update_config(default_access_token_ttl=7200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
