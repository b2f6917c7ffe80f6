package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/seal"
)

// configure changes the configuration of dev as ada, who administers it.
func (r *running) configure(body string) reply {
	r.t.Helper()
	return r.send(http.MethodPut, r.ada.host, "/v3/oauth2/admin/config", withJSON(r.adminToken()), body)
}

// secondFactor and peopleElsewhere are configurations under which no password
// is taken.
func secondFactor(t *testing.T) string {
	return `{"mfa_config":{"tacc":{"privacy_idea_url":"https://mfa.example.org","privacy_idea_jwt":"` +
		secret(t, seal.NewSecret()) + `"}}}`
}

func peopleElsewhere(t *testing.T) string {
	return `{"custom_idp_configuration":{"github":{"client_id":"a","client_secret":"` + secret(t, seal.NewSecret()) + `"}}}`
}

// adminToken returns a token of ada's that was made before any change.
func (r *running) adminToken() string {
	r.t.Helper()
	if r.admin == "" {
		if _, err := r.authenticator.Kernel.GrantRole(r.t.Context(), devTenant, "ada", "$!tenant_admin", "test"); err != nil {
			r.t.Fatal(err)
		}
		r.admin = r.login(r.ada)
	}
	return r.admin
}

// A-B13: the maximum is one for whoever refreshes, too.
func TestAConfigurationTakesEffectAtOnce(t *testing.T) {
	r := start(t)
	r.adminToken()
	c := r.client(r.bob)
	grant := func() reply { return r.tokens(r.bob.host, c.basic(), r.bob.grant()) }
	refresh := grant().want(t, 200, "").refresh()

	r.configure(`{"default_access_token_ttl":600,"max_access_token_ttl":600,`+
		`"default_refresh_token_ttl":900,"max_refresh_token_ttl":1000}`).want(t, 200, "")
	got := grant().want(t, 200, "")
	if got.body["expires_in"] != float64(600) || got.result(t)["refresh_token"].(map[string]any)["expires_in"] != float64(900) {
		t.Errorf("lifetimes: %s", got.raw)
	}
	if old := r.tokens(r.bob.host, c.basic(), refreshGrant(refresh)).want(t, 200, ""); old.body["expires_in"] != float64(600) {
		t.Errorf("a token that was granted before: %s", old.raw)
	}

	r.configure(`{"rotate_refresh_tokens":true}`).want(t, 200, "")
	r.tokens(r.bob.host, c.basic(), refreshGrant(refresh)).want(t, 200, "")
	r.clock.Advance(time.Minute)
	r.tokens(r.bob.host, c.basic(), refreshGrant(refresh)).want(t, 400, "invalid_grant")
	r.configure(`{"rotate_refresh_tokens":null}`).want(t, 200, "")

	r.configure(`{"allowable_grant_types":["refresh_token"]}`).want(t, 200, "")
	grant().want(t, 400, "unauthorized_client")
	r.tokens(r.labAda.host, nil, r.labAda.grant()).want(t, 200, "") // another tenant
	r.configure(`{"allowable_grant_types":null}`).want(t, 200, "")
	grant().want(t, 200, "")
}

func TestASecondFactorThatCannotBeAskedForRefusesPasswords(t *testing.T) {
	r := start(t)
	r.adminToken()
	r.configure(secondFactor(t)).want(t, 200, "")
	for _, password := range []string{r.bob.password, "wrong"} {
		got := r.tokens(r.bob.host, nil, passwordGrant("bob", password)).want(t, 400, "unauthorized_client")
		if !strings.Contains(got.raw, "second factor") {
			t.Errorf("got %s", got.raw)
		}
	}
	r.configure(`{"password_grant_without_mfa":true}`).want(t, 200, "")
	r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 200, "")
	r.configure(`{"password_grant_without_mfa":null,"mfa_config":{}}`).want(t, 200, "")
	r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 200, "")
}

func TestATenantWhosePeopleAreElsewhereHasNoPasswordGrant(t *testing.T) {
	r := start(t)
	token := r.adminToken()
	r.configure(peopleElsewhere(t)).want(t, 200, "")
	r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 400, "unauthorized_client")
	r.tokens(r.labAda.host, nil, r.labAda.grant()).want(t, 200, "")
	ask := func(path string) reply {
		return r.get(r.ada.host, "/v3/oauth2"+path, token)
	}
	if got := ask("/userinfo").want(t, 200, "").result(t); got["username"] != "ada" || got["email"] != nil {
		t.Errorf("got %v", got)
	}
	ask("/profiles/bob").want(t, 404, "not_found") // A-B17
	r.configure(`{"custom_idp_configuration":{"ldap":{}}}`).want(t, 200, "")
	r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 200, "")
	if got := ask("/profiles/bob").want(t, 200, "").result(t); got["username"] != "bob" {
		t.Errorf("got %v", got)
	}
	if people := ask("/profiles?limit=1").want(t, 200, "").body["result"].([]any); len(people) != 1 {
		t.Errorf("got %v", people)
	}
}

func TestWhoeverIsOutsideTheFilterIsRefusedAsWithAWrongPassword(t *testing.T) {
	r := start(t)
	token := r.adminToken()
	c := r.client(r.bob)
	refresh := r.tokens(r.bob.host, c.basic(), r.bob.grant()).want(t, 200, "").refresh()
	wrong := r.tokens(r.bob.host, nil, passwordGrant("bob", "wrong")).want(t, 400, "invalid_grant")
	r.configure(`{"custom_idp_configuration":{"ldap":{"user_search_prefix":"(uid=*)",`+
		`"user_search_supplemental_filter":"(mail=ada@*)"}}}`).want(t, 200, "")

	outside := r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 400, "invalid_grant")
	if outside.raw != wrong.raw {
		t.Errorf("told apart:\n%s\n%s", outside.raw, wrong.raw)
	}
	r.tokens(r.bob.host, c.basic(), refreshGrant(refresh)).want(t, 400, "invalid_grant")
	r.tokens(r.ada.host, nil, r.ada.grant()).want(t, 200, "")
	r.tokens(r.labAda.host, nil, r.labAda.grant()).want(t, 200, "")
	ask := func(path string) reply {
		return r.get(r.ada.host, "/v3/oauth2"+path, token)
	}
	ask("/profiles/bob").want(t, 404, "not_found")
	if people := ask("/profiles").want(t, 200, "").body["result"].([]any); len(people) != 1 {
		t.Errorf("got %v", people)
	}
	r.configure(`{"custom_idp_configuration":null}`).want(t, 200, "")
	r.tokens(r.bob.host, nil, r.bob.grant()).want(t, 200, "")
}

func TestServicesActForATenantAsFarAsTheyMay(t *testing.T) {
	r := start(t)
	r.adminToken()
	ask := func(service, tenant, user, path string) reply {
		return r.send(http.MethodGet, "10.0.0.1", "/v3/oauth2"+path,
			header{"X-Tapis-Token": r.service(service), "X-Tapis-Tenant": tenant, "X-Tapis-User": user}, "")
	}
	if got := ask("authenticator", "dev", "authenticator", "/admin/config").want(t, 200, "").result(t); got["tenant_id"] != "dev" {
		t.Errorf("got %v", got)
	}
	ask("files", "dev", "ada", "/admin/config").want(t, 403, "access_denied")
	if got := ask("files", "dev", "bob", "/userinfo").want(t, 200, "").result(t); got["username"] != "bob" {
		t.Errorf("got %v", got)
	}
	if got := ask("files", "dev", "bob", "/profiles/ada").want(t, 200, "").result(t); got["email"] != "ada@example.org" {
		t.Errorf("got %v", got)
	}
	if people := ask("files", "lab", "ada", "/profiles").want(t, 200, "").body["result"].([]any); len(people) != 1 {
		t.Errorf("got %v of lab", people)
	}
	ask("files", "nowhere", "ada", "/profiles").want(t, 401, "invalid_token")
}
