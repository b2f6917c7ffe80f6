package servicetokens_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient/registrytest"
)

// tokenOfUser are the headers of a person who has a token.
func tokenOfUser(raw string) headers { return headers{"X-Tapis-Token": raw} }

// Upstream lets anybody ask for tokens of himself, of any kind.
func TestUpstreamBugAPersonMakesHimselfAService(t *testing.T) {
	f := onSQLite(t)
	for tenant, name := range map[string]string{"dev": "ada", "admin": "files", "tacc": "tenants"} {
		raw := f.User(tenant, name).Access.Value
		for _, target := range []string{tenant, "admin"} {
			f.send("POST", "/v3/tokens", tokenOfUser(raw), forService(name, object{"token_tenant_id": target})).Want(403, "Only a service")
		}
		// A service's headers do not make it one.
		f.send("POST", "/v3/tokens", bearing(name, raw), forService(name, nil)).Want(401, "X-Tapis-Tenant")
	}
}

func TestUpstreamBugAPersonGivesHimselfALongerLife(t *testing.T) {
	f := onSQLite(t)
	raw := f.User("dev", "ada").Access.Value
	f.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(object{"access_token_ttl": 3153600000})).Want(403, "Only a service")
	f.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(object{"generate_refresh_token": true})).Want(403, "Only a service")
	f.send("POST", "/v3/tokens", headers{"Authorization": "Bearer " + raw}, forUser(nil)).Want(403, "Only a service")
}

func TestUpstreamBugAPersonForgesClaims(t *testing.T) {
	f := onSQLite(t)
	raw := f.User("dev", "ada").Access.Value
	for _, forged := range []object{
		{"tapis/account_type": "service"},
		{"tapis/username": "admin"},
		{"tapis/tenant_id": "admin"},
		{"email": "x"},
	} {
		f.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(object{"claims": forged})).Want(403, "Only a service")
	}
	// Those who may add claims cannot replace any either.
	portal := bearing("portal", f.service("portal"))
	for _, name := range []string{"tapis/account_type", "TAPIS/Account_Type", "sub", "exp", "tapis/access_token", "ttl", "aud"} {
		f.send("POST", "/v3/tokens", portal, forUser(object{"claims": object{name: "service"}})).Want(400, "claims")
	}
}

func TestUpstreamBugAServicePasswordMakesTokensOfPeople(t *testing.T) {
	f := onSQLite(t)
	for _, service := range []string{"files", "portal"} { // with and without a role
		for _, body := range []object{
			{"account_type": "user"},
			{"account_type": "user", "token_tenant_id": "dev"},
			{"account_type": "user", "token_tenant_id": "dev", "token_username": "ada"},
			{"token_username": "tenants"},
		} {
			f.send("POST", "/v3/tokens", f.basic(service), forService(service, body)).Want(403, "tokens of its own only")
		}
	}
}

func TestUpstreamBugARoleOfOnesOwnTenantMakesTokensForAnother(t *testing.T) {
	each(t, func(f *fixture) {
		// In tacc somebody may make roles as he likes, also one that names dev.
		f.Grant("tacc", "eve", "dev_token_generator")
		f.Grant("tacc", "portal", "tacc_token_generator")
		f.Grant("dev", "eve", "dev_token_generator")
		f.Grant("dev", "files", "dev_token_generator")
		for _, raw := range []string{f.User("tacc", "eve").Access.Value, f.User("dev", "eve").Access.Value} {
			f.send("POST", "/v3/tokens", tokenOfUser(raw), forUser(nil)).Want(403, "Only a service")
		}
		f.send("POST", "/v3/tokens", bearing("files", f.service("files")), forUser(nil)).Want(403, "may not make tokens")
		f.send("POST", "/v3/tokens", bearing("portal", f.service("portal")), forUser(object{"token_tenant_id": "tacc"})).Want(
			403, "may not make tokens")
		// A service that acts for somebody of dev is still judged by its own tenant.
		h := bearing("files", f.service("files"))
		h["X-Tapis-Tenant"], h["X-Tapis-User"] = "dev", "eve"
		f.send("POST", "/v3/tokens", h, forUser(nil)).Want(403, "may not make tokens")
	})
}

func TestAServiceOfAnotherSiteGetsNothingHere(t *testing.T) {
	f := onSQLite(t)
	f.Grant("admin", "portal", "admin_token_generator")
	foreign := f.Signed("edge-admin", object{"tapis/username": "portal", "sub": "portal@edge-admin"})
	h := headers{"X-Tapis-Token": foreign, "X-Tapis-Tenant": "far", "X-Tapis-User": "ada"}
	for _, body := range []object{
		forUser(nil), forService("portal", nil),
		forService("portal", object{"token_tenant_id": "edge-admin"}),
	} {
		if got := f.send("POST", "/v3/tokens", h, body); got.Status/100 != 4 {
			t.Errorf("got %d %s", got.Status, got.Raw)
		}
	}
}

func TestPeopleGetNoTokensInTheAdministrativeTenant(t *testing.T) {
	f := onSQLite(t)
	f.Grant("admin", "portal", "admin_token_generator")
	portal := bearing("portal", f.service("portal"))
	f.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "admin"})).Want(403, "administers its site")
	// The role is good for other services' tokens, of accounts that there are.
	f.send("POST", "/v3/tokens", portal, forService("files", nil)).Want(200, "")
	f.send("POST", "/v3/tokens", portal, forService("nobody", nil)).Want(400, "token_username")
	f.Grant("admin", "ada", kernel.SiteAdminUser) // which is not enough
	f.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "admin"})).Want(403, "administers its site")
}

func TestWhomItNamesMayHaveTokensInTheAdministrativeTenantThatPermitsIt(t *testing.T) {
	each(t, func(f *fixture) {
		t := f.T
		portal := bearing("portal", f.service("portal"))
		forAdmin := func(name string) object {
			return forUser(object{
				"token_tenant_id": "admin", "token_username": name, "generate_refresh_token": true,
				"refresh_token_ttl": 86400,
			})
		}
		ask := func(name string) authtest.Reply { return f.send("POST", "/v3/tokens", portal, forAdmin(name)) }
		configure := func(permit string) {
			f.Configure("admin", `{"site_admin_users":`+permit+`}`)
		}
		for _, name := range []string{"ada", "files"} {
			f.Grant("admin", name, kernel.SiteAdminUser)
		}
		f.Grant("dev", "bob", kernel.SiteAdminUser)
		configure("true")
		ask("ada").Want(403, "may not make tokens") // a generator makes them, here too
		f.Grant("admin", "portal", "admin_token_generator")
		got := ask("ada").Want(200, "")
		if c := authtest.Claims(t, got.Need(accessToken...)); c["sub"] != "ada@admin" || c["tapis/account_type"] != "user" ||
			c["tapis/target_site"] != nil {
			t.Errorf("claims %v", c)
		}
		ask("bob").Want(403, "administers its site")   // holds the role elsewhere
		ask("files").Want(403, "administers its site") // is a service's name
		f.send("POST", "/v3/tokens", f.basic("portal"), forAdmin("ada")).Want(403, "With its password")

		refresh := object{"refresh_token": got.Need(refreshToken...)}
		f.send("PUT", "/v3/tokens", nil, refresh).Want(200, "")
		configure("null")
		f.send("PUT", "/v3/tokens", nil, refresh).Want(401, "subject cannot have tokens")
		ask("ada").Want(403, "administers its site")
		configure("true")
		f.send("PUT", "/v3/tokens", nil, refresh).Want(200, "")
		if _, err := f.Kernel().RevokeRole(t.Context(), "admin", "ada", kernel.SiteAdminUser); err != nil {
			t.Fatal(err)
		}
		f.send("PUT", "/v3/tokens", nil, refresh).Want(401, "subject cannot have tokens")
		ask("ada").Want(403, "administers its site")
	})
}

// Upstream keeps the hard-coded admin key for all tenants after a reload.
func TestUpstreamBugTokensOfATenantAreSignedWithAnothersKey(t *testing.T) {
	f := onSQLite(t)
	f.Grant("admin", "portal", "tacc_token_generator")
	portal := bearing("portal", f.service("portal"))
	if err := f.Client().Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"dev", "tacc"} {
		raw := f.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": tenant})).Need(accessToken...)
		if _, err := f.Tokens().Access(t.Context(), tokens.Tenant{ID: tenant, Issuer: registrytest.Issuer(tenant)}, raw); err != nil {
			t.Errorf("%s: %v", tenant, err)
		}
	}
}

func TestForgedTokensMakeNone(t *testing.T) {
	f := onSQLite(t)
	good := f.service("files")
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"signed by another tenant's key": f.Signed("dev", object{
			"tapis/tenant_id": "admin", "iss": registrytest.Issuer("admin"),
			"sub": "files@admin",
		}),
		"a service of a plain tenant": f.Signed("dev", nil),
		"never recorded":              f.Signed("admin", nil),
		"a refresh token":             f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Need(refreshToken...),
		"cut":                         good[:len(good)-20],
		"other signature":             parts[0] + "." + parts[1] + "." + strings.Split(f.service("portal"), ".")[2],
	} {
		if got := f.send("POST", "/v3/tokens", bearing("files", raw), forService("files", nil)); got.Status != 401 {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
}

// The clocks of callers do not matter, ours does: five minutes off, tokens are
// refused clearly or end that much later, and nothing breaks.
func TestAClockFiveMinutesOffGivesClearAnswers(t *testing.T) {
	f := onSQLite(t)
	short := object{"access_token_ttl": 60, "refresh_token_ttl": 120}
	got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", short))
	access, refresh := got.Need(accessToken...), got.Need(refreshToken...)
	f.Clock.Advance(5 * time.Minute)
	f.send("POST", "/v3/tokens", bearing("files", access), forService("files", nil)).Want(401, "expired")
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).Want(401, "expired")
	f.send("POST", "/v3/tokens/revoke", nil, object{"token": access}).Want(400, "expired")
	f.Clock.Advance(-5 * time.Minute)
	f.send("POST", "/v3/tokens", bearing("files", access), forService("files", nil)).Want(200, "")
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh}).Want(200, "")
	f.Clock.Advance(-5 * time.Minute) // before it was issued
	f.send("POST", "/v3/tokens", bearing("files", access), forService("files", nil)).Want(200, "")
}

func TestTheAccountTypeDecidesAndNotTheName(t *testing.T) {
	f := onSQLite(t)
	// A person of the administrative tenant with a service's name, whose token
	// an OAuth grant can no longer make.
	pair, err := f.Tokens().Issue(t.Context(), tokens.Request{
		Began:  1,
		Tenant: tokens.Tenant{ID: "admin", Issuer: registrytest.Issuer("admin")}, Username: "portal", AccountType: authn.UserAccount,
		GrantType: tokens.Direct, AccessTTL: time.Hour, RefreshTTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.send("POST", "/v3/tokens", tokenOfUser(pair.Access.Value), forUser(nil)).Want(403, "Only a service")
	f.send("POST", "/v3/tokens", tokenOfUser(pair.Access.Value), forService("portal", nil)).Want(403, "Only a service")
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": pair.Refresh.Value}).Want(401, "cannot have tokens")
}

// Names of clients that act for themselves, and of services as owners, are
// nobody's by this way either; nor by a refresh token from before they were.
func TestNamesOfClientsAndServicesAreNobodys(t *testing.T) {
	f := onSQLite(t)
	portal := bearing("portal", f.service("portal"))
	for _, name := range []string{"service:files", "client:portal", "SERVICE:files", "Client:"} {
		f.send("POST", "/v3/tokens", portal, forUser(object{"token_username": name})).Want(400, "token_username")
	}
	f.Grant("admin", "portal", "admin_token_generator")
	f.send("POST", "/v3/tokens", portal, forUser(object{
		"delegation_token": true, "delegation_sub_tenant_id": "dev", "delegation_sub_username": "client:portal",
	})).Want(400, "delegation_sub_username")
	old := f.Issue(tokens.Request{
		Tenant: authtest.TokenTenant("dev"), Username: "service:files", GrantType: tokens.Direct, AccessTTL: time.Hour,
		RefreshTTL: time.Hour,
	})
	f.send("PUT", "/v3/tokens", nil, object{"refresh_token": old.Refresh.Value}).Want(401, "cannot have tokens")
}

// What a service has by its password, and refreshes while an operator revokes
// it, is void with the revocation.
func TestNothingOutrunsTheRevocationOfAService(t *testing.T) {
	each(t, func(f *fixture) {
		rounds := 20
		if testing.Short() {
			rounds = 3
		}
		for range rounds {
			first := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil))
			access, refresh := first.Need(accessToken...), first.Need(refreshToken...)
			var group sync.WaitGroup
			minted := make([]authtest.Reply, 32)
			for i := range minted {
				group.Go(func() {
					if i%2 == 0 {
						minted[i] = f.send("PUT", "/v3/tokens", nil, object{"refresh_token": refresh})
					} else {
						minted[i] = f.send("POST", "/v3/tokens", bearing("files", access), forService("files", nil))
					}
				})
			}
			time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
			if err := f.Tokens().RevokeUser(t.Context(), "admin", "files"); err != nil {
				f.T.Error(err)
			}
			group.Wait()
			f.Clock.Advance(2 * time.Second)
			for _, got := range minted {
				if got.Status/100 != 2 {
					continue
				}
				f.send("GET", checkPath, tokenOfUser(got.Need(accessToken...)), nil).Want(401, "revoked")
				f.send("PUT", "/v3/tokens", nil, object{"refresh_token": got.Need(refreshToken...)}).Want(401, "")
			}
		}
		f.send("GET", checkPath, tokenOfUser(f.service("files")), nil).Want(200, "")
	})
}
