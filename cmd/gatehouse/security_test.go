package main

import (
	"net/http"
	"testing"
)

func TestTheSecurityKernelKnowsPeopleByTheirTokens(t *testing.T) {
	r := start(t)
	ask := func(host, token, operation, body string) reply {
		t.Helper()
		return r.send(http.MethodPost, host, "/v3/security/user/"+operation, withJSON(token), body)
	}
	token := r.login(r.ada)
	role := func(tenant string) string { return `{"tenant":"` + tenant + `","user":"ada","roleName":"$$ada"}` }
	if got := ask(r.ada.host, token, "hasRole", role("dev")).want(t, 200, "").result(t); got["isAuthorized"] != true {
		t.Errorf("got %v", got)
	}
	ask(r.ada.host, token, "hasRole", role("lab")).want(t, 403, "")
	ask(r.labAda.host, token, "hasRole", role("dev")).want(t, 403, "")
	ask(r.ada.host, token, "grantAdminRole", `{"tenant":"admin","user":"ada"}`).want(t, 403, "")
	ask(r.ada.host, token+"x", "isAdmin", `{"tenant":"dev","user":"ada"}`).want(t, 401, "")
}

func TestARevokedTokenWritesNothingInTheRegistry(t *testing.T) {
	r := start(t)
	describe := func(token, text string) reply {
		t.Helper()
		return r.as(token, http.MethodPut, "/v3/tenants/dev", map[string]string{"description": text})
	}
	registrar := r.service("tenants")
	describe(registrar, "Still good.").want(t, 200, "")
	r.as("", http.MethodPost, "/v3/tokens/revoke", map[string]string{"token": registrar}).want(t, 200, "")
	describe(registrar, "Stolen.").want(t, 401, "")
	describe(r.service("tenants"), "Another token.").want(t, 200, "")
}
