package main

import (
	"net/http"
	"testing"
)

func TestTheSecurityKernelKnowsPeopleByTheirTokens(t *testing.T) {
	r := start(t)
	ask := func(host, token, operation, body string) reply {
		t.Helper()
		return r.send(http.MethodPost, host, "/v3/security/user/"+operation, header{"X-Tapis-Token": token, "Content-Type": asJSON}, body)
	}
	token := r.login(r.ada)
	if got := ask(r.ada.host, token, "hasRole", `{"tenant":"dev","user":"ada","roleName":"$$ada"}`).want(t, http.StatusOK, "").result(t); got["isAuthorized"] != true {
		t.Errorf("got %v", got)
	}
	ask(r.ada.host, token, "hasRole", `{"tenant":"lab","user":"ada","roleName":"$$ada"}`).want(t, http.StatusForbidden, "")
	ask(r.labAda.host, token, "hasRole", `{"tenant":"dev","user":"ada","roleName":"$$ada"}`).want(t, http.StatusForbidden, "")
	ask(r.ada.host, token, "grantAdminRole", `{"tenant":"admin","user":"ada"}`).want(t, http.StatusForbidden, "")
	ask(r.ada.host, token+"x", "isAdmin", `{"tenant":"dev","user":"ada"}`).want(t, http.StatusUnauthorized, "")
}

func TestARevokedTokenWritesNothingInTheRegistry(t *testing.T) {
	r := start(t)
	describe := func(token, text string) reply {
		t.Helper()
		return r.as(token, http.MethodPut, "/v3/tenants/dev", map[string]string{"description": text})
	}
	registrar := r.service("tenants")
	describe(registrar, "Still good.").want(t, http.StatusOK, "")
	r.as("", http.MethodPost, "/v3/tokens/revoke", map[string]string{"token": registrar}).want(t, http.StatusOK, "")
	describe(registrar, "Stolen.").want(t, http.StatusUnauthorized, "")
	describe(r.service("tenants"), "Another token.").want(t, http.StatusOK, "")
}
