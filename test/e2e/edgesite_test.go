package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
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
		"GATEHOUSE_LISTEN=127.0.0.1:" + port, "GATEHOUSE_DATABASE_URL=sqlite:" + filepath.Join(dir, "edge.db"), "GATEHOUSE_SITE_ID=edge",
		"GATEHOUSE_ADMIN_TENANT_ID=edge-admin", "GATEHOUSE_MASTER_KEY=" + hex.EncodeToString(master), "GATEHOUSE_REGISTRY_URL=" + g.adminURL(),
		"GATEHOUSE_REGISTRY_POLL=1s",
	}
	a.call("authenticator", env, "migrate")
	key := a.call("authenticator", env, "keys", "init", "edge-admin")
	a.file("password", a.password)
	a.call("authenticator", env, "service-password", "set", "files", filepath.Join(dir, "password"))

	primary := func(method, path string, status int, body map[string]any) {
		t.Helper()
		g.call(t, method, path, body, "Host", "127.0.0.1:"+g.port, "X-Tapis-Token", g.serviceToken(t, "tenants"),
			"X-Tapis-Tenant", "admin", "X-Tapis-User", "tenants").want(t, status)
	}
	primary(http.MethodPost, "/v3/sites", http.StatusCreated, map[string]any{
		"site_id": "edge", "primary": false, "base_url": "edge.example.org", "site_admin_tenant_id": "edge-admin",
		"services": []string{"tokens", "security", "authenticator"},
	})
	for _, id := range []string{"edge-admin", "edge-one"} {
		base := "http://" + id + ".localhost:" + port
		primary(http.MethodPost, "/v3/tenants", http.StatusCreated, map[string]any{
			"tenant_id": id, "site_id": "edge", "base_url": base, "owner": "owner@example.org", "admin_user": "ada", "token_gen_services": []string{},
			"token_service": base + "/v3/tokens", "security_kernel": base + "/v3/security", "authenticator": base + "/v3/oauth2",
		})
	}
	primary(http.MethodPut, "/v3/tenants/edge-admin", http.StatusOK, map[string]any{"public_key": key, "status": "active"})
	(&program{t: t, path: a.built("authenticator"), args: []string{"serve"}, env: env}).run()
	a.eventually("the associate's authenticator is ready", func() bool { return a.status(a.url+"/v3/oauth2/ready") == http.StatusOK })
	a.eventually("the draft tenant's key is in the registry", func() bool {
		var got struct {
			Key string `json:"public_key"`
		}
		g.call(t, http.MethodGet, "/v3/tenants/edge-one", nil).want(t, http.StatusOK).into(t, &got)
		return got.Key != ""
	})
	primary(http.MethodPut, "/v3/tenants/edge-one", http.StatusOK, map[string]any{"status": "active"})
	return a
}

// token gets the associate's service files a token to be used at a site.
func (a *edgeSite) token(target string) string {
	a.t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte("files:" + a.password))
	body, _ := json.Marshal(map[string]string{
		"account_type": "service", "token_tenant_id": "edge-admin", "token_username": "files", "target_site_id": target,
	})
	status, answer := a.ask(a.url, http.MethodPost, "/v3/tokens", string(body), "Authorization", "Basic "+basic)
	if status != http.StatusOK {
		a.t.Fatalf("token for %s: %d %s", target, status, answer)
	}
	var got struct {
		Result tokens `json:"result"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		a.t.Fatal(err)
	}
	testlog.Secret(a.t, got.Result.Access.Token)
	return got.Result.Access.Token
}

// ask sends a request and returns the status and the body.
func (a *edgeSite) ask(at, method, path, body string, headers ...string) (int, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, at+path, bytes.NewReader([]byte(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestServicesOfTwoSitesTalkOnlyWhereTheRulesAllow(t *testing.T) {
	g := start(t)
	a := startAssociate(t, g)
	primaryToken := func(target string) string {
		var got tokens
		basic := base64.StdEncoding.EncodeToString([]byte("files:" + g.servicePassword(t)))
		g.call(t, http.MethodPost, "/v3/tokens", map[string]any{
			"account_type": "service", "token_tenant_id": "admin", "token_username": "files", "target_site_id": target,
		}, "Authorization", "Basic "+basic).want(t, http.StatusOK).into(t, &got)
		testlog.Secret(t, got.Access.Token)
		return got.Access.Token
	}
	const roles = "/v3/security/user/roles/ada?tenant="
	const people = "/v3/tenants/ldaps/tapis-dev"
	for name, test := range map[string]struct {
		at, path, token, tenant string
		status                  int
		holds                   string
	}{
		"the associate's service at home":                     {a.url, roles + "edge-one", a.token("edge"), "edge-one", 200, ""},
		"the associate's service at home for another site":    {a.url, roles + "dev", a.token("edge"), "dev", 401, ""},
		"its token for home at the primary":                   {g.adminURL(), roles + "edge-one", a.token("edge"), "edge-one", 401, ""},
		"its token for the primary at home":                   {a.url, roles + "edge-one", a.token("main"), "edge-one", 401, ""},
		"where the associate runs the service itself":         {g.adminURL(), roles + "edge-one", a.token("main"), "edge-one", 401, ""},
		"for a tenant of the primary":                         {g.adminURL(), roles + "dev", a.token("main"), "dev", 401, ""},
		"at the registry, which only the primary runs":        {g.adminURL(), people, a.token("main"), "edge-one", 200, "bind_dn"},
		"the primary's service for the associate's tenant":    {a.url, "/v3/oauth2/userinfo", primaryToken("edge"), "edge-one", 200, `"username":"ada"`},
		"but not at the security kernel, which is its site's": {a.url, roles + "edge-one", primaryToken("edge"), "edge-one", 403, ""},
		"the primary's token for home at the associate":       {a.url, roles + "edge-one", primaryToken("main"), "edge-one", 401, ""},
		"the primary's service for its own tenant over there": {a.url, roles + "dev", primaryToken("edge"), "dev", 401, ""},
	} {
		status, answer := a.ask(test.at, http.MethodGet, test.path, "", "X-Tapis-Token", test.token, "X-Tapis-Tenant", test.tenant, "X-Tapis-User", "ada")
		if status != test.status || !strings.Contains(answer, test.holds) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	// At the registry a token that does not count makes its holder a stranger.
	if _, answer := a.ask(g.adminURL(), http.MethodGet, people, "", "X-Tapis-Token", a.token("main"), "X-Tapis-Tenant", "dev", "X-Tapis-User", "ada"); strings.Contains(answer, "bind_dn") {
		t.Errorf("the associate's service acts for the primary's tenant: %s", answer)
	}
	// Nobody makes tokens of the other site's tenants, and writes none of them.
	generator := `{"account_type":"user","token_tenant_id":"edge-one","token_username":"ada"}`
	if status, answer := a.ask(g.adminURL(), http.MethodPost, "/v3/tokens", generator, "X-Tapis-Token", primaryToken("main"),
		"X-Tapis-Tenant", "admin", "X-Tapis-User", "files"); status != http.StatusBadRequest || strings.Contains(answer, "access_token") {
		t.Errorf("the primary makes the associate's tokens: %d %s", status, answer)
	}
	for _, path := range []string{"/v3/tenants/dev", "/v3/tenants/edge-one", "/v3/sites/main"} {
		if status, answer := a.ask(g.adminURL(), http.MethodPut, path, `{"description":"taken","services":["x"]}`, "X-Tapis-Token", a.token("main"),
			"X-Tapis-Tenant", "edge-admin", "X-Tapis-User", "files"); status != http.StatusForbidden && status != http.StatusUnauthorized {
			t.Errorf("the associate's files writes %s: %d %s", path, status, answer)
		}
	}
}
