// The TypeScript packages of Tapis, unmodified, against a running site.
// GATEHOUSE_URL and GATEHOUSE_ADMIN_URL are the base URLs of the tenants dev
// and admin, SERVICE_TOKEN a token of the service tenants.
import assert from "node:assert/strict";
import { test } from "node:test";

import authenticator from "@tapis/tapis-typescript-authenticator";
import tenants from "@tapis/tapis-typescript-tenants";
import tokens from "@tapis/tapis-typescript-tokens";

const { GATEHOUSE_URL, GATEHOUSE_ADMIN_URL, SERVICE_TOKEN } = process.env;
const service = { "X-Tapis-Token": SERVICE_TOKEN, "X-Tapis-Tenant": "admin", "X-Tapis-User": "tenants" };

const at = (api, Api, basePath, headers = {}) => new Api(new api.Configuration({ basePath, headers }));
const status = (want) => (response) => response.status === want;

const person = async (name) => {
  const api = at(authenticator, authenticator.TokensApi, GATEHOUSE_URL);
  const reply = await api.createToken({ reqCreateToken: { username: name, password: name, grant_type: "password" } });
  assert.equal(reply.status, "success");
  return reply.result.access_token.access_token;
};

const signedIn = async (Api, name) => at(authenticator, Api, GATEHOUSE_URL, { "X-Tapis-Token": await person(name) });

test("authenticator: tokens of people", async () => {
  assert.match(await person("testuser1"), /^[\w-]+\.[\w-]+\.[\w-]+$/);
  const api = at(authenticator, authenticator.TokensApi, GATEHOUSE_URL);
  await assert.rejects(
    api.createToken({ reqCreateToken: { username: "testuser1", password: "wrong", grant_type: "password" } }), status(400));
});

test("authenticator: clients from registration to deletion, device codes, revocation", async () => {
  const api = await signedIn(authenticator.ClientsApi, "testuser2");
  const made = (await api.createClient({ reqCreateClient: { display_name: "npm" } })).result;
  assert.ok(made.client_id && made.client_key);
  const clientId = made.client_id;
  assert.equal((await api.getClient({ clientId })).result.display_name, "npm");
  await api.updateClient({ clientId, updateClient: { display_name: "npm again" } });
  assert.ok((await api.listClients({})).result.some((c) => c.display_name === "npm again"));

  const grant = at(authenticator, authenticator.TokensApi, GATEHOUSE_URL);
  const code = (await grant.generateDeviceCode({ newDeviceCode: { client_id: clientId } })).result;
  assert.ok(code.device_code && code.user_code && code.verification_uri);
  await assert.rejects(
    grant.createToken({ reqCreateToken: { grant_type: "device_code", client_id: clientId, device_code: code.device_code } }), status(400));

  const pair = (await grant.createToken({
    reqCreateToken: { username: "testuser2", password: "testuser2", grant_type: "password", client_id: clientId, client_key: made.client_key },
  })).result;
  await grant.revokeToken({ revokeTokenRequest: { token: pair.access_token.access_token } });
  const revoked = at(authenticator, authenticator.ProfilesApi, GATEHOUSE_URL, { "X-Tapis-Token": pair.access_token.access_token });
  await assert.rejects(revoked.getUserinfo(), status(401));

  await api.deleteClient({ clientId });
  await assert.rejects(
    grant.createToken({ reqCreateToken: { username: "testuser2", password: "testuser2", grant_type: "password", client_id: clientId, client_key: made.client_key } }),
    status(401));
});

test("authenticator: profiles, settings, metadata, health", async () => {
  const profiles = await signedIn(authenticator.ProfilesApi, "testuser1");
  assert.equal((await profiles.getUserinfo()).result.username, "testuser1");
  assert.equal((await profiles.getProfile({ username: "testuser3" })).result.username, "testuser3");
  assert.equal((await profiles.listProfiles({ limit: 2 })).result.length, 2);
  const admin = await signedIn(authenticator.AdminApi, "testadmin");
  const before = (await admin.getConfig()).result;
  assert.ok(before.allowable_grant_types.includes("password"));
  const changed = await admin.updateConfig({ newTenantConfig: { default_access_token_ttl: before.default_access_token_ttl - 60 } });
  assert.equal(changed.result.default_access_token_ttl, before.default_access_token_ttl - 60);
  await admin.updateConfig({ newTenantConfig: { default_access_token_ttl: before.default_access_token_ttl } });
  await assert.rejects((await signedIn(authenticator.AdminApi, "testuser1")).getConfig(), status(403));
  const metadata = await at(authenticator, authenticator.MetadataApi, GATEHOUSE_URL).getServerMetadata();
  assert.equal(metadata.result.issuer, GATEHOUSE_URL + "/v3/oauth2");
  const health = at(authenticator, authenticator.HealthCheckApi, GATEHOUSE_URL);
  assert.equal((await health.hello()).status, "success");
  assert.equal((await health.ready()).status, "success");
});

test("tokens: a service makes and refreshes its own", async () => {
  const api = at(tokens, tokens.TokensApi, GATEHOUSE_ADMIN_URL, service);
  const made = (await api.createToken({
    reqCreateToken: {
      account_type: "service", token_tenant_id: "admin", token_username: "tenants", target_site_id: "main",
      access_token_ttl: 600, generate_refresh_token: true, refresh_token_ttl: 7776000,
    },
  })).result;
  assert.equal(made.access_token.expires_in, 600);
  const again = (await api.refreshToken({ reqRefreshToken: { refresh_token: made.refresh_token.refresh_token } })).result;
  assert.equal(again.access_token.expires_in, 600);
  assert.notEqual(again.access_token.access_token, made.access_token.access_token);
});

test("tenants: sites, owners, directories and tenants", async () => {
  const sites = at(tenants, tenants.SitesApi, GATEHOUSE_ADMIN_URL, service);
  const api = at(tenants, tenants.TenantsApi, GATEHOUSE_ADMIN_URL, service);
  const site = {
    site_id: "npm", primary: false, base_url: "npm.example.org", site_admin_tenant_id: "npm-admin", services: ["tokens"],
  };
  await sites.createSite({ reqCreateSite: site });
  assert.equal((await sites.getSite({ siteId: "npm" })).result.base_url, "npm.example.org");
  assert.equal((await sites.listSites({})).result.length, 2);
  const email = "npm@example.org";
  await api.createOwner({ owner: { name: "Npm", email, institution: "Example" } });
  assert.equal((await api.getOwner({ email })).result.name, "Npm");
  assert.ok((await api.listOwners({})).result.some((o) => o.email === email));
  const ldap = {
    ldap_id: "npm", url: "ldaps://ldap.example.org", port: 636, use_ssl: true, user_dn: "ou=people,dc=example,dc=org",
    bind_dn: "cn=reader,dc=example,dc=org", bind_credential: "ldap.npm", account_type: "user",
  };
  await api.createLdap({ reqCreateLdap: ldap });
  assert.equal((await api.getLdap({ ldapId: "npm" })).result.url, ldap.url);
  assert.ok((await api.listLdaps({})).result.length > 1);
  const base_url = "https://npm-one.example.org";
  await api.createTenant({
    reqCreateTenant: {
      tenant_id: "npm-one", base_url, site_id: "npm", owner: email, admin_user: "npm", token_gen_services: ["authenticator"],
      token_service: base_url + "/v3/tokens", security_kernel: base_url + "/v3/security", authenticator: base_url + "/v3/oauth2",
      user_ldap_connection_id: "npm",
    },
  });
  assert.equal((await api.getTenant({ tenantId: "npm-one" })).result.base_url, base_url);
  assert.ok((await api.listTenants({})).result.length >= 2);
  await assert.rejects(api.deleteTenant({ tenantId: "npm-one" }), status(405));
  await assert.rejects(sites.deleteSite({ siteId: "npm" }), status(409));
  await assert.rejects(api.deleteLdap({ ldapId: "npm" }), status(409));
  await assert.rejects(api.deleteOwner({ email }), status(409));
  await assert.rejects(at(tenants, tenants.TenantsApi, GATEHOUSE_ADMIN_URL).createOwner({ owner: { name: "X", email: "x@example.org", institution: "X" } }), status(401));
});
