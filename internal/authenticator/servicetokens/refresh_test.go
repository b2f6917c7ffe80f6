package servicetokens_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
)

func TestARefreshKeepsClaimsAndLifetimes(t *testing.T) {
	each(t, func(f *fixture) {
		f.Grant("admin", "portal", "admin_token_generator")
		portal := bearing("portal", f.service("portal"))
		body := forUser(object{
			"access_token_ttl": 14400, "refresh_token_ttl": 7776000, "generate_refresh_token": true,
			"claims": object{"project": object{"id": 9007199254740993}, "email": "ada@example.org"}, "target_site_id": "edge",
		})
		first := f.send("POST", "/v3/tokens", portal, body)
		before, raw := authtest.Claims(f.T, first.Need(accessToken...)), first.Need(refreshToken...)
		f.Clock.Advance(24 * time.Hour)
		for range 3 { // each time with the newest
			got := f.send("PUT", "/v3/tokens", nil, object{"refresh_token": raw})
			wantTTL(f.T, got, 14400, 7776000)
			after := authtest.Claims(f.T, got.Need(accessToken...))
			if before["jti"] == after["jti"] || after["exp"] != float64(f.Clock.Now().Unix()+14400) {
				f.T.Errorf("jti %v, exp %v", after["jti"], after["exp"])
			}
			after["jti"], after["exp"] = before["jti"], before["exp"]
			same(f.T, after, before)
			if strings.Contains(got.Need(refreshToken...), raw) {
				f.T.Error("the refresh token is the old one")
			}
			raw = got.Need(refreshToken...)
			f.Clock.Advance(24 * time.Hour)
		}
		// The first stays good: processes of one service share it.
		f.send("PUT", "/v3/tokens", nil, object{"refresh_token": first.Need(refreshToken...)}).Want(200, "refresh")
	})
}

// Service SDKs send what they have with every request.
func TestARefreshIgnoresAStaleTokenInTheHeader(t *testing.T) {
	f := onSQLite(t)
	got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", object{"access_token_ttl": 60}))
	access, refresh := got.Need(accessToken...), got.Need(refreshToken...)
	f.Clock.Advance(time.Hour)
	for _, h := range []headers{
		bearing("files", access), bearing("files", "x"),
		{"Authorization": "Bearer x", "X-Tapis-Token": "y"},
		f.basic("files"),
	} {
		f.send("PUT", "/v3/tokens", h, object{"refresh_token": refresh, "more": true}).Want(200, "")
	}
}

func TestUpstreamBugARefreshWithTheWrongTokenIsAnInternalError(t *testing.T) {
	f := onSQLite(t)
	got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil))
	access, refresh := got.Need(accessToken...), got.Need(refreshToken...)
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
		{object{"refresh_token": f.Signed("far", object{"tapis/token_type": "refresh"})}, 400, "another site"},
		{object{"refresh_token": f.Signed("dev", object{"tapis/tenant_id": "nowhere"})}, 401, "no active tenant"},
		{object{"refresh_token": f.Signed("dev", object{"tapis/tenant_id": "admin"})}, 401, "not valid"},
		{object{"refresh_token": f.Signed("admin", object{"tapis/token_type": "refresh"})}, 401, "revoked"},
		{object{"refresh_token": refresh[:len(refresh)-1]}, 401, "not valid"},
		{object{"refresh_token": refresh + "x"}, 401, "not valid"},
	} {
		got := f.send("PUT", "/v3/tokens", nil, c.body).Want(c.status, c.text)
		if c.status == 401 && got.Header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 without a challenge")
		}
	}
}

func TestUpstreamBugARevokedRefreshTokenRefreshes(t *testing.T) {
	each(t, func(f *fixture) {
		got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil))
		access, refresh := got.Need(accessToken...), got.Need(refreshToken...)
		second := f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh})
		f.send("POST", "/v3/tokens/revoke", nil, object{"token": refresh}).Want(200, "")
		for _, raw := range []string{refresh, second.Need(refreshToken...)} {
			f.send("PUT", "/v3/tokens", nil, object{"refresh_token": raw}).Want(401, "revoked")
		}
		for _, raw := range []string{access, second.Need(accessToken...)} {
			f.send("POST", "/v3/tokens", bearing("files", raw), forService("files", nil)).Want(401, "revoked")
		}
		f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Want(200, "") // the service goes on
	})
}

func TestARefreshTokenOfAnOAuthClientIsNotRefreshedWithoutTheClient(t *testing.T) {
	each(t, func(f *fixture) {
		pair := f.User("dev", "ada")
		f.send("PUT", "/v3/tokens", nil, object{"refresh_token": pair.Refresh.Value}).Want(400, "OAuth")
	})
}

func TestARefreshAsksWhetherItsSubjectMayStillHaveTokens(t *testing.T) {
	each(t, func(f *fixture) {
		ofService := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Need(refreshToken...)
		portal := bearing("portal", f.service("portal"))
		ofUser := f.send("POST", "/v3/tokens", portal, forUser(object{
			"generate_refresh_token": true,
			"refresh_token_ttl":      86400,
		})).Need(refreshToken...)
		if err := f.DB.Conn(f.T.Context()).Exec(`DELETE FROM service_passwords WHERE service = 'files'`).Error; err != nil {
			f.T.Fatal(err)
		}
		f.send("PUT", "/v3/tokens", nil, object{"refresh_token": ofService}).Want(401, "cannot have tokens")
		// The tenant's longest lifetimes hold for old refresh tokens too.
		f.limit(100, 3600)
		wantTTL(f.T, f.send("PUT", "/v3/tokens", nil, object{"refresh_token": ofUser}), 100, 3600)
		if err := f.Tokens().RevokeUser(f.T.Context(), "dev", "ada"); err != nil {
			f.T.Fatal(err)
		}
		f.send("PUT", "/v3/tokens", nil, object{"refresh_token": ofUser}).Want(401, "revoked")
	})
}

func TestUpstreamBugTokensOfAnInactiveTenantAreRefreshed(t *testing.T) {
	f := onSQLite(t)
	portal := bearing("portal", f.service("portal"))
	refresh := f.send("POST", "/v3/tokens", portal, forUser(object{"generate_refresh_token": true})).Need(refreshToken...)
	f.Registry().Change("dev", object{"status": "INACTIVE"})
	if err := f.Client().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).Want(401, "no active tenant")
	f.send("POST", "/v3/tokens", portal, forUser(nil)).Want(400, "token_tenant_id")
}

// A person's tokens end for good with the tenant's longest refresh lifetime;
// a service's are refreshed for as long as it runs.
func TestUpstreamBugLifetimesRenewForEver(t *testing.T) {
	f := onSQLite(t)
	const day = 86400
	refresh := f.send("POST", "/v3/tokens", bearing("portal", f.service("portal")),
		forUser(object{"generate_refresh_token": true, "refresh_token_ttl": 300 * day})).Need(refreshToken...)
	service := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Need(refreshToken...)
	for range 2 {
		f.Clock.Advance(290 * 24 * time.Hour)
		refresh = f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).Need(refreshToken...)
		service = f.send("PUT", "/v3/tokens", nil, object{"refresh_token": service}).Need(refreshToken...)
	}
	f.Clock.Advance(151 * 24 * time.Hour) // 731 days
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).Want(401, "expired")
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": service}).Want(200, "")
}
