package grants_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/oauth2"
)

// What a client does for itself can never be taken for what a person did.
func TestAClientThatActsForItselfIsNobody(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		grant := params{"grant_type": "client_credentials", "scope": "openid"}
		c := w.register(clients.Registration{ID: "ada"}) // the name of a person
		w.token(grant.as(c)).want(t, 400, "unauthorized_client")

		w.allow(dev, oauth2.ClientCredentials, oauth2.RefreshToken, oauth2.Password)
		got := w.token(grant.as(c)).want(t, 200, "")
		cl := claims(t, got.text("access_token"))
		if cl["sub"] != "client:ada@dev" || cl["tapis/username"] != "client:ada" || cl["tapis/client_id"] != "ada" ||
			cl["tapis/grant_type"] != "client_credentials" || cl["tapis/account_type"] != "user" || cl["tapis/refresh_count"] != nil {
			t.Errorf("claims %v", cl)
		}
		if got.text("refresh_token") != "" || got.text("scope") != "" {
			t.Errorf("%s", got.raw)
		}
		if _, told := got.body["scope"]; !told {
			t.Error("the scope that was asked for and not granted is not told")
		}
		// A person of such a name cannot sign in.
		w.token(params{"grant_type": "password", "username": "client:portal", "password": w.people["client:portal"]}).
			want(t, 400, "invalid_grant")

		open := w.register(public)
		w.token(grant.as(open)).want(t, 400, "unauthorized_client")
		w.token(grant.with(params{"client_id": c.ID})).want(t, 401, "invalid_client")
		w.token(grant).want(t, 401, "invalid_client")
	})
}

func TestNobodyApprovesInTheNameOfAClient(t *testing.T) {
	w := onSQLite(t)
	c := w.register(confidential)
	a := w.approval(c)
	for _, name := range []string{"client:portal", "CLIENT:portal", "Service:jobs"} {
		a.Username = name
		if _, err := w.Code(t.Context(), dev, c, a); err == nil {
			t.Errorf("%s got a code", name)
		}
	}
}

// Unknown scopes are ignored, what was granted is reported, and a refresh may
// ask for less but never for more.
func TestScopes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		login := params{"grant_type": "password", "username": "ada", "password": w.people["ada"]}.as(c)
		for asked, granted := range map[string]string{
			"openid": "openid", "email openid email": "email openid", "unknown": "", " openid  PRODUCTION ": "openid",
		} {
			got := w.token(login.with(params{"scope": asked})).want(t, 200, "")
			if scope, told := got.body["scope"]; !told || scope != granted {
				t.Errorf("%q: granted %v", asked, scope)
			}
		}
		plain := w.token(login).want(t, 200, "")
		if _, told := plain.body["scope"]; told {
			t.Error("a scope where none was asked for")
		}
		full := w.token(login.with(params{"scope": "openid email"}))
		refresh := refreshGrant(c, full.text("refresh_token"))
		for asked, granted := range map[string]string{"": "openid email", "email": "email", "unknown email": "email", "unknown": ""} {
			if got := w.token(refresh.with(params{"scope": asked})).want(t, 200, ""); got.body["scope"] != granted {
				t.Errorf("refreshed with %q: granted %v", asked, got.body["scope"])
			}
		}
		w.token(refresh.with(params{"scope": "openid profile"})).want(t, 400, "invalid_scope")
		w.token(refreshGrant(c, plain.text("refresh_token")).with(params{"scope": "openid"})).want(t, 400, "invalid_scope")
		// The refresh token keeps the whole scope, whatever an access token had.
		less := w.token(refresh.with(params{"scope": "email"})).want(t, 200, "")
		if got := w.inspect("dev", basic(c), url.Values{"token": {less.text("access_token")}}); got.body["scope"] != "email" {
			t.Errorf("introspected: %s", got.raw)
		}
		if got := w.token(refreshGrant(c, less.text("refresh_token"))).want(t, 200, ""); got.body["scope"] != "openid email" {
			t.Errorf("after less: %v", got.body["scope"])
		}
	})
}

// L-05: of parallel refreshes of a public client all get the same successor,
// which is good, and the reuse after the grace ends the family.
func TestParallelRefreshesOfAPublicClientFindOneSuccessor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(public)
		first := w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, 200, "")
		refresh := refreshGrant(c, first.text("refresh_token"))
		seen := make([]string, 20)
		var group sync.WaitGroup
		for i := range seen {
			group.Go(func() { seen[i] = w.token(refresh).want(t, 200, "").text("refresh_token") })
		}
		group.Wait()
		slices.Sort(seen)
		if len(slices.Compact(slices.Clone(seen))) != 1 || seen[0] == "" {
			t.Fatal("there are several successors")
		}
		next := w.token(refreshGrant(c, seen[0])).want(t, 200, "")
		w.advance(11 * time.Second)
		w.token(refresh).want(t, 400, "invalid_grant")
		w.token(refreshGrant(c, next.text("refresh_token"))).want(t, 400, "invalid_grant")
		if w.stands(next.text("access_token")) || w.stands(first.text("access_token")) {
			t.Error("the family lives on")
		}
	})
}

// L-01: a refresh token is good for its own client, with its own secret, in
// its own tenant, and for no more than was granted.
func TestARefreshTokenIsTiedToItsClientTenantAndScope(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c, other := w.register(confidential), w.register(confidential)
		inLab := w.registerIn(lab, clients.Registration{ID: c.ID, Key: c.Key})
		refresh := refreshGrant(c, w.pair(c).text("refresh_token"))
		w.token(refresh.as(other)).want(t, 400, "invalid_grant")
		w.token(refresh.with(params{"client_key": "wrong-wrong-wrong"})).want(t, 401, "invalid_client")
		w.token(refresh.with(params{"client_key": ""})).want(t, 401, "invalid_client")
		w.token(refresh.with(params{"scope": "openid profile"})).want(t, 400, "invalid_scope")
		w.post("lab", "/tokens", refresh.as(inLab)).want(t, 400, "invalid_grant")
		w.token(refresh).want(t, 200, "")
	})
}

// L-12, L-20: every error has the status, the code, the envelope, the exact
// content type and no-store; OpenAPI checks the envelope of each.
func TestErrorsOfTheTokenEndpoints(t *testing.T) {
	w := onSQLite(t)
	c := w.register(confidential)
	for _, path := range []string{"/tokens", "/tokens/revoke", "/device/code", "/tokens/introspect"} {
		json := http.Header{"Content-Type": {"application/json"}}
		for name, test := range map[string]struct {
			header http.Header
			query  string
			body   string
			status int
			code   string
		}{
			"empty":     {header: json, status: 400, code: "invalid_request"},
			"no media":  {body: "token=x", status: 415, code: "invalid_request"},
			"no object": {header: json, body: `[]`, status: 400, code: "invalid_request"},
			"query":     {header: json, query: "?client_secret=x", body: `{}`, status: 400, code: "invalid_request"},
			"wrong client": {
				header: json, body: `{"grant_type":"refresh_token","token":"x","client_id":"x","client_key":"x"}`,
				status: 401, code: "invalid_client",
			},
			"wrong secret": {
				header: json, body: `{"grant_type":"refresh_token","token":"x","client_id":"` + c.ID + `","client_key":"x"}`,
				status: 401, code: "invalid_client",
			},
			"wrong by form": {
				header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
				body:   "grant_type=refresh_token&token=x&client_id=x&client_secret=x", status: 401, code: "invalid_client",
			},
			"not a string": {header: json, body: `{"client_id":7}`, status: 400, code: "invalid_request"},
			"twice": {
				header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, body: "client_id=x&client_id=y",
				status: 400, code: "invalid_request",
			},
			"Basic": {
				header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Basic eDp5"}},
				body:   `{"grant_type":"refresh_token","token":"x"}`, status: 401, code: "invalid_client",
			},
			"broken Basic": {
				header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Basic %%"}},
				body:   `{"grant_type":"refresh_token","token":"x"}`, status: 400, code: "invalid_request",
			},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				if test.header == nil {
					test.header = http.Header{}
				}
				got := w.send("dev", path+test.query, test.header, test.body).want(t, test.status, test.code)
				if got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" ||
					got.text("status") != "error" || got.text("error_description") == "" {
					t.Errorf("%v %s", got.header, got.raw)
				}
				challenge := strings.HasPrefix(name, "Basic")
				if (got.header.Get("WWW-Authenticate") == `Basic realm="tapis"`) != challenge {
					t.Errorf("challenge %q", got.header.Get("WWW-Authenticate"))
				}
			})
		}
	}
}
