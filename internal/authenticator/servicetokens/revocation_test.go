package servicetokens_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/testlog"
)

const checkPath = "/v3/site-router/tokens/check"

func TestWhoeverHoldsATokenMayRevokeIt(t *testing.T) {
	each(t, func(w *world) {
		pair := w.user("dev", "ada")
		w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(w.t, 200, "")
		for range 2 { // revoking twice is no error
			got := w.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).want(w.t, 200, pair.Access.ID)
			if got.body["result"] != "" {
				w.t.Errorf("result %v", got.body["result"])
			}
		}
		w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(w.t, 401, "revoked")
		// A token of a person alone does not end what it was refreshed from.
		other := w.user("dev", "ada")
		w.send("POST", "/v3/tokens/revoke", tokenOfUser(pair.Access.Value), object{"token": other.Refresh.Value}).want(w.t, 200, other.Refresh.ID)
		w.send("GET", checkPath, tokenOfUser(other.Access.Value), nil).want(w.t, 401, "revoked")
	})
}

func TestWhatCannotBeRevokedIsSaid(t *testing.T) {
	w := onSQLite(t)
	pair := w.user("dev", "ada")
	for _, c := range []struct {
		body any
		text string
	}{
		{object{}, "token is missing"},
		{object{"token": ""}, "token is missing"},
		{object{"token": 1}, "token"},
		{"", "empty"},
		{object{"token": "x"}, "not a token"},
		{object{"token": pair.Access.Value + "x"}, "not a token"},
		{object{"token": w.signed(edge, "far", nil)}, "not a token of this site"},
		{object{"token": w.signed(signing, "dev", object{"tapis/tenant_id": "nowhere"})}, "not a token of this site"},
		{object{"token": w.signed(signing, "dev", object{"tapis/tenant_id": "tacc"})}, "not a token of this site"},
	} {
		w.send("POST", "/v3/tokens/revoke", nil, c.body).want(t, 400, c.text)
	}
	w.advance(48 * time.Hour)
	for _, raw := range []string{pair.Access.Value, pair.Refresh.Value} {
		w.send("POST", "/v3/tokens/revoke", nil, object{"token": raw}).want(t, 400, "expired")
	}
}

func TestUpstreamBugALostRevocationIsReportedAsTheCallersFault(t *testing.T) {
	w := onSQLite(t)
	pair := w.user("dev", "ada")
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).want(t, 503, "database")
	w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(t, 503, "database")
}

// Upstream answers 400 at the check, which nginx makes a 500, and does not
// check at all where a request has X-Tapis-User.
func TestUpstreamBugTheCheckIsBypassedByAHeader(t *testing.T) {
	each(t, func(w *world) {
		service := w.service("files")
		h := bearing("files", service)
		w.send("GET", checkPath, h, nil).want(w.t, 200, "")
		w.send("POST", "/v3/tokens/revoke", h, object{"token": service}).want(w.t, 200, "")
		got := w.send("GET", checkPath, h, nil).want(w.t, 401, "revoked")
		if got.header.Get("WWW-Authenticate") == "" || got.body["status"] != "error" {
			w.t.Errorf("got %s with %v", got.raw, got.header)
		}
		w.send("GET", checkPath, headers{"X-Tapis-Token": service, "X-Tapis-User": "x"}, nil).want(w.t, 401, "revoked")
		pair := w.user("dev", "ada")
		w.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).want(w.t, 200, "")
		w.send("GET", checkPath, headers{"X-Tapis-Token": pair.Access.Value, "X-Tapis-User": "ada"}, nil).want(w.t, 401, "revoked")
	})
}

// nginx makes a 500 of every answer to its question that it does not know.
func TestTheCheckAnswers401WhateverOldToolingWants(t *testing.T) {
	w := onSQLite(t)
	pair := w.user("dev", "ada")
	w.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).want(t, 200, "")
	w.serve(httpapi.Options{Version: "test", Log: testlog.New(t), LegacyErrorCodes: true})
	got := w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(t, 401, "revoked")
	if got.body["error"] != "invalid_token" {
		t.Errorf("got %s", got.raw)
	}
}

func TestTheCheckSaysNothingAgainstWhatIsNotItsOwn(t *testing.T) {
	w := onSQLite(t)
	pair := w.user("dev", "ada")
	for name, h := range map[string]headers{
		"no token":                 {},
		"only OBO headers":         {"X-Tapis-Tenant": "dev", "X-Tapis-User": "ada"},
		"a token of another site":  {"X-Tapis-Token": w.signed(edge, "far", nil)},
		"another scheme's header":  {"Authorization": "Basic eDp5"},
		"a good token":             tokenOfUser(pair.Access.Value),
		"a service for elsewhere":  tokenOfUser(w.send("POST", "/v3/tokens", w.basic("files"), order("files", object{"target_site_id": "edge"})).access(t)),
		"a token and OBO headers":  bearing("files", w.service("files")),
		"a token at any host name": {"X-Tapis-Token": pair.Access.Value, "X-Forwarded-Host": "far.tapis.io"},
	} {
		if got := w.send("GET", checkPath, h, nil); got.status != 200 || got.body["result"] != "" {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	w.advance(2 * time.Hour)
	w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(t, 200, "") // expired; whoever needs a token refuses it
}

func TestTheCheckRefusesWhatIsNoAccessToken(t *testing.T) {
	w := onSQLite(t)
	pair := w.user("dev", "ada")
	for name, raw := range map[string]string{
		"a word":                     "token",
		"three words":                "a.b.c",
		"a refresh token":            pair.Refresh.Value,
		"forged":                     pair.Access.Value[:strings.LastIndexByte(pair.Access.Value, '.')] + pair.Refresh.Value[strings.LastIndexByte(pair.Refresh.Value, '.'):],
		"of a tenant that is not":    w.signed(signing, "dev", object{"tapis/tenant_id": "nowhere"}),
		"of a tenant that is closed": w.signed(signing, "draft", nil),
		"never recorded":             w.signed(signing, "dev", object{"tapis/account_type": authn.UserAccount}),
		"another tenant's key":       w.signed(signing, "dev", object{"tapis/tenant_id": "tacc", "iss": issuer("tacc")}),
	} {
		if got := w.send("GET", checkPath, tokenOfUser(raw), nil); got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
}

func TestOnlyTokensAndTenantsRevokeAtTheSiteRouter(t *testing.T) {
	w := onSQLite(t)
	const path = "/v3/site-router/tokens/revoke"
	for _, service := range []string{"tokens", "tenants"} {
		pair := w.user("dev", "ada")
		w.send("POST", path, bearing(service, w.service(service)), object{"token": pair.Access.Value}).want(t, 200, pair.Access.ID)
		w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(t, 401, "revoked")
	}
	pair := w.user("dev", "ada")
	body := object{"token": pair.Access.Value}
	w.send("POST", path, nil, body).want(t, 401, "")
	w.send("POST", path, w.basic("tokens"), body).want(t, 401, "")
	w.send("POST", path, headers{"X-Tapis-Token": w.service("tokens")}, body).want(t, 401, "")
	w.send("POST", path, bearing("files", w.service("files")), body).want(t, 403, "Only the services")
	w.send("POST", path, tokenOfUser(w.user("dev", "tokens").Access.Value), body).want(t, 403, "Only the services")
	w.send("POST", path, bearing("tokens", w.service("tokens")), object{}).want(t, 400, "token is missing")
	elsewhere := w.send("POST", "/v3/tokens", w.basic("tokens"), order("tokens", object{"target_site_id": "edge"})).access(t)
	w.send("POST", path, bearing("tokens", elsewhere), body).want(t, 401, "another site")
	foreign := w.signed(edge, "edge-admin", object{"tapis/username": "tokens"})
	w.send("POST", path, headers{"X-Tapis-Token": foreign, "X-Tapis-Tenant": "far", "X-Tapis-User": "x"}, body).want(t, 401, "")
	w.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).want(t, 200, "")
}

func TestUpstreamBugUnknownPathsBelowTokensAreHTML(t *testing.T) {
	w := onSQLite(t)
	for _, path := range []string{"/v3/tokens/", "/v3/tokens/x", "/v3/tokens/revoke/x", "/v3/site-router/tokens", "/v3/site-router"} {
		w.send("GET", path, nil, nil).want(t, 404, "no such path")
	}
	for path, method := range map[string]string{"/v3/tokens": "GET", "/v3/tokens/revoke": "PUT", checkPath: "POST"} {
		if got := w.send(method, path, nil, nil).want(t, 405, ""); got.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", path)
		}
	}
}
