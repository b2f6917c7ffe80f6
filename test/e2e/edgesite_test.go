package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/testlog"
)

// edgeSite is a second site: an authenticator of its own, whose registry is
// the primary site's.
type edgeSite struct {
	*services

	g        *gatehouse
	url      string
	password string // of its service accounts
}

// start makes the site edge beside g's: its administrative tenant with a key
// that its operator sent, and a tenant of its own, which gets its key and goes
// into the registry by itself.
func startAssociate(t *testing.T, g *gatehouse) *edgeSite {
	t.Helper()
	port, dir := freePort(t), t.TempDir()
	a := &edgeSite{services: &services{t: t, dir: dir, port: port}, g: g, url: "http://127.0.0.1:" + port}
	master := make([]byte, 32)
	_, _ = rand.Read(master)
	testlog.Secret(t, hex.EncodeToString(master))
	a.password = hex.EncodeToString(master[:16]) + "-edge"
	testlog.Secret(t, a.password)
	env := []string{
		"GATEHOUSE_LISTEN=127.0.0.1:" + port, "GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(dir, "edge.db"),
		"GATEHOUSE_SITE_ID=edge", "GATEHOUSE_ADMIN_TENANT_ID=edge-admin", "GATEHOUSE_MASTER_KEY=" + hex.EncodeToString(master),
		"GATEHOUSE_REGISTRY_URL=" + g.adminURL(), "GATEHOUSE_REGISTRY_POLL=1s",
	}
	a.call("authenticator", env, "migrate")
	key := a.call("authenticator", env, "keys", "init", "edge-admin")
	a.file("password", a.password)
	a.call("authenticator", env, "service-password", "set", "files", filepath.Join(dir, "password"))

	primary := func(method, path string, status int, body fields) {
		t.Helper()
		callAt(t, g.adminURL(), method, path, body, g.service(t, "tenants")...).want(t, status)
	}
	primary(http.MethodPost, "/v3/sites", http.StatusCreated, fields{
		"site_id": "edge", "primary": false, "base_url": "edge.example.org", "site_admin_tenant_id": "edge-admin",
		"services": []string{"tokens", "security", "authenticator"},
	})
	for _, id := range []string{"edge-admin", "edge-one"} {
		tenant := tenantAt(id, "edge", "http://"+id+".localhost:"+port)
		primary(http.MethodPost, "/v3/tenants", http.StatusCreated, changed(tenant, "owner", "owner@example.org"))
	}
	primary(http.MethodPut, "/v3/tenants/edge-admin", http.StatusOK, fields{"public_key": key, "status": "active"})
	(&program{t: t, path: a.built("authenticator"), args: []string{"serve"}, env: env}).run()
	a.eventually("it is ready", func() bool { return a.status(a.url+"/v3/oauth2/ready") == http.StatusOK })
	a.eventually("the draft tenant's key is in the registry", func() bool { return g.publicKey(t, "edge-one") != "" })
	primary(http.MethodPut, "/v3/tenants/edge-one", http.StatusOK, fields{"status": "active"})
	return a
}

// token gets the associate's service files a token to be used at a site.
func (a *edgeSite) token(t *testing.T, target string) string {
	t.Helper()
	return serviceTokenAt(t, a.url, "edge-admin", "files", a.password, target)
}

func TestServicesOfTwoSitesTalkOnlyWhereTheRulesAllow(t *testing.T) {
	g := start(t)
	a := startAssociate(t, g)
	primary := func(target string) string {
		return serviceTokenAt(t, g.url(), "admin", "files", g.servicePassword(t), target)
	}
	as := func(token, tenant, user string) []string {
		return []string{"X-Tapis-Token", token, "X-Tapis-Tenant", tenant, "X-Tapis-User", user}
	}
	home, away := a.token(t, "edge"), a.token(t, "main")
	atPrimary := g.adminURL()
	const roles = "/v3/security/user/roles/ada?tenant="
	const userinfo = "/v3/oauth2/userinfo"
	const people = "/v3/tenants/ldaps/tapis-dev"
	for name, test := range map[string]struct {
		at, path, token, tenant string
		status                  int
		holds                   string
	}{
		"the associate's service at home":                     {a.url, roles + "edge-one", home, "edge-one", 200, ""},
		"the associate's service at home for another site":    {a.url, roles + "dev", home, "dev", 401, ""},
		"its token for home at the primary":                   {atPrimary, roles + "edge-one", home, "edge-one", 401, ""},
		"its token for the primary at home":                   {a.url, roles + "edge-one", away, "edge-one", 401, ""},
		"where the associate runs the service itself":         {atPrimary, roles + "edge-one", away, "edge-one", 401, ""},
		"for a tenant of the primary":                         {atPrimary, roles + "dev", away, "dev", 401, ""},
		"at the registry, which only the primary runs":        {atPrimary, people, away, "edge-one", 200, "bind_dn"},
		"the primary's service for the associate's tenant":    {a.url, userinfo, primary("edge"), "edge-one", 200, `"username":"ada"`},
		"but not at the security kernel, which is its site's": {a.url, roles + "edge-one", primary("edge"), "edge-one", 403, ""},
		"the primary's token for home at the associate":       {a.url, roles + "edge-one", primary("main"), "edge-one", 401, ""},
		"the primary's service for its own tenant over there": {a.url, roles + "dev", primary("edge"), "dev", 401, ""},
	} {
		got := callAt(t, test.at, http.MethodGet, test.path, nil, as(test.token, test.tenant, "ada")...)
		if got.status != test.status || !strings.Contains(string(got.body), test.holds) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	// At the registry a token that does not count makes its holder a stranger.
	got := callAt(t, atPrimary, http.MethodGet, people, nil, as(away, "dev", "ada")...)
	if strings.Contains(string(got.body), "bind_dn") {
		t.Errorf("the associate's service acts for the primary's tenant: %s", got.body)
	}
	// Nobody makes tokens of the other site's tenants, and writes none of them.
	generator := fields{"account_type": "user", "token_tenant_id": "edge-one", "token_username": "ada"}
	got = callAt(t, atPrimary, http.MethodPost, "/v3/tokens", generator, as(primary("main"), "admin", "files")...)
	if got.status != http.StatusBadRequest || strings.Contains(string(got.body), "access_token") {
		t.Errorf("the primary makes the associate's tokens: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/v3/tenants/dev", "/v3/tenants/edge-one", "/v3/sites/main"} {
		taken := fields{"description": "taken", "services": []string{"x"}}
		got := callAt(t, atPrimary, http.MethodPut, path, taken, as(away, "edge-admin", "files")...)
		if got.status != http.StatusForbidden && got.status != http.StatusUnauthorized {
			t.Errorf("the associate's files writes %s: %d %s", path, got.status, got.body)
		}
	}
}
