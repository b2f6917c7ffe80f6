package grants_test

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/testdb"
)

var (
	confidential = clients.Registration{CallbackURL: "https://portal.example.org/cb"}
	public       = clients.Registration{CallbackURL: "http://127.0.0.1/cb", AuthMethod: clients.AuthNone}
)

func TestACodeGivesTheTokensThatWereApproved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, registration := range map[string]clients.Registration{"confidential": confidential, "public": public} {
			c := w.register(registration)
			got := w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, http.StatusOK, "")
			if got.text("scope") != "openid email" || got.text("refresh_token") == "" {
				t.Errorf("%s: %s", name, got.raw)
			}
			cl := claims(t, got.text("access_token"))
			delete(cl, "jti")
			want := map[string]any{
				"iss": dev.TokenService, "sub": "ada@dev", "tapis/tenant_id": "dev", "tapis/token_type": "access",
				"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "ada", "tapis/account_type": "user",
				"tapis/client_id": c.ID, "tapis/grant_type": "authorization_code", "tapis/redirect_uri": c.CallbackURL(),
				"tapis/idp_id": "campus", "tapis/refresh_count": 0.0, "exp": float64(w.now().Add(4 * time.Hour).Unix()),
			}
			if !reflect.DeepEqual(cl, want) {
				t.Errorf("%s: claims %v\nwant %v", name, cl, want)
			}
			// What an ID token needs is carried over the refresh, and so are the claims.
			again := w.token(refreshGrant(c, got.text("refresh_token"))).want(t, http.StatusOK, "")
			cl = claims(t, again.text("access_token"))
			if again.text("scope") != "openid email" || cl["tapis/redirect_uri"] != c.CallbackURL() || cl["tapis/idp_id"] != "campus" ||
				cl["tapis/refresh_count"] != 1.0 || cl["tapis/grant_type"] != "refresh_token" {
				t.Errorf("%s: refreshed: %s %v", name, again.raw, cl)
			}
		}
	})
}

func TestTheSignInBehindATokenIsKnownAfterRefreshes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(public)
		a := w.approval(c)
		request := grants.Request{
			GrantType: "authorization_code", Credentials: &grants.Credentials{ID: c.ID}, Code: w.code(c, a),
			RedirectURI: a.RedirectURI, CodeVerifier: verifier,
		}
		want := tokens.Login{Scope: "openid email", Nonce: a.Nonce, AuthTime: a.AuthTime, AMR: a.AMR, GrantType: "authorization_code"}
		for range 3 {
			out, err := w.Exchange(t.Context(), dev, request)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(out.Request.Login, want) || out.Request.Username != "ada" || out.Request.ClientID != c.ID {
				t.Errorf("got %+v", out.Request)
			}
			request = grants.Request{GrantType: "refresh_token", Credentials: request.Credentials, RefreshToken: out.Refresh.Value}
		}
	})
}

// L-04, A-B11: of many parallel redemptions exactly one succeeds, and all of
// them together leave nothing, because the code was plainly stolen.
func TestACodeIsRedeemedOnceHoweverManyTry(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		grant := codeGrant(c, w.code(c, w.approval(c)))
		replies := make([]reply, 50)
		var group sync.WaitGroup
		for i := range replies {
			group.Go(func() { replies[i] = w.token(grant) })
		}
		group.Wait()
		var won []reply
		for _, r := range replies {
			if r.status == http.StatusOK {
				won = append(won, r)
			} else {
				r.want(t, http.StatusBadRequest, "invalid_grant")
			}
		}
		if len(won) != 1 {
			t.Fatalf("%d redemptions succeeded", len(won))
		}
		if w.stands(won[0].text("access_token")) {
			t.Error("the access token survived the reuse")
		}
		w.token(refreshGrant(c, won[0].text("refresh_token"))).want(t, http.StatusBadRequest, "invalid_grant")
	})
}

func TestReuseOfACodeRevokesWhatItGave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		grant := codeGrant(c, w.code(c, w.approval(c)))
		first := w.token(grant).want(t, http.StatusOK, "")
		refreshed := w.token(refreshGrant(c, first.text("refresh_token"))).want(t, http.StatusOK, "")
		other := w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, http.StatusOK, "")
		w.advance(time.Hour) // long after the code expired
		w.token(grant).want(t, http.StatusBadRequest, "invalid_grant")
		for name, r := range map[string]reply{"first": first, "refreshed": refreshed} {
			if w.stands(r.text("access_token")) {
				t.Errorf("the %s access token survived", name)
			}
			w.token(refreshGrant(c, r.text("refresh_token"))).want(t, http.StatusBadRequest, "invalid_grant")
		}
		if !w.stands(other.text("access_token")) {
			t.Error("the tokens of another code went with it")
		}
	})
}

// Somebody else who presents a used code is only refused.
func TestAnotherClientCannotRevokeByPresentingACode(t *testing.T) {
	w := onSQLite(t)
	c, other := w.register(confidential), w.register(confidential)
	grant := codeGrant(c, w.code(c, w.approval(c)))
	got := w.token(grant).want(t, http.StatusOK, "")
	w.token(grant.as(other)).want(t, http.StatusBadRequest, "invalid_grant")
	if !w.stands(got.text("access_token")) {
		t.Error("another client revoked the tokens")
	}
}

// L-11: whatever is wrong costs the code, so that it cannot be tried again.
func TestACodeThatMeetsAnErrorIsBurnt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(public)
		for name, change := range map[string]params{
			"wrong verifier":      {"code_verifier": strings.Repeat("x", 43)},
			"missing verifier":    {"code_verifier": ""},
			"wrong redirect":      {"redirect_uri": "http://127.0.0.1/other"},
			"missing redirect":    {"redirect_uri": ""},
			"another port":        {"redirect_uri": "http://127.0.0.1:8080/cb"},
			"challenge, not hash": {"code_verifier": challenge},
		} {
			grant := codeGrant(c, w.code(c, w.approval(c)))
			if got := w.token(grant.with(change)); got.status != http.StatusBadRequest || got.text("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", name, got.status, got.raw)
			}
			if got := w.token(grant); got.status != http.StatusBadRequest {
				t.Errorf("%s: the code was good a second time", name)
			}
		}
	})
}

// L-09, L-10: PKCE by S256 or not at all, and never less than was begun with.
func TestCodeVerifiersAreChecked(t *testing.T) {
	w := onSQLite(t)
	with := func(r clients.Registration, challenge string) (clients.Client, func(verifier string) reply) {
		c := w.register(r)
		return c, func(verifier string) reply {
			a := w.approval(c)
			a.CodeChallenge = challenge
			return w.token(codeGrant(c, w.code(c, a)).with(params{"code_verifier": verifier}))
		}
	}
	long := strings.Repeat("aZ09-._~", 16)
	_, exchange := with(confidential, challenge)
	exchange(verifier).want(t, 200, "")
	exchange("").want(t, 400, "invalid_grant")
	exchange(verifier[:42]+"x").want(t, 400, "invalid_grant")
	exchange(long).want(t, 400, "invalid_grant")
	for _, malformed := range []string{
		verifier[:42], long + "x", verifier + "=", verifier + "+", verifier + " ",
		verifier[:42] + "é",
	} {
		exchange(malformed).want(t, 400, "invalid_request")
	}
	// A verifier without a challenge: somebody took the challenge away.
	_, exchange = with(confidential, "")
	exchange(verifier).want(t, 400, "invalid_grant")
	exchange("").want(t, 200, "")
}

func TestChallengesAreS256AndNeededOfPublicClients(t *testing.T) {
	secret, open := clients.Client{AuthMethod: clients.AuthSecret}, clients.Client{AuthMethod: clients.AuthNone}
	for _, test := range []struct {
		client            clients.Client
		challenge, method string
		good              bool
	}{
		{secret, "", "", true},
		{secret, challenge, "S256", true},
		{open, challenge, "S256", true},
		{open, "", "", false},
		{open, "", "S256", false},
		{secret, "", "S256", false},
		{secret, "", "plain", false},
		{secret, challenge, "", false},
		{secret, challenge, "plain", false},
		{secret, challenge, "s256", false},
		{secret, challenge + "=", "S256", false},
		{secret, challenge[:42], "S256", false},
		{secret, strings.Repeat("x", 128), "S256", false},
		{secret, challenge[:42] + "~", "S256", false},
	} {
		if err := grants.CheckChallenge(test.client, test.challenge, test.method); (err == nil) != test.good {
			t.Errorf("%q %q, public %t: %v", test.challenge, test.method, test.client.Public(), err)
		}
	}
	w := onSQLite(t)
	c := w.register(public)
	a := w.approval(c)
	a.CodeChallenge = ""
	if code, err := w.Code(t.Context(), dev, c, a); !apierr.Is(err, apierr.Invalid) || code != "" {
		t.Errorf("a public client got a code without a challenge: %v", err)
	}
}

// A redirect URI that was left out may be left out again, or be the one that
// is registered.
func TestARedirectURIMayBeLeftOutWhenThereIsOnlyOne(t *testing.T) {
	w := onSQLite(t)
	one := w.register(confidential)
	for sent, code := range map[string]string{"": "", one.CallbackURL(): "", "https://portal.example.org/": "invalid_grant"} {
		a := w.approval(one)
		a.RedirectURI = ""
		got := w.token(codeGrant(one, w.code(one, a)).with(params{"redirect_uri": sent}))
		if got.text("error") != code {
			t.Errorf("%q: %s", sent, got.raw)
		}
		if code == "" && claims(t, got.text("access_token"))["tapis/redirect_uri"] != one.CallbackURL() {
			t.Errorf("%q: the claim is missing", sent)
		}
	}
	for name, r := range map[string]clients.Registration{
		"several": {RedirectURIs: []string{"https://a.example.org/", "https://b.example.org/"}}, "none": {},
	} {
		c := w.register(r)
		a := w.approval(c)
		a.RedirectURI = ""
		if _, err := w.Code(t.Context(), dev, c, a); !apierr.Is(err, apierr.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACodeEndsInTimeAndWithItsClientOrRedirectURI(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		late := codeGrant(c, w.code(c, w.approval(c)))
		intime := codeGrant(c, w.code(c, w.approval(c)))
		w.advance(codes.Lifetime - time.Microsecond)
		w.token(intime).want(t, 200, "")
		w.advance(time.Microsecond)
		w.token(late).want(t, 400, "invalid_grant")

		moved := codeGrant(c, w.code(c, w.approval(c)))
		elsewhere := "https://elsewhere.example.org/cb"
		if _, err := w.clients.Update(t.Context(), "dev", "ada", c.ID, clients.Change{CallbackURL: &elsewhere}, false); err != nil {
			t.Fatal(err)
		}
		w.token(moved).want(t, 400, "invalid_grant")

		gone := w.register(confidential)
		grant := codeGrant(gone, w.code(gone, w.approval(gone)))
		if err := w.clients.Deactivate(t.Context(), "dev", "ada", gone.ID); err != nil {
			t.Fatal(err)
		}
		w.token(grant).want(t, 401, "invalid_client")
	})
}

func TestACodeIsGoodInItsTenantOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := clients.Registration{ID: "portal", Key: "one-key-in-two-tenants", CallbackURL: "https://portal.example.org/cb"}
		inDev, inLab := w.registerIn(dev, r), w.registerIn(lab, r)
		grant := codeGrant(inDev, w.code(inDev, w.approval(inDev)))
		w.post("lab", "/tokens", grant).want(t, 400, "invalid_grant")
		got := w.token(grant).want(t, 200, "")
		if sub := claims(t, got.text("access_token"))["sub"]; sub != "ada@dev" {
			t.Errorf("sub %v", sub)
		}
		// An approval of one tenant never becomes a code of another.
		if _, err := w.Code(t.Context(), lab, inLab, w.approval(inDev)); !apierr.Is(err, apierr.Internal) {
			t.Errorf("got %v", err)
		}
		if _, err := w.Code(t.Context(), lab, inDev, w.approval(inDev)); !apierr.Is(err, apierr.Internal) {
			t.Errorf("got %v", err)
		}
	})
}

// Consume, then sign, then insert: a failure between costs another sign-in
// and leaves nothing behind.
func TestAFailureAfterTheCodeWasConsumedMintsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(confidential)
		grant := codeGrant(c, w.code(c, w.approval(c)))
		rename := func(from, to string) {
			if err := w.db.Conn(t.Context()).Exec("ALTER TABLE " + from + " RENAME TO " + to).Error; err != nil {
				t.Fatal(err)
			}
		}
		rename("issued_tokens", "away")
		w.token(grant).want(t, 503, "temporarily_unavailable")
		rename("away", "issued_tokens")
		var recorded int
		if err := w.db.Conn(t.Context()).Raw(`SELECT COUNT(*) FROM issued_tokens`).Scan(&recorded).Error; err != nil || recorded != 0 {
			t.Errorf("%d tokens are recorded, %v", recorded, err)
		}
		w.token(grant).want(t, 400, "invalid_grant")
		w.token(codeGrant(c, w.code(c, w.approval(c)))).want(t, 200, "")
	})
}

// A-B27: the token of the implicit grant names its redirect URI, is recorded,
// and has no refresh token beside it.
func TestAnImplicitTokenIsRecordedAndNamesItsRedirectURI(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.allow(dev, oauth2.Implicit, oauth2.RefreshToken)
		c := w.register(public)
		a := w.approval(c)
		a.CodeChallenge = ""
		out, err := w.Implicit(t.Context(), dev, c, a)
		if err != nil {
			t.Fatal(err)
		}
		cl := claims(t, out.Access.Value)
		if out.Refresh != nil || cl["tapis/grant_type"] != "implicit" || cl["tapis/redirect_uri"] != c.CallbackURL() ||
			cl["tapis/idp_id"] != "campus" || cl["sub"] != "ada@dev" || cl["tapis/refresh_count"] != nil {
			t.Errorf("claims %v", cl)
		}
		if !w.stands(out.Access.Value) || out.Request.Scope() != "openid email" {
			t.Errorf("%+v", out.Request)
		}
		// Not at the token endpoint.
		w.token(params{"grant_type": "implicit"}.as(c)).want(t, 400, "unsupported_grant_type")
	})
}

func TestTenantsAndClientsChooseTheirGrants(t *testing.T) {
	w := onSQLite(t)
	all, one := w.register(confidential), w.register(clients.Registration{
		GrantTypes:  []string{"authorization_code"},
		CallbackURL: "https://a.example.org/",
	})
	w.allow(lab, oauth2.Password)
	for _, test := range []struct {
		in        registryclient.Tenant
		client    clients.Client
		grantType string
		permitted bool
	}{
		{dev, all, "authorization_code", true},
		{dev, all, "device_code", true},
		{dev, all, "implicit", false},
		{dev, all, "client_credentials", false},
		{dev, one, "authorization_code", true},
		{dev, one, "device_code", false},
		{lab, all, "authorization_code", false},
		{lab, all, "password", true},
		{admin, all, "authorization_code", false},
	} {
		err := w.Permits(t.Context(), test.in, test.client, test.grantType)
		if test.permitted != (err == nil) || (err != nil && apierr.From(err).Code != "unauthorized_client") {
			t.Errorf("%s in %s: %v", test.grantType, test.in.ID, err)
		}
	}
	unknown := clients.Client{TenantID: "lab", ID: "x"}
	if _, err := w.Code(t.Context(), lab, unknown, codes.Approval{}); apierr.From(err).Code != "unauthorized_client" {
		t.Errorf("a code: %v", err)
	}
	// A client that may not refresh gets no refresh token.
	got := w.token(codeGrant(one, w.code(one, w.approval(one)))).want(t, 200, "")
	if got.text("refresh_token") != "" {
		t.Error("a refresh token that could not be used")
	}
	w.token(params{"grant_type": "password", "username": "ada", "password": w.people["ada"]}.as(one)).
		want(t, 400, "unauthorized_client")
}

// L-17: what is in the database is of no use to whoever steals it.
func TestNoCodeIsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.register(public)
		code := w.code(c, w.approval(c))
		dump := testdb.Dump(t, w.db)
		if strings.Contains(dump, code) || !strings.Contains(dump, c.ID) {
			t.Error("the code is stored, or this test sees nothing")
		}
	})
}
