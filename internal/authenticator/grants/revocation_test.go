package grants_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/testlog"
)

func (w *world) revoke(p params) reply {
	w.t.Helper()
	return w.post("dev", "/tokens/revoke", p)
}

// pair gets tokens for ada by her password.
func (w *world) pair(c clients.Client) reply {
	w.t.Helper()
	return w.token(params{"grant_type": "password", "username": "ada", "password": w.people["ada"], "scope": "openid"}.as(c)).
		want(w.t, 200, "")
}

func (w *world) direct(accountType string) tokens.Pair {
	w.t.Helper()
	pair, err := w.tokens.Issue(w.t.Context(), tokens.Request{
		Began:  1,
		Tenant: tokens.Tenant{ID: dev.ID, Issuer: dev.TokenService}, Username: "files", AccountType: accountType,
		GrantType: tokens.Direct,
		AccessTTL: time.Hour, RefreshTTL: time.Hour,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	testlog.Secret(w.t, pair.Access.Value)
	testlog.Secret(w.t, pair.Refresh.Value)
	return pair
}

func TestWhoeverHasATokenMayRevokeIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		first := w.pair(c)
		second := w.token(refreshGrant(c, first.text("refresh_token"))).want(t, 200, "")
		other := w.pair(c)
		got := w.revoke(params{"token": first.text("access_token"), "token_type_hint": "refresh_token"}).want(t, 200, "")
		jti := claims(t, first.text("access_token"))["jti"].(string)
		if got.text("message") != "Token "+jti+" has been revoked." || got.body["result"] != "" ||
			got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s", got.raw)
		}
		if w.stands(first.text("access_token")) || !w.stands(second.text("access_token")) {
			t.Error("another token than that one was revoked")
		}
		w.revoke(params{"token": first.text("access_token")}).want(t, 200, "") // again
		w.token(refreshGrant(c, first.text("refresh_token"))).want(t, 200, "")

		// A refresh token takes its family with it, as a form too.
		form := url.Values{"token": {first.text("refresh_token")}}.Encode()
		w.send("dev", "/tokens/revoke", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form).want(t, 200, "")
		if w.stands(second.text("access_token")) || !w.stands(other.text("access_token")) {
			t.Error("not just the family was revoked")
		}
		for _, token := range []string{first.text("refresh_token"), second.text("refresh_token")} {
			w.token(refreshGrant(c, token)).want(t, 400, "invalid_grant")
		}
		w.token(refreshGrant(c, other.text("refresh_token"))).want(t, 200, "")
	})
}

func TestAClientRevokesOnlyItsOwnTokens(t *testing.T) {
	w := onSQLite(t)
	mine, other, open := w.register(confidential), w.register(confidential), w.register(public)
	pair := w.pair(mine)
	question := params{"token": pair.text("access_token")}
	w.revoke(question.as(other)).want(t, 400, "unauthorized_client")
	w.revoke(question.as(open)).want(t, 400, "unauthorized_client")
	w.revoke(question.with(params{"client_id": mine.ID})).want(t, 401, "invalid_client")
	w.revoke(question.with(params{"client_id": mine.ID, "client_key": "wrong-wrong-wrong"})).want(t, 401, "invalid_client")
	if !w.stands(pair.text("access_token")) {
		t.Fatal("it was revoked")
	}
	w.revoke(question.as(mine)).want(t, 200, "")
	if w.stands(pair.text("access_token")) {
		t.Error("it stands")
	}
	ofOpen := w.pair(open)
	w.revoke(params{"token": ofOpen.text("refresh_token")}.as(open)).want(t, 200, "")
	if w.stands(ofOpen.text("access_token")) {
		t.Error("it stands")
	}
}

func TestWhatIsNoTokenOfTheTenantIsNothingToRevoke(t *testing.T) {
	w := onSQLite(t)
	pair := w.pair(w.register(confidential))
	w.post("lab", "/tokens/revoke", params{"token": pair.text("access_token")}).want(t, 200, "")
	w.revoke(params{"token": "garbage"}).want(t, 200, "")
	w.revoke(params{"token": pair.text("access_token")[:50]}).want(t, 200, "")
	if !w.stands(pair.text("access_token")) {
		t.Error("another tenant revoked it")
	}
	w.revoke(params{}).want(t, 400, "invalid_request")
	w.revoke(params{"token": ""}).want(t, 400, "invalid_request")
	w.send("dev", "/tokens/revoke", http.Header{"Content-Type": {"application/json"}}, "").want(t, 400, "invalid_request")
	w.send("dev", "/tokens/revoke?token=x", http.Header{"Content-Type": {"application/json"}}, `{}`).want(t, 400, "invalid_request")
	w.advance(5 * time.Hour)
	w.revoke(params{"token": pair.text("access_token")}).want(t, 200, "") // expired
}

func TestATenantMayHaveNothingToRevokeCountAsAnError(t *testing.T) {
	w := onSQLite(t)
	pair, other := w.pair(w.register(confidential)), w.pair(w.register(confidential))
	w.fixture.Configure(dev.ID, `{"strict_revoke":true}`)
	w.revoke(params{"token": "garbage"}).want(t, 400, "invalid_request")
	w.revoke(params{"token": pair.text("access_token")[:50]}).want(t, 400, "invalid_request")
	for range 2 { // a second time is no error anywhere
		w.revoke(params{"token": pair.text("access_token")}).want(t, 200, "")
	}
	w.advance(5 * time.Hour)
	if got := w.revoke(params{"token": other.text("access_token")}).
		want(t, 400, "invalid_request"); !strings.Contains(got.text("message"), "expired") {
		t.Errorf("%s", got.raw)
	}
	w.post("lab", "/tokens/revoke", params{"token": "garbage"}).want(t, 200, "") // another tenant
}

func TestTokensOfServicesAreNotRevokedHere(t *testing.T) {
	w := onSQLite(t)
	service, person := w.direct(authn.ServiceAccount), w.direct(authn.UserAccount)
	for _, token := range []string{service.Access.Value, service.Refresh.Value} {
		w.revoke(params{"token": token}).want(t, 403, "access_denied")
	}
	w.revoke(params{"token": person.Access.Value}).want(t, 200, "")
	if !w.stands(service.Access.Value) || w.stands(person.Access.Value) {
		t.Error("the wrong one was revoked")
	}
}

func (w *world) inspect(host string, h http.Header, p url.Values) reply {
	w.t.Helper()
	all := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for k, v := range h {
		all[k] = v
	}
	return w.send(host, "/tokens/introspect", all, p.Encode())
}

func basic(c clients.Client) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.Key))}}
}

func TestAClientIntrospectsItsOwnTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mine, other, open := w.register(confidential), w.register(confidential), w.register(public)
		pair := w.pair(mine)
		ask := func(c clients.Client, token string) map[string]any {
			t.Helper()
			got := w.inspect("dev", basic(c), url.Values{"token": {token}}).want(t, 200, "")
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", got.header)
			}
			return got.body
		}
		cl := claims(t, pair.text("access_token"))
		want := map[string]any{
			"active": true, "scope": "openid", "client_id": mine.ID, "username": "ada", "token_type": "Bearer", "exp": cl["exp"],
			"sub": "ada@dev",
			"iss": dev.TokenService, "jti": cl["jti"], "tapis/tenant_id": "dev", "tapis/token_type": "access",
			"tapis/account_type": "user",
			"tapis/grant_type":   "password",
		}
		if got := ask(mine, pair.text("access_token")); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
		if got := ask(mine, pair.text("refresh_token")); got["active"] != true || got["tapis/token_type"] != "refresh" ||
			got["token_type"] != nil ||
			got["tapis/account_type"] != "user" {
			t.Errorf("got %v", got)
		}
		nothing := map[string]any{"active": false}
		ofOpen := w.pair(open)
		for name, got := range map[string]map[string]any{
			"of another":   ask(other, pair.text("access_token")),
			"of a public":  ask(mine, ofOpen.text("access_token")),
			"of no client": ask(mine, w.direct(authn.UserAccount).Access.Value),
			"garbage":      ask(mine, "garbage"),
			"cut":          ask(mine, pair.text("access_token")[:100]),
		} {
			if !reflect.DeepEqual(got, nothing) {
				t.Errorf("%s: %v", name, got)
			}
		}
		w.revoke(params{"token": pair.text("access_token")}).want(t, 200, "")
		if got := ask(mine, pair.text("access_token")); !reflect.DeepEqual(got, nothing) {
			t.Errorf("revoked: %v", got)
		}
		w.advance(400 * 24 * time.Hour)
		if got := ask(mine, pair.text("refresh_token")); !reflect.DeepEqual(got, nothing) {
			t.Errorf("expired: %v", got)
		}

		w.inspect("dev", nil, url.Values{"token": {"x"}}).want(t, 401, "invalid_client")
		w.inspect("dev", nil, url.Values{"token": {"x"}, "client_id": {open.ID}}).want(t, 401, "invalid_client")
		w.inspect("lab", basic(mine), url.Values{"token": {"x"}}).want(t, 401, "invalid_client")
		w.inspect("nowhere", basic(mine), url.Values{"token": {"x"}}).want(t, 404, "not_found")
		w.inspect("dev", basic(mine), url.Values{}).want(t, 400, "invalid_request")
	})
}

// A rotated refresh token is active no more.
func TestARotatedTokenIsNotActive(t *testing.T) {
	w := onSQLite(t)
	c := w.register(public)
	pair := w.pair(c)
	ask := func(token string) any {
		h := http.Header{"X-Tapis-Token": {"files"}, "X-Tapis-Tenant": {"dev"}, "X-Tapis-User": {"files"}}
		return w.inspect("dev", h, url.Values{"token": {token}}).want(t, 200, "").body["active"]
	}
	if ask(pair.text("refresh_token")) != true {
		t.Error("it is not active before")
	}
	w.token(refreshGrant(c, pair.text("refresh_token"))).want(t, 200, "")
	if ask(pair.text("refresh_token")) != false {
		t.Error("it is active after")
	}
}

func TestAServiceIntrospectsEveryTokenOfTheTenantItNames(t *testing.T) {
	w := onSQLite(t)
	pair := w.pair(w.register(public))
	service := func(tenant string) http.Header {
		return http.Header{"X-Tapis-Token": {"files"}, "X-Tapis-Tenant": {tenant}, "X-Tapis-User": {"files"}}
	}
	question := url.Values{"token": {pair.text("access_token")}}
	for _, host := range []string{"dev", "lab", "authenticator:5000"} { // inside a cluster the host says nothing
		if got := w.inspect(host, service("dev"), question).want(t, 200, ""); got.body["active"] != true ||
			got.body["username"] != "ada" {
			t.Errorf("%s: %s", host, got.raw)
		}
	}
	if got := w.inspect("dev", service("lab"), question).want(t, 200, ""); got.body["active"] != false {
		t.Errorf("in another tenant: %s", got.raw)
	}
	w.inspect("dev", service("nowhere"), question).want(t, 404, "not_found")
	// A person's token is no credential here, and a bad one none either.
	w.inspect("dev", http.Header{"X-Tapis-Token": {"ada"}}, question).want(t, 401, "invalid_client")
	w.inspect("dev", http.Header{"X-Tapis-Token": {"bad"}}, question).want(t, 401, "invalid_client")
}
