package servicetokens_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/registryclient/registrytest"
	"gatehouse/internal/seal"
)

// golden replaces what is random in a reply by its name and returns it as
// indented JSON does, with sorted keys.
func golden(t testing.TB, a authtest.Reply) string {
	t.Helper()
	result, _ := a.Body["result"].(object)
	for kind, value := range result {
		token, _ := value.(object)
		raw, _ := token[kind].(string)
		c := authtest.Claims(t, raw)
		if c["jti"] != token["jti"] {
			t.Errorf("jti %v in the reply and %v in the %s", token["jti"], c["jti"], kind)
		}
		token[kind], token["jti"] = "JWT", "UUID"
	}
	text, err := json.Marshal(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAServiceGetsTokensWithItsPassword(t *testing.T) {
	each(t, func(f *fixture) {
		got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Want(200, "")
		raw := got.Raw
		access, refresh := authtest.Claims(f.T, got.Need(accessToken...)), authtest.Claims(f.T, got.Need(refreshToken...))
		want := `{"message":"Token generation successful.","metadata":{},"result":{` +
			`"access_token":{"access_token":"JWT","expires_at":"2026-11-22T12:00:00.000000+00:00","expires_in":86400,"jti":"UUID"},` +
			`"refresh_token":{"expires_at":"2027-11-21T12:00:00.000000+00:00","expires_in":31536000,"jti":"UUID",` +
			`"refresh_token":"JWT"}},` +
			`"status":"success","version":"test"}`
		if text := golden(f.T, got); text != want {
			f.T.Errorf("\n got %s\nwant %s", text, want)
		}
		if !strings.HasPrefix(raw, `{"result":{"access_token":{"access_token":"`) || got.Header.Get("Cache-Control") != "no-store" {
			f.T.Errorf("got %.60s with %v", raw, got.Header)
		}
		same(f.T, access, object{
			"jti": access["jti"], "iss": registrytest.Issuer("admin"), "sub": "files@admin", "tapis/tenant_id": "admin",
			"tapis/token_type": "access",
			"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "files", "tapis/account_type": "service",
			"exp": float64(f.Clock.Now().Unix() + 86400), "tapis/target_site": "main",
		})
		delete(access, "exp")
		access["ttl"] = float64(86400)
		same(f.T, refresh, object{
			"jti": refresh["jti"], "iss": registrytest.Issuer("admin"), "sub": "files@admin", "tapis/initial_ttl": float64(31536000),
			"tapis/tenant_id": "admin", "tapis/token_type": "refresh", "exp": float64(f.Clock.Now().Unix() + 31536000),
			"tapis/access_token": access,
		})
	})
}

func same(t testing.TB, got, want object) {
	t.Helper()
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("\n got %s\nwant %s", a, b)
	}
}

func TestARefreshTokenComesOnlyWhenItIsAskedFor(t *testing.T) {
	f := onSQLite(t)
	got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", object{"generate_refresh_token": nil})).Want(200, "")
	if result := got.Body["result"].(object); len(result) != 1 || result["access_token"] == nil {
		t.Errorf("got %v", result)
	}
}

func TestAServiceGetsATokenForASecondSiteWithItsFirst(t *testing.T) {
	each(t, func(f *fixture) {
		first := f.service("files")
		second := f.send("POST", "/v3/tokens", bearing("files", first), forService("files", object{"target_site_id": "edge"})).Need(
			accessToken...)
		if c := authtest.Claims(f.T, second); c["tapis/target_site"] != "edge" || c["sub"] != "files@admin" {
			f.T.Errorf("claims %v", c)
		}
		// One that is meant for another site is good for nothing here.
		f.send("POST", "/v3/tokens", bearing("files", second), forService("files", nil)).Want(401, "another site")
	})
}

func TestAGeneratorMakesTokensOfPeople(t *testing.T) {
	each(t, func(f *fixture) {
		portal := bearing("portal", f.service("portal"))
		extra := object{"tapis/client_id": "spa", "tapis/grant_type": "password", "email": "ada@example.org"}
		access := authtest.Claims(f.T, f.send("POST", "/v3/tokens", portal, forUser(object{"claims": extra})).Need(accessToken...))
		same(f.T, access, object{
			"jti": access["jti"], "iss": registrytest.Issuer("dev"), "sub": "ada@dev", "tapis/tenant_id": "dev",
			"tapis/token_type": "access",
			"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "ada", "tapis/account_type": "user",
			"exp": float64(f.Clock.Now().Unix() + 300), "tapis/client_id": "spa", "tapis/grant_type": "password",
			"email": "ada@example.org",
		})
		// In the tenant of its role and nowhere else.
		f.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "tacc"})).Want(403, "may not make tokens")
		f.send("POST", "/v3/tokens", portal, forService("files", nil)).Want(403, "may not make tokens")
		// Taking the role away counts at once.
		if _, err := f.Kernel().RevokeRole(f.T.Context(), "admin", "portal", "dev_token_generator"); err != nil {
			f.T.Fatal(err)
		}
		f.send("POST", "/v3/tokens", portal, forUser(nil)).Want(403, "may not make tokens")
	})
}

func TestDelegationIsForGeneratorsAndPeopleOfTheSite(t *testing.T) {
	f := onSQLite(t)
	delegated := func(changes object) object {
		o := forUser(object{"delegation_token": true, "delegation_sub_tenant_id": "tacc", "delegation_sub_username": "grace"})
		for name, value := range changes {
			o[name] = value
		}
		return o
	}
	portal := bearing("portal", f.service("portal"))
	c := authtest.Claims(t, f.send("POST", "/v3/tokens", portal, delegated(nil)).Need(accessToken...))
	if c["tapis/delegation"] != true || c["tapis/delegation_sub"] != "grace@tacc" || c["sub"] != "ada@dev" {
		t.Errorf("claims %v", c)
	}
	// Upstream tells those who forget a field to ask their administrator.
	f.send("POST", "/v3/tokens", portal, delegated(object{"delegation_sub_username": ""})).Want(400, "delegation_sub_username")
	f.send("POST", "/v3/tokens", portal, delegated(object{"delegation_sub_tenant_id": nil})).Want(400, "delegation_sub_tenant_id")
	f.send("POST", "/v3/tokens", portal, delegated(object{"delegation_sub_tenant_id": "far"})).Want(400, "delegation_sub_tenant_id")
	f.send("POST", "/v3/tokens", portal, delegated(object{"token_tenant_id": "tacc"})).Want(403, "")
	f.send("POST", "/v3/tokens", bearing("files", f.service("files")), delegated(nil)).Want(403, "")
	own := forService("files", object{"delegation_token": true, "delegation_sub_tenant_id": "dev", "delegation_sub_username": "ada"})
	f.send("POST", "/v3/tokens", bearing("files", f.service("files")), own).Want(403, "")
	f.send("POST", "/v3/tokens", f.basic("files"), own).Want(403, "")
	f.Grant("admin", "files", "admin_token_generator")
	f.send("POST", "/v3/tokens", bearing("files", f.service("files")), own).Want(400, "delegation_token")
}

func TestLifetimesThatAreNotAskedForAreFiveAndTenMinutes(t *testing.T) {
	f := onSQLite(t)
	for _, ttl := range []any{nil, 0, -1, -1 << 62} {
		got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files",
			object{"access_token_ttl": ttl, "refresh_token_ttl": ttl}))
		wantTTL(t, got, 300, 600)
	}
}

func wantTTL(t testing.TB, a authtest.Reply, access, refresh float64) {
	t.Helper()
	a.Want(200, "")
	result := a.Body["result"].(object)
	for kind, want := range map[string]float64{"access_token": access, "refresh_token": refresh} {
		if got := result[kind].(object)["expires_in"]; got != want {
			t.Errorf("%s expires in %v, want %v", kind, got, want)
		}
	}
}

func TestLifetimesAreGivenAsAskedAndCutToTheLongest(t *testing.T) {
	f := onSQLite(t)
	const year = 365 * 24 * 3600
	for _, c := range []struct{ access, refresh, gotAccess, gotRefresh int64 }{
		{14400, 7776000, 14400, 7776000},
		{86400, 3153600000, 86400, year},
		{year + 1, 1<<63 - 1, year, year}, // no overflow
		{1, 1, 1, 1},
	} {
		got := f.send("POST", "/v3/tokens", f.basic("files"), forService("files",
			object{"access_token_ttl": c.access, "refresh_token_ttl": c.refresh}))
		wantTTL(t, got, float64(c.gotAccess), float64(c.gotRefresh))
	}
	f.limit(3600, 48*3600)
	got := f.send("POST", "/v3/tokens", bearing("portal", f.service("portal")),
		forUser(object{"access_token_ttl": 7200, "refresh_token_ttl": year, "generate_refresh_token": true}))
	wantTTL(t, got, 3600, 48*3600)
}

func TestWhoDoesNotShowWhoHeIsIsAskedFor(t *testing.T) {
	f := onSQLite(t)
	body := forService("files", nil)
	for name, h := range map[string]headers{
		"nothing":                {},
		"only OBO headers":       {"X-Tapis-Tenant": "admin", "X-Tapis-User": "files"},
		"a wrong password":       {"Authorization": basicAuth("files", seal.NewSecret())},
		"an empty password":      {"Authorization": basicAuth("files", "")},
		"an unknown service":     {"Authorization": basicAuth("nobody", f.password)},
		"another letter case":    {"Authorization": basicAuth("Files", f.password)},
		"a name with the tenant": {"Authorization": basicAuth("files@admin", f.password)},
		"no Base64":              {"Authorization": "Basic ***"},
		"no colon":               {"Authorization": "Basic ZmlsZXM="},
	} {
		got := f.send("POST", "/v3/tokens", h, body)
		if got.Status != 401 || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: %d, %v", name, got.Status, got.Header)
		}
	}
	for name, h := range map[string]headers{
		"a word":       bearing("files", "token"),
		"other scheme": {"Authorization": "Digest x"},
		"no OBO":       {"X-Tapis-Token": f.service("files")},
		"one OBO":      {"X-Tapis-Token": f.service("files"), "X-Tapis-User": "files"},
	} {
		if got := f.send("POST", "/v3/tokens", h, body); got.Status != 401 || got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d, %v", name, got.Status, got.Header)
		}
	}
	both := bearing("files", f.service("files"))
	both["Authorization"] = basicAuth("files", f.password)
	f.send("POST", "/v3/tokens", both, body).Want(400, "both headers")
}

func TestGuessingTheServicePasswordIsThrottled(t *testing.T) {
	f := onSQLite(t)
	wrong := headers{"Authorization": basicAuth("files", "guess")}
	for range 10 {
		f.send("POST", "/v3/tokens", wrong, forService("files", nil)).Want(401, "")
	}
	refused := f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Want(429, "Too many")
	if refused.Header.Get("Retry-After") == "" || refused.Body["error"] != nil {
		t.Errorf("got %s with %v", refused.Raw, refused.Header)
	}
	f.send("POST", "/v3/tokens", f.basic("portal"), forService("portal", nil)).Want(200, "")
	f.Clock.Advance(time.Minute)
	f.send("POST", "/v3/tokens", f.basic("files"), forService("files", nil)).Want(200, "")
}

func TestEveryBadRequestNamesItsField(t *testing.T) {
	f := onSQLite(t)
	portal, files := bearing("portal", f.service("portal")), f.basic("files")
	for _, c := range []struct {
		field string
		who   headers
		body  any
	}{
		{"body is empty", files, ""},
		{"JSON", files, "{"},
		{"JSON object", files, "[]"},
		{"account_type", files, forService("files", object{"account_type": nil})},
		{"account_type", files, forService("files", object{"account_type": "robot"})},
		{"account_type", files, forService("files", object{"account_type": 7})},
		{"token_tenant_id", files, forService("files", object{"token_tenant_id": nil})},
		{"token_tenant_id", files, forService("files", object{"token_tenant_id": "nowhere"})},
		{"token_tenant_id", files, forService("files", object{"token_tenant_id": "draft"})},
		{"token_tenant_id", files, forService("files", object{"token_tenant_id": "far"})},
		{"token_tenant_id", portal, forService("portal", object{"token_tenant_id": "dev"})},
		{"token_username", files, forService("files", object{"token_username": nil})},
		{"token_username", portal, forUser(object{"token_username": "a\x00da"})},
		{"token_username", portal, forUser(object{"token_username": " ada"})},
		{"token_username", portal, forUser(object{"token_username": "a\nda"})},
		{"token_username", portal, forUser(object{"token_username": strings.Repeat("a", 257)})},
		{"target_site_id", files, forService("files", object{"target_site_id": "mars"})},
		{"target_site_id", portal, forUser(object{"target_site_id": "mars"})},
		{"target_site_id", files, forService("files", object{"target_site_id": 1})},
		{"access_token_ttl", files, forService("files", object{"access_token_ttl": "3600"})},
		{"access_token_ttl", files, forService("files", object{"access_token_ttl": 1e30})},
		{"refresh_token_ttl", files, forService("files", object{"refresh_token_ttl": 1.5})},
		{"generate_refresh_token", files, forService("files", object{"generate_refresh_token": "true"})},
		{"delegation_token", files, forService("files", object{"delegation_token": 1})},
		{"claims", portal, forUser(object{"claims": []string{"email"}})},
		{"claims", portal, forUser(object{"claims": "email"})},
		{"claims", portal, forUser(object{"claims": object{"x": strings.Repeat("x", 5000)}})},
		{"tapis/username", portal, forUser(object{"claims": object{"tapis/username": "root"}})},
		{"more than once", files, `{"account_type": "service", "account_type": "user"}`},
	} {
		got := f.send("POST", "/v3/tokens", c.who, c.body).Want(400, c.field)
		for _, tenant := range []string{"tacc", "edge-admin"} {
			if strings.Contains(got.Raw, tenant) {
				t.Errorf("the answer lists tenants: %s", got.Raw)
			}
		}
	}
	h := f.basic("files")
	h["Content-Type"] = "text/plain"
	f.send("POST", "/v3/tokens", h, forService("files", nil)).Want(415, "Content-Type")
	f.send("POST", "/v3/tokens", f.basic("files"), `{"x":"`+strings.Repeat("x", 1<<20)+`"}`).Want(413, "")
}

func TestWhatIsNotNeededMayBeAbsentNullOrUnknown(t *testing.T) {
	f := onSQLite(t)
	body := object{
		"account_type": "service", "token_tenant_id": "admin", "token_username": "files", "claims": nil, "target_site_id": nil,
		"access_token_ttl": nil, "delegation_token": nil, "something": "else",
	}
	c := authtest.Claims(t, f.send("POST", "/v3/tokens", f.basic("files"), body).Need(accessToken...))
	if c["tapis/target_site"] != "main" {
		t.Errorf("target site %v, want this one", c["tapis/target_site"])
	}
}

func TestATokenOfATenantThatWasJustMadeCanBeHadAtOnce(t *testing.T) {
	f := onSQLite(t)
	f.Grant("admin", "portal", "draft_token_generator")
	portal := bearing("portal", f.service("portal"))
	f.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "draft"})).Want(400, "token_tenant_id")
	f.Registry().Change("draft", object{"status": "ACTIVE"})
	f.Clock.Advance(6 * time.Second)
	c := authtest.Claims(t, f.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "draft"})).Need(accessToken...))
	if c["iss"] != registrytest.Issuer("draft") {
		t.Errorf("issuer %v", c["iss"])
	}
}

func TestWithoutADatabaseNoTokenIsIssued(t *testing.T) {
	f := onSQLite(t)
	files := bearing("files", f.service("files"))
	if err := f.DB.Close(); err != nil {
		t.Fatal(err)
	}
	f.Clock.Advance(time.Minute)
	for _, h := range []headers{f.basic("files"), files} {
		if got := f.send("POST", "/v3/tokens", h, forService("files", nil)).Want(
			http.StatusServiceUnavailable, "database"); got.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}
