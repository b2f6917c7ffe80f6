package servicetokens_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
)

// tokenOfUser are the headers of a person who has a token.
func tokenOfUser(raw string) headers { return headers{"X-Tapis-Token": raw} }

// Upstream lets anybody ask for tokens of himself, of any kind.
func TestUpstreamBugAPersonMakesHimselfAService(t *testing.T) {
	w := onSQLite(t)
	for tenant, name := range map[string]string{"dev": "ada", "admin": "files", "tacc": "tenants"} {
		raw := w.user(tenant, name).Access.Value
		for _, target := range []string{tenant, "admin"} {
			w.send("POST", "/v3/tokens", tokenOfUser(raw), order(name, object{"token_tenant_id": target})).want(t, 403, "Only a service")
		}
		// A service's headers do not make it one.
		w.send("POST", "/v3/tokens", bearing(name, raw), order(name, nil)).want(t, 401, "X-Tapis-Tenant")
	}
}

func TestUpstreamBugAPersonGivesHimselfALongerLife(t *testing.T) {
	w := onSQLite(t)
	raw := w.user("dev", "ada").Access.Value
	w.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(object{"access_token_ttl": 3153600000})).want(t, 403, "Only a service")
	w.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(object{"generate_refresh_token": true})).want(t, 403, "Only a service")
	w.send("POST", "/v3/tokens", headers{"Authorization": "Bearer " + raw}, forUser(nil)).want(t, 403, "Only a service")
}

func TestUpstreamBugAPersonForgesClaims(t *testing.T) {
	w := onSQLite(t)
	raw := w.user("dev", "ada").Access.Value
	for _, forged := range []object{{"tapis/account_type": "service"}, {"tapis/username": "admin"}, {"tapis/tenant_id": "admin"}, {"email": "x"}} {
		w.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(object{"claims": forged})).want(t, 403, "Only a service")
	}
	// Those who may add claims cannot replace any either.
	portal := bearing("portal", w.service("portal"))
	for _, name := range []string{"tapis/account_type", "TAPIS/Account_Type", "sub", "exp", "tapis/access_token", "ttl", "aud"} {
		w.send("POST", "/v3/tokens", portal, forUser(object{"claims": object{name: "service"}})).want(t, 400, "claims")
	}
}

func TestUpstreamBugAServicePasswordMakesTokensOfPeople(t *testing.T) {
	w := onSQLite(t)
	for _, service := range []string{"files", "portal"} { // with and without a role
		for _, body := range []object{
			{"account_type": "user"},
			{"account_type": "user", "token_tenant_id": "dev"},
			{"account_type": "user", "token_tenant_id": "dev", "token_username": "ada"},
			{"token_username": "tenants"},
		} {
			w.send("POST", "/v3/tokens", w.basic(service), order(service, body)).want(t, 403, "tokens of its own only")
		}
	}
}

func TestUpstreamBugARoleOfOnesOwnTenantMakesTokensForAnother(t *testing.T) {
	each(t, func(w *world) {
		// In tacc somebody may make roles as he likes, also one that names dev.
		w.grant("tacc", "eve", "dev_token_generator")
		w.grant("tacc", "portal", "tacc_token_generator")
		w.grant("dev", "eve", "dev_token_generator")
		w.grant("dev", "files", "dev_token_generator")
		for _, raw := range []string{w.user("tacc", "eve").Access.Value, w.user("dev", "eve").Access.Value} {
			w.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(nil)).want(w.t, 403, "Only a service")
		}
		w.send("POST", "/v3/tokens", bearing("files", w.service("files")), forUser(nil)).want(w.t, 403, "may not make tokens")
		w.send("POST", "/v3/tokens", bearing("portal", w.service("portal")), forUser(object{"token_tenant_id": "tacc"})).want(w.t, 403, "may not make tokens")
		// A service that acts for somebody of dev is still judged by its own tenant.
		h := bearing("files", w.service("files"))
		h["X-Tapis-Tenant"], h["X-Tapis-User"] = "dev", "eve"
		w.send("POST", "/v3/tokens", h, forUser(nil)).want(w.t, 403, "may not make tokens")
	})
}

func TestAServiceOfAnotherSiteGetsNothingHere(t *testing.T) {
	w := onSQLite(t)
	w.grant("admin", "portal", "admin_token_generator")
	foreign := w.signed(edge, "edge-admin", object{"tapis/username": "portal", "sub": "portal@edge-admin"})
	h := headers{"X-Tapis-Token": foreign, "X-Tapis-Tenant": "far", "X-Tapis-User": "ada"}
	for _, body := range []object{forUser(nil), order("portal", nil), order("portal", object{"token_tenant_id": "edge-admin"})} {
		if got := w.send("POST", "/v3/tokens", h, body); got.status/100 != 4 {
			t.Errorf("got %d %s", got.status, got.raw)
		}
	}
}

func TestPeopleGetNoTokensInTheAdministrativeTenant(t *testing.T) {
	w := onSQLite(t)
	w.grant("admin", "portal", "admin_token_generator")
	portal := bearing("portal", w.service("portal"))
	w.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "admin"})).want(t, 403, "administers its site")
	// The role is good for other services' tokens, of accounts that there are.
	w.send("POST", "/v3/tokens", portal, order("files", nil)).want(t, 200, "")
	w.send("POST", "/v3/tokens", portal, order("nobody", nil)).want(t, 400, "token_username")
	w.grant("admin", "ada", kernel.SiteAdminUser) // which is not enough
	w.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "admin"})).want(t, 403, "administers its site")
}

func TestWhomItNamesMayHaveTokensInTheAdministrativeTenantThatPermitsIt(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		portal := bearing("portal", w.service("portal"))
		forAdmin := func(name string) object {
			return forUser(object{"token_tenant_id": "admin", "token_username": name, "generate_refresh_token": true, "refresh_token_ttl": 86400})
		}
		ask := func(name string) answer { return w.send("POST", "/v3/tokens", portal, forAdmin(name)) }
		configure := func(permit string) {
			t.Helper()
			if _, err := w.settings.Update(t.Context(), "admin", "test", tenantconfig.Change{"site_admin_users": json.RawMessage(permit)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"ada", "files"} {
			w.grant("admin", name, kernel.SiteAdminUser)
		}
		w.grant("dev", "bob", kernel.SiteAdminUser)
		configure("true")
		ask("ada").want(t, 403, "may not make tokens") // a generator makes them, here too
		w.grant("admin", "portal", "admin_token_generator")
		got := ask("ada").want(t, 200, "")
		if c := claims(t, got.access(t)); c["sub"] != "ada@admin" || c["tapis/account_type"] != "user" || c["tapis/target_site"] != nil {
			t.Errorf("claims %v", c)
		}
		ask("bob").want(t, 403, "administers its site")   // holds the role elsewhere
		ask("files").want(t, 403, "administers its site") // is a service's name
		w.send("POST", "/v3/tokens", w.basic("portal"), forAdmin("ada")).want(t, 403, "With its password")

		refresh := object{"refresh_token": got.refresh(t)}
		w.send("PUT", "/v3/tokens", nil, refresh).want(t, 200, "")
		configure("null")
		w.send("PUT", "/v3/tokens", nil, refresh).want(t, 401, "subject cannot have tokens")
		ask("ada").want(t, 403, "administers its site")
		configure("true")
		w.send("PUT", "/v3/tokens", nil, refresh).want(t, 200, "")
		if _, err := w.accounts.RevokeRole(t.Context(), "admin", "ada", kernel.SiteAdminUser); err != nil {
			t.Fatal(err)
		}
		w.send("PUT", "/v3/tokens", nil, refresh).want(t, 401, "subject cannot have tokens")
		ask("ada").want(t, 403, "administers its site")
	})
}

// Upstream keeps the hard-coded admin key for all tenants after a reload.
func TestUpstreamBugTokensOfATenantAreSignedWithAnothersKey(t *testing.T) {
	w := onSQLite(t)
	w.grant("admin", "portal", "tacc_token_generator")
	portal := bearing("portal", w.service("portal"))
	if err := w.view.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"dev", "tacc"} {
		raw := w.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": tenant})).access(t)
		if _, err := w.tokens.Access(t.Context(), tokens.Tenant{ID: tenant, Issuer: issuer(tenant)}, raw); err != nil {
			t.Errorf("%s: %v", tenant, err)
		}
	}
}

func TestForgedTokensMakeNone(t *testing.T) {
	w := onSQLite(t)
	good := w.service("files")
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"signed by another tenant's key": w.signed(signing, "dev", object{"tapis/tenant_id": "admin", "iss": issuer("admin"), "sub": "files@admin"}),
		"a service of a plain tenant":    w.signed(signing, "dev", nil),
		"never recorded":                 w.signed(signing, "admin", nil),
		"a refresh token":                w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).refresh(t),
		"cut":                            good[:len(good)-20],
		"other signature":                parts[0] + "." + parts[1] + "." + strings.Split(w.service("portal"), ".")[2],
	} {
		if got := w.send("POST", "/v3/tokens", bearing("files", raw), order("files", nil)); got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
}

// The clocks of callers do not matter, ours does: five minutes off, tokens are
// refused clearly or end that much later, and nothing breaks.
func TestAClockFiveMinutesOffGivesClearAnswers(t *testing.T) {
	w := onSQLite(t)
	short := object{"access_token_ttl": 60, "refresh_token_ttl": 120}
	got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", short))
	access, refresh := got.access(t), got.refresh(t)
	w.advance(5 * time.Minute)
	w.send("POST", "/v3/tokens", bearing("files", access), order("files", nil)).want(t, 401, "expired")
	w.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).want(t, 401, "expired")
	w.send("POST", "/v3/tokens/revoke", nil, object{"token": access}).want(t, 400, "expired")
	w.advance(-5 * time.Minute)
	w.send("POST", "/v3/tokens", bearing("files", access), order("files", nil)).want(t, 200, "")
	w.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).want(t, 200, "")
	w.advance(-5 * time.Minute) // before it was issued
	w.send("POST", "/v3/tokens", bearing("files", access), order("files", nil)).want(t, 200, "")
}

func TestTheAccountTypeDecidesAndNotTheName(t *testing.T) {
	w := onSQLite(t)
	// A person of the administrative tenant with a service's name, whose token
	// an OAuth grant can no longer make.
	pair, err := w.tokens.Issue(t.Context(), tokens.Request{
		Tenant: tokens.Tenant{ID: "admin", Issuer: issuer("admin")}, Username: "portal", AccountType: authn.UserAccount,
		GrantType: tokens.Direct, AccessTTL: time.Hour, RefreshTTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.send("POST", "/v3/tokens", tokenOfUser(pair.Access.Value), forUser(nil)).want(t, 403, "Only a service")
	w.send("POST", "/v3/tokens", tokenOfUser(pair.Access.Value), order("portal", nil)).want(t, 403, "Only a service")
	w.send("PUT", "/v3/tokens", nil, object{"refresh_token": pair.Refresh.Value}).want(t, 401, "cannot have tokens")
}
