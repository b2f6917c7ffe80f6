package servicetokens_test

import (
	"strings"
	"testing"
	"time"
)

func TestARefreshKeepsClaimsAndLifetimes(t *testing.T) {
	each(t, func(w *world) {
		w.grant("admin", "portal", "admin_token_generator")
		portal := bearing("portal", w.service("portal"))
		body := forUser(object{
			"access_token_ttl": 14400, "refresh_token_ttl": 7776000, "generate_refresh_token": true,
			"claims": object{"project": object{"id": 9007199254740993}, "email": "ada@example.org"}, "target_site_id": "edge",
		})
		first := w.send("POST", "/v3/tokens", portal, body)
		before, raw := claims(w.t, first.access(w.t)), first.refresh(w.t)
		w.advance(24 * time.Hour)
		for range 3 { // each time with the newest
			got := w.send("PUT", "/v3/tokens", nil, object{"refresh_token": raw})
			wantTTL(w.t, got, 14400, 7776000)
			after := claims(w.t, got.access(w.t))
			if before["jti"] == after["jti"] || after["exp"] != float64(w.now().Unix()+14400) {
				w.t.Errorf("jti %v, exp %v", after["jti"], after["exp"])
			}
			after["jti"], after["exp"] = before["jti"], before["exp"]
			same(w.t, after, before)
			if strings.Contains(got.refresh(w.t), raw) {
				w.t.Error("the refresh token is the old one")
			}
			raw = got.refresh(w.t)
			w.advance(24 * time.Hour)
		}
		// The first stays good: processes of one service share it.
		w.send("PUT", "/v3/tokens", nil, object{"refresh_token": first.refresh(w.t)}).want(w.t, 200, "refresh")
	})
}

// Service SDKs send what they have with every request.
func TestARefreshIgnoresAStaleTokenInTheHeader(t *testing.T) {
	w := onSQLite(t)
	got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", object{"access_token_ttl": 60}))
	access, refresh := got.access(t), got.refresh(t)
	w.advance(time.Hour)
	for _, h := range []headers{bearing("files", access), bearing("files", "x"), {"Authorization": "Bearer x", "X-Tapis-Token": "y"}, w.basic("files")} {
		w.send("PUT", "/v3/tokens", h, object{"refresh_token": refresh, "more": true}).want(t, 200, "")
	}
}

func TestUpstreamBugARefreshWithTheWrongTokenIsAnInternalError(t *testing.T) {
	w := onSQLite(t)
	got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil))
	access, refresh := got.access(t), got.refresh(t)
	for _, c := range []struct {
		body   any
		status int
		text   string
	}{
		{object{"refresh_token": access}, 400, "not a refresh token"},
		{object{}, 400, "refresh_token is missing"},
		{object{"refresh_token": nil}, 400, "refresh_token is missing"},
		{object{"refresh_token": 7}, 400, "refresh_token"},
		{"", 400, "empty"},
		{"[]", 400, "object"},
		{object{"refresh_token": "token"}, 400, "not a token"},
		{object{"refresh_token": "a.b.c"}, 400, "not a token"},
		{object{"refresh_token": w.signed(edge, "far", object{"tapis/token_type": "refresh"})}, 400, "another site"},
		{object{"refresh_token": w.signed(signing, "dev", object{"tapis/tenant_id": "nowhere"})}, 401, "no active tenant"},
		{object{"refresh_token": w.signed(signing, "dev", object{"tapis/tenant_id": "admin"})}, 401, "not valid"},
		{object{"refresh_token": w.signed(signing, "admin", object{"tapis/token_type": "refresh"})}, 401, "revoked"},
		{object{"refresh_token": refresh[:len(refresh)-1]}, 401, "not valid"},
		{object{"refresh_token": refresh + "x"}, 401, "not valid"},
	} {
		got := w.send("PUT", "/v3/tokens", nil, c.body).want(t, c.status, c.text)
		if c.status == 401 && got.header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 without a challenge")
		}
	}
}

func TestUpstreamBugARevokedRefreshTokenRefreshes(t *testing.T) {
	each(t, func(w *world) {
		got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil))
		access, refresh := got.access(w.t), got.refresh(w.t)
		second := w.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh})
		w.send("POST", "/v3/tokens/revoke", nil, object{"token": refresh}).want(w.t, 200, "")
		for _, raw := range []string{refresh, second.refresh(w.t)} {
			w.send("PUT", "/v3/tokens", nil, object{"refresh_token": raw}).want(w.t, 401, "revoked")
		}
		for _, raw := range []string{access, second.access(w.t)} {
			w.send("POST", "/v3/tokens", bearing("files", raw), order("files", nil)).want(w.t, 401, "revoked")
		}
		w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).want(w.t, 200, "") // the service goes on
	})
}

func TestARefreshTokenOfAnOAuthClientIsNotRefreshedWithoutTheClient(t *testing.T) {
	each(t, func(w *world) {
		pair := w.user("dev", "ada")
		w.send("PUT", "/v3/tokens", nil, object{"refresh_token": pair.Refresh.Value}).want(w.t, 400, "OAuth")
	})
}

func TestARefreshAsksWhetherItsSubjectMayStillHaveTokens(t *testing.T) {
	each(t, func(w *world) {
		ofService := w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).refresh(w.t)
		portal := bearing("portal", w.service("portal"))
		ofUser := w.send("POST", "/v3/tokens", portal, forUser(object{"generate_refresh_token": true, "refresh_token_ttl": 86400})).refresh(w.t)
		if err := w.db.Conn(w.t.Context()).Exec(`DELETE FROM service_passwords WHERE service = 'files'`).Error; err != nil {
			w.t.Fatal(err)
		}
		w.send("PUT", "/v3/tokens", nil, object{"refresh_token": ofService}).want(w.t, 401, "cannot have tokens")
		// The tenant's longest lifetimes hold for old refresh tokens too.
		w.limit(100, 3600)
		wantTTL(w.t, w.send("PUT", "/v3/tokens", nil, object{"refresh_token": ofUser}), 100, 3600)
		if err := w.tokens.RevokeUser(w.t.Context(), "dev", "ada"); err != nil {
			w.t.Fatal(err)
		}
		w.send("PUT", "/v3/tokens", nil, object{"refresh_token": ofUser}).want(w.t, 401, "revoked")
	})
}

func TestUpstreamBugTokensOfAnInactiveTenantAreRefreshed(t *testing.T) {
	w := onSQLite(t)
	portal := bearing("portal", w.service("portal"))
	refresh := w.send("POST", "/v3/tokens", portal, forUser(object{"generate_refresh_token": true})).refresh(t)
	w.status["dev"] = "INACTIVE"
	if err := w.view.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).want(t, 401, "no active tenant")
	w.send("POST", "/v3/tokens", portal, forUser(nil)).want(t, 400, "token_tenant_id")
}

// A person's tokens end for good with the tenant's longest refresh lifetime;
// a service's are refreshed for as long as it runs.
func TestUpstreamBugLifetimesRenewForEver(t *testing.T) {
	w := onSQLite(t)
	const day = 86400
	refresh := w.send("POST", "/v3/tokens", bearing("portal", w.service("portal")),
		forUser(object{"generate_refresh_token": true, "refresh_token_ttl": 300 * day})).refresh(t)
	service := w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).refresh(t)
	for range 2 {
		w.advance(290 * 24 * time.Hour)
		refresh = w.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).refresh(t)
		service = w.send("PUT", "/v3/tokens", nil, object{"refresh_token": service}).refresh(t)
	}
	w.advance(151 * 24 * time.Hour) // 731 days
	w.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).want(t, 401, "expired")
	w.send("PUT", "/v3/tokens", nil, object{"refresh_token": service}).want(t, 200, "")
}
