package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// openID asks for tokens with a scope through a client, at the endpoint that
// discovery names.
func (r *running) openID(p person, c client, scope string) reply {
	r.t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {p.name}, "password": {p.password}, "scope": {scope}}
	h := c.basic()
	h["Content-Type"] = asForm
	got := r.send(http.MethodPost, p.host, "/v3/oauth2/tokens/oidc", h, form.Encode())
	for _, kind := range []string{"access_token", "refresh_token", "id_token"} {
		if value, ok := got.body[kind].(string); ok {
			secret(r.t, value)
		}
	}
	return got
}

// A-B16: the ID token is a token of its own, which go-oidc finds good by what
// discovery says, and the access token stays what Tapis services accept.
func TestAnIDTokenSaysWhoSignedInAndIsNoAccessToken(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	got := r.openID(r.ada, c, "openid profile email unknown").want(t, 200, "")
	if _, enveloped := got.body["result"]; enveloped || got.body["scope"] != "openid profile email" {
		t.Errorf("the reply is %s", got.raw)
	}
	raw, access := got.body["id_token"].(string), got.access()

	issuer := "http://" + r.ada.host + "/v3/oauth2"
	provider, err := oidc.NewProvider(context.Background(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: c.id, Now: r.clock.Now}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := verified.VerifyAccessToken(access); err != nil {
		t.Error(err)
	}
	if left := verified.Expiry.Sub(r.clock.Now()); left > time.Hour || left < 55*time.Minute {
		t.Errorf("it is good for %v", left)
	}
	said := claims(t, raw)
	half := sha256.Sum256([]byte(access))
	for name, want := range map[string]any{
		"iss": issuer, "sub": "ada@dev", "aud": c.id, "azp": c.id, "preferred_username": "ada", "name": "Test ada",
		"given_name": "Test", "family_name": "ada", "email": "ada@example.org", "email_verified": true, "tapis/tenant_id": "dev",
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
	} {
		if said[name] != want {
			t.Errorf("%s is %v, want %v", name, said[name], want)
		}
	}
	if said["tapis/token_type"] != nil || said["auth_time"] == nil {
		t.Errorf("claims %v", said)
	}
	if c := claims(t, access); c["aud"] != nil || c["nonce"] != nil || c["email"] != nil || c["iat"] != nil {
		t.Errorf("the access token says %v", c)
	}
	r.get(r.ada.host, "/v3/oauth2/userinfo", raw).want(t, 401, "invalid_token")
}

func TestClaimsFollowTheScope(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	for scope, want := range map[string][]string{
		"openid": {}, "openid profile": {"name", "given_name", "family_name"}, "openid email": {"email", "email_verified"},
	} {
		got := r.openID(r.ada, c, scope).want(t, 200, "")
		info := r.send(http.MethodPost, r.ada.host, "/v3/oauth2/userinfo/oidc", header{"Authorization": "Bearer " + got.access()}, "").
			want(t, 200, "")
		inside := claims(t, got.body["id_token"].(string))
		for place, said := range map[string]map[string]any{"the ID token": inside, "userinfo": info.body} {
			if said["sub"] != "ada@dev" {
				t.Errorf("%s, %s: sub %v", scope, place, said["sub"])
			}
			about := map[string]bool{}
			for _, name := range want {
				about[name] = true
			}
			for _, name := range []string{"name", "given_name", "family_name", "email", "email_verified"} {
				if _, there := said[name]; there != about[name] {
					t.Errorf("%s, %s: %s there: %v", scope, place, name, there)
				}
			}
		}
	}
}

func TestNoIDTokenWithoutItsScopeOrWithoutAClient(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	for name, got := range map[string]reply{
		"no scope": r.openID(r.ada, c, ""), "another scope": r.openID(r.ada, c, "profile email"),
		"no client": r.tokens(r.ada.host, nil, map[string]any{
			"grant_type": "password", "username": r.ada.name, "password": r.ada.password, "scope": "openid",
		}),
	} {
		got.want(t, 200, "")
		if _, there := got.body["id_token"]; there {
			t.Errorf("%s: an ID token", name)
		}
	}
	// Tapis clients, which know no scopes, are told what /userinfo tells them.
	info := r.get(r.ada.host, "/v3/oauth2/userinfo/oidc", r.login(r.ada)).want(t, 200, "")
	if info.body["email"] != "ada@example.org" || info.body["sub"] != "ada@dev" {
		t.Errorf("got %s", info.raw)
	}
	r.get(r.ada.host, "/v3/oauth2/userinfo/oidc", "").want(t, 401, "invalid_token")
	r.get(r.labAda.host, "/v3/oauth2/userinfo/oidc", r.login(r.ada)).want(t, 401, "invalid_token")
}

func TestARefreshKeepsSayingWhoSignedInAndWhen(t *testing.T) {
	r := start(t)
	c := r.client(r.ada)
	first := r.openID(r.ada, c, "openid email").want(t, 200, "")
	r.clock.Advance(10 * time.Minute)
	second := r.tokens(r.ada.host, c.basic(), refreshGrant(first.refresh())).want(t, 200, "")
	raw, there := second.body["id_token"].(string)
	if !there {
		t.Fatalf("no ID token: %v", second.body["scope"])
	}
	secret(t, raw)
	before, after := claims(t, first.body["id_token"].(string)), claims(t, raw)
	for _, name := range []string{"sub", "aud", "auth_time", "email"} { // OpenID Connect Core section 12.2
		if before[name] != after[name] {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	if before["iat"] == after["iat"] {
		t.Error("it is the same token again")
	}
	if inside := second.result(t)["access_token"].(map[string]any)["id_token"]; inside != raw {
		t.Error("the envelope has another ID token")
	}
}
