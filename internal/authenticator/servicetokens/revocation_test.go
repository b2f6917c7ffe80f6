package servicetokens_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient/registrytest"
)

const checkPath = "/v3/site-router/tokens/check"

func TestWhoeverHoldsATokenMayRevokeIt(t *testing.T) {
	each(t, func(f *fixture) {
		pair := f.User("dev", "ada")
		f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(200, "")
		for range 2 { // revoking twice is no error
			got := f.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).Want(200, pair.Access.ID)
			if got.Body["result"] != "" {
				f.T.Errorf("result %v", got.Body["result"])
			}
		}
		f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(401, "revoked")
		// A token of a person alone does not end what it was refreshed from.
		other := f.User("dev", "ada")
		f.send("POST", "/v3/tokens/revoke", tokenOfUser(pair.Access.Value), object{"token": other.Refresh.Value}).Want(
			200, other.Refresh.ID)
		f.send("GET", checkPath, tokenOfUser(other.Access.Value), nil).Want(401, "revoked")
	})
}

func TestWhatCannotBeRevokedIsSaid(t *testing.T) {
	f := onSQLite(t)
	pair := f.User("dev", "ada")
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
		{object{"token": f.Signed("far", nil)}, "not a token of this site"},
		{object{"token": f.Signed("dev", object{"tapis/tenant_id": "nowhere"})}, "not a token of this site"},
		{object{"token": f.Signed("dev", object{"tapis/tenant_id": "tacc"})}, "not a token of this site"},
	} {
		f.send("POST", "/v3/tokens/revoke", nil, c.body).Want(400, c.text)
	}
	f.Clock.Advance(48 * time.Hour)
	for _, raw := range []string{pair.Access.Value, pair.Refresh.Value} {
		f.send("POST", "/v3/tokens/revoke", nil, object{"token": raw}).Want(400, "expired")
	}
}

func TestUpstreamBugALostRevocationIsReportedAsTheCallersFault(t *testing.T) {
	f := onSQLite(t)
	pair := f.User("dev", "ada")
	if err := f.DB.Close(); err != nil {
		t.Fatal(err)
	}
	f.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).Want(503, "database")
	f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(503, "database")
}

// Upstream answers 400 at the check, which nginx makes a 500, and does not
// check at all where a request has X-Tapis-User.
func TestUpstreamBugTheCheckIsBypassedByAHeader(t *testing.T) {
	each(t, func(f *fixture) {
		service := f.service("files")
		h := bearing("files", service)
		f.send("GET", checkPath, h, nil).Want(200, "")
		f.send("POST", "/v3/tokens/revoke", h, object{"token": service}).Want(200, "")
		got := f.send("GET", checkPath, h, nil).Want(401, "revoked")
		if got.Header.Get("WWW-Authenticate") == "" || got.Body["status"] != "error" {
			f.T.Errorf("got %s with %v", got.Raw, got.Header)
		}
		f.send("GET", checkPath, headers{"X-Tapis-Token": service, "X-Tapis-User": "x"}, nil).Want(401, "revoked")
		pair := f.User("dev", "ada")
		f.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).Want(200, "")
		f.send("GET", checkPath, headers{"X-Tapis-Token": pair.Access.Value, "X-Tapis-User": "ada"}, nil).Want(401, "revoked")
	})
}

// nginx makes a 500 of every answer to its question that it does not know.
func TestTheCheckAnswers401WhateverOldToolingWants(t *testing.T) {
	f := onSQLite(t)
	pair := f.User("dev", "ada")
	f.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Access.Value}).Want(200, "")
	f.serve(httpapi.Options{LegacyErrorCodes: true}, authtest.Callers{}.Check)
	got := f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(401, "revoked")
	if got.Body["error"] != "invalid_token" {
		t.Errorf("got %s", got.Raw)
	}
}

func TestTheCheckSaysNothingAgainstWhatIsNotItsOwn(t *testing.T) {
	f := onSQLite(t)
	pair := f.User("dev", "ada")
	for name, h := range map[string]headers{
		"no token":                {},
		"only OBO headers":        {"X-Tapis-Tenant": "dev", "X-Tapis-User": "ada"},
		"a token of another site": {"X-Tapis-Token": f.Signed("far", nil)},
		"another scheme's header": {"Authorization": "Basic eDp5"},
		"a good token":            tokenOfUser(pair.Access.Value),
		"a service for elsewhere": tokenOfUser(f.send("POST", "/v3/tokens", f.basic("files"),
			forService("files", object{"target_site_id": "edge"})).Need(accessToken...)),
		"a token and OBO headers":  bearing("files", f.service("files")),
		"a refresh token":          {"Authorization": "Bearer " + pair.Refresh.Value},
		"one token by two headers": {"X-Tapis-Token": pair.Access.Value, "Authorization": "bearer " + pair.Access.Value},
		"a token at any host name": {"X-Tapis-Token": pair.Access.Value, "X-Forwarded-Host": "far.tapis.io"},
	} {
		if got := f.send("GET", checkPath, h, nil); got.Status != 200 || got.Body["result"] != "" {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
	f.Clock.Advance(2 * time.Hour)
	f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(200, "") // expired; whoever needs a token refuses it
}

func TestTheCheckRefusesWhatIsNoTokenThatStands(t *testing.T) {
	f := onSQLite(t)
	pair := f.User("dev", "ada")
	for name, raw := range map[string]string{
		"a word":      "token",
		"three words": "a.b.c",
		"forged": pair.Access.Value[:strings.LastIndexByte(pair.Access.Value, '.')] +
			pair.Refresh.Value[strings.LastIndexByte(pair.Refresh.Value, '.'):],
		"of a tenant that is not":    f.Signed("dev", object{"tapis/tenant_id": "nowhere"}),
		"of a tenant that is closed": f.Signed("draft", nil),
		"never recorded":             f.Signed("dev", object{"tapis/account_type": authn.UserAccount}),
		"another tenant's key":       f.Signed("dev", object{"tapis/tenant_id": "tacc", "iss": registrytest.Issuer("tacc")}),
	} {
		if got := f.send("GET", checkPath, tokenOfUser(raw), nil); got.Status != 401 {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
}

func TestOnlyTokensAndTenantsRevokeAtTheSiteRouter(t *testing.T) {
	f := onSQLite(t)
	const path = "/v3/site-router/tokens/revoke"
	for _, service := range []string{"tokens", "tenants"} {
		pair := f.User("dev", "ada")
		f.send("POST", path, bearing(service, f.service(service)), object{"token": pair.Access.Value}).Want(200, pair.Access.ID)
		f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(401, "revoked")
	}
	pair := f.User("dev", "ada")
	body := object{"token": pair.Access.Value}
	f.send("POST", path, nil, body).Want(401, "")
	f.send("POST", path, f.basic("tokens"), body).Want(401, "")
	f.send("POST", path, headers{"X-Tapis-Token": f.service("tokens")}, body).Want(401, "")
	f.send("POST", path, bearing("files", f.service("files")), body).Want(403, "Only the services")
	f.send("POST", path, tokenOfUser(f.User("dev", "tokens").Access.Value), body).Want(403, "Only the services")
	f.send("POST", path, bearing("tokens", f.service("tokens")), object{}).Want(400, "token is missing")
	elsewhere := f.send("POST", "/v3/tokens", f.basic("tokens"), forService("tokens", object{"target_site_id": "edge"})).Need(
		accessToken...)
	f.send("POST", path, bearing("tokens", elsewhere), body).Want(401, "another site")
	foreign := f.Signed("edge-admin", object{"tapis/username": "tokens"})
	f.send("POST", path, headers{"X-Tapis-Token": foreign, "X-Tapis-Tenant": "far", "X-Tapis-User": "x"}, body).Want(401, "")
	f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(200, "")
}

func TestUpstreamBugUnknownPathsBelowTokensAreHTML(t *testing.T) {
	f := onSQLite(t)
	for _, path := range []string{
		"/v3/tokens/", "/v3/tokens/x", "/v3/tokens/revoke/x", "/v3/site-router/tokens",
		"/v3/site-router",
	} {
		f.send("GET", path, nil, nil).Want(404, "no such path")
	}
	for path, method := range map[string]string{"/v3/tokens": "GET", "/v3/tokens/revoke": "PUT", checkPath: "POST"} {
		if got := f.send(method, path, nil, nil).Want(405, ""); got.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", path)
		}
	}
}

// The identity of a request is told only where it is known for certain: a proxy
// hands it on to services that check nothing themselves.
func TestTheCheckTellsWhoseATokenIsThatStands(t *testing.T) {
	each(t, func(f *fixture) {
		pair, service := f.User("dev", "ada"), f.service("files")
		identity := func(r authtest.Reply) string {
			return strings.Join([]string{
				r.Header.Get("X-Tapis-Token-User"), r.Header.Get("X-Tapis-Token-Tenant"),
				r.Header.Get("X-Tapis-Token-Account-Type"), r.Header.Get("X-Tapis-Token-Id"),
			}, " ")
		}
		known := map[string]headers{
			"dev user " + pair.Access.ID: tokenOfUser(pair.Access.Value), "Bearer": {"Authorization": "Bearer " + pair.Access.Value},
		}
		for name, h := range known {
			h["X-Tapis-Token-User"], h["X-Tapis-User"] = "root", "root" // from outside
			for _, path := range []string{checkPath, checkPath + "?require=1"} {
				if got := identity(f.send("GET", path, h, nil).Want(200, "")); got != "ada dev user "+pair.Access.ID {
					f.T.Errorf("%s: %s", name, got)
				}
			}
		}
		if got := identity(f.send("GET", checkPath, bearing("files", service), nil).Want(200, "")); !strings.HasPrefix(
			got, "files admin service ") {
			f.T.Errorf("a service: %s", got)
		}
		unknown := map[string]headers{
			"nobody": {}, "a refresh token": tokenOfUser(pair.Refresh.Value), "another site's": tokenOfUser(f.Signed("far", nil)),
			"another scheme": {"Authorization": "Basic eDp5"},
		}
		for name, h := range unknown {
			if got := identity(f.send("GET", checkPath, h, nil).Want(200, "")); strings.TrimSpace(got) != "" {
				f.T.Errorf("%s is told to be %s", name, got)
			}
			f.send("GET", checkPath+"?require=1", h, nil).Want(401, "invalid_token")
		}
		f.Clock.Advance(2 * time.Hour)
		if got := identity(f.send("GET", checkPath, tokenOfUser(pair.Access.Value), nil).Want(200, "")); strings.TrimSpace(got) != "" {
			f.T.Errorf("expired, it is told to be %s", got)
		}
		f.send("GET", checkPath+"?require=1", tokenOfUser(pair.Access.Value), nil).Want(401, "")
	})
}

// Which of two credentials is read behind the proxy is anybody's guess.
func TestTheCheckRefusesTwoCredentials(t *testing.T) {
	f := onSQLite(t)
	good, other := f.User("dev", "ada").Access.Value, f.User("dev", "bob").Access.Value
	for name, h := range map[string]http.Header{
		"two of one kind":       {"X-Tapis-Token": {good, good}},
		"two by Authorization":  {"Authorization": {"Bearer " + good, "Bearer " + good}},
		"Basic and Bearer":      {"Authorization": {"Basic eDp5", "Bearer " + good}},
		"two that differ":       {"X-Tapis-Token": {good}, "Authorization": {"Bearer " + other}},
		"an empty one of three": {"X-Tapis-Token": {"", good}},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, checkPath, nil)
		r.Header = h
		w := httptest.NewRecorder()
		f.server.Handler.ServeHTTP(w, r)
		if w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// A revoked token is stopped however it is sent, a refresh token too.
func TestTheCheckRefusesARevokedTokenAsBearer(t *testing.T) {
	f := onSQLite(t)
	pair := f.User("dev", "ada")
	f.send("POST", "/v3/tokens/revoke", nil, object{"token": pair.Refresh.Value}).Want(200, "")
	f.send("GET", checkPath, headers{"Authorization": "Bearer " + pair.Refresh.Value}, nil).Want(401, "revoked")
	f.send("GET", checkPath, headers{"Authorization": "Bearer " + pair.Access.Value}, nil).Want(401, "revoked")
}
