package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
)

// service returns a service's own token, made with its password.
func (r *running) service(name string) string {
	r.t.Helper()
	password, _, err := r.data.servicePassword()
	if err != nil {
		r.t.Fatal(err)
	}
	h := client{name, secret(r.t, password)}.basic()
	h["Content-Type"] = asJSON
	got := r.send(http.MethodPost, "tokens", "/v3/tokens", h,
		`{"account_type":"service","token_tenant_id":"admin","token_username":"`+name+`","target_site_id":"main"}`).want(r.t, 200, "")
	return secret(r.t, got.result(r.t)["access_token"].(map[string]any)["access_token"].(string))
}

// as sends JSON in the name of a service.
func (r *running) as(token, method, path string, body any) reply {
	r.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.send(method, "service", path, header{
		"Content-Type": asJSON, "X-Tapis-Token": token, "X-Tapis-Tenant": "admin", "X-Tapis-User": "somebody",
	}, string(text))
}

// publishedKey returns the public key that the registry has of a tenant.
func (r *running) publishedKey(tenant string) string {
	r.t.Helper()
	key, _ := r.get(r.ada.host, "/v3/tenants/"+tenant, "").want(r.t, 200, "").result(r.t)["public_key"].(string)
	return key
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 seconds", what)
		}
	}
}

// rotateKey has a tenant's key rotated by a service and returns the new one.
func (r *running) rotateKey(token, tenant string) string {
	r.t.Helper()
	got := r.as(token, http.MethodPut, "/v3/tokens/keys", map[string]string{"tenant_id": tenant}).want(r.t, 200, "")
	return got.result(r.t)["public_key"].(string)
}

func TestATenantThatIsCreatedWorksWithoutARestart(t *testing.T) {
	r := start(t)
	registrar := r.service("tenants")
	base := "http://fresh.localhost:" + r.port
	fresh := person{"fresh.localhost:" + r.port, r.ada.name, r.ada.password} // it has dev's people
	r.as(registrar, http.MethodPost, "/v3/tenants", map[string]any{
		"tenant_id": "fresh", "base_url": base, "site_id": siteID, "status": "draft", "token_service": base + "/v3/tokens",
		"security_kernel": base + "/v3/security", "authenticator": base + "/v3/oauth2", "owner": ownerEmail, "admin_user": "bob",
		"token_gen_services": []string{"files"}, "user_ldap_connection_id": ldapID(devTenant),
		"description": "Made while the site runs.",
	}).want(t, 201, "")
	eventually(t, "the draft has a key", func() bool { return r.publishedKey("fresh") != "" })
	first := r.publishedKey("fresh")
	for role, user := range map[string]string{"fresh_token_generator": "files", "tenant_definition_updater": "tokens"} {
		question := map[string]string{"tenant": "admin", "user": user, "roleName": role}
		got := r.as(registrar, http.MethodPost, "/v3/security/user/hasRole", question).want(t, 200, "")
		if got.result(t)["isAuthorized"] != true {
			t.Errorf("%s does not hold %s: %s", user, role, got.raw)
		}
	}
	rotated := r.rotateKey(r.service("tokens"), "fresh") // as operators of drafts have always done
	if rotated == first || r.publishedKey("fresh") != rotated {
		t.Errorf("the registry has %s after the rotation of %s to %s", r.publishedKey("fresh"), first, rotated)
	}
	r.as(registrar, http.MethodPut, "/v3/tenants/fresh", map[string]string{"status": "active"}).want(t, 200, "")
	var token string
	eventually(t, "people sign in", func() bool {
		got := r.tokens(fresh.host, nil, fresh.grant())
		if got.status != 200 {
			return false
		}
		token = got.access()
		return true
	})
	r.get(fresh.host, "/v3/oauth2/userinfo", token).want(t, 200, "")
	if claims(t, token)["tapis/tenant_id"] != "fresh" {
		t.Errorf("claims %v", claims(t, token))
	}
}

func TestARotationKeepsOldTokensGoodAndOurOwnAccountWorking(t *testing.T) {
	r := start(t)
	old := r.login(r.ada)
	tokens := r.service("tokens")
	before := r.get(r.ada.host, "/v3/oauth2/jwks", "")
	etag := before.header.Get("ETag")
	r.send(http.MethodGet, r.ada.host, "/v3/oauth2/jwks", header{"If-None-Match": etag}, "").want(t, 304, "")
	// The administrative tenant's key signs what tells the registry the others.
	for _, tenant := range []string{devTenant, adminTenant, devTenant, adminTenant} {
		was := r.publishedKey(tenant)
		if now := r.rotateKey(tokens, tenant); now == was || now != r.publishedKey(tenant) {
			t.Errorf("%s: the key was %s, is %s, and the registry has %s", tenant, was, now, r.publishedKey(tenant))
		}
		if tenant == adminTenant {
			tokens = r.service("tokens") // the registry knows one key, as every reader of it
		}
	}
	after := r.send(http.MethodGet, r.ada.host, "/v3/oauth2/jwks", header{"If-None-Match": etag}, "").want(t, 200, "")
	if set := after.body["keys"].([]any); len(set) != 3 {
		t.Errorf("%d keys are published; want those of the tokens that are good", len(set))
	}
	fresh := r.login(r.ada)
	if kidOf(t, fresh) == kidOf(t, old) {
		t.Error("the old key still signs")
	}
	for _, token := range []string{old, fresh} {
		r.get(r.ada.host, "/v3/oauth2/userinfo", token).want(t, 200, "")
	}
	r.as(tokens, http.MethodPut, "/v3/tokens/keys", map[string]string{}).want(t, 400, "")
	r.as(tokens, http.MethodPut, "/v3/tokens/keys", map[string]string{"tenant_id": "nobody"}).want(t, 404, "")
	r.as(r.service("files"), http.MethodPut, "/v3/tokens/keys", map[string]string{"tenant_id": devTenant}).want(t, 403, "")
	r.as("", http.MethodPut, "/v3/tokens/keys", map[string]string{"tenant_id": devTenant}).want(t, 401, "")
}

func TestAnEmergencyRefusesEverythingThatTheOldKeySigned(t *testing.T) {
	r := start(t)
	c := r.client(r.bob)
	grant := func() (access, refresh string) {
		got := r.tokens(r.bob.host, c.basic(), r.bob.grant()).want(t, 200, "")
		return got.access(), got.refresh()
	}
	access, refresh := grant()
	userinfo := func(host, token string) reply {
		return r.get(host, "/v3/oauth2/userinfo", token)
	}
	userinfo(r.bob.host, access).want(t, 200, "")
	other := r.login(r.labAda)
	done, err := r.authenticator.Rotator.Rotate(t.Context(), devTenant, keys.Emergency)
	if err != nil {
		t.Fatal(err)
	}
	if r.publishedKey(devTenant) != done.PublicKey {
		t.Error("the registry still publishes the old key")
	}
	userinfo(r.bob.host, access).want(t, 401, "invalid_token")
	r.tokens(r.bob.host, c.basic(), refreshGrant(refresh)).want(t, 400, "invalid_grant")
	old := `{"refresh_token":"` + refresh + `"}`
	r.send(http.MethodPut, r.bob.host, "/v3/tokens", header{"Content-Type": asJSON}, old).want(t, 401, "")
	userinfo(r.labAda.host, other).want(t, 200, "") // another tenant's
	access, refresh = grant()
	userinfo(r.bob.host, access).want(t, 200, "")
	r.tokens(r.bob.host, c.basic(), refreshGrant(refresh)).want(t, 200, "")
}

func TestASiteWithoutItsOwnKeyIsNotReady(t *testing.T) {
	r := start(t)
	r.get(r.ada.host, "/v3/oauth2/ready", "").want(t, 200, "")
	r.login(r.ada) // so that it is known where people are
	const lose = "UPDATE signing_keys SET private_key = 'broken', version = 1000 WHERE tenant_id = 'admin'"
	if err := r.databases[1].Conn(t.Context()).Exec(lose).Error; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lost key is noticed", func() bool { return r.authenticator.Ready(t.Context()) != nil })
	r.get(r.ada.host, "/v3/oauth2/ready", "").want(t, 503, "")
	r.login(r.ada) // the others go on
}
