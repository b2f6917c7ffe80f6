package servicetokens_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/seal"
)

// golden replaces what is random in a reply by its name and returns it as
// indented JSON does, with sorted keys.
func golden(t *testing.T, a answer) string {
	t.Helper()
	result, _ := a.body["result"].(object)
	for kind, value := range result {
		token, _ := value.(object)
		raw, _ := token[kind].(string)
		c := claims(t, raw)
		if c["jti"] != token["jti"] {
			t.Errorf("jti %v in the reply and %v in the %s", token["jti"], c["jti"], kind)
		}
		token[kind], token["jti"] = "JWT", "UUID"
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAServiceGetsTokensWithItsPassword(t *testing.T) {
	each(t, func(w *world) {
		got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).want(w.t, 200, "")
		raw := got.raw
		access, refresh := claims(w.t, got.access(w.t)), claims(w.t, got.refresh(w.t))
		want := `{"message":"Token generation successful.","metadata":{},"result":{` +
			`"access_token":{"access_token":"JWT","expires_at":"2026-11-22T12:00:00.000000+00:00","expires_in":86400,"jti":"UUID"},` +
			`"refresh_token":{"expires_at":"2027-11-21T12:00:00.000000+00:00","expires_in":31536000,"jti":"UUID","refresh_token":"JWT"}},` +
			`"status":"success","version":"test"}`
		if text := golden(w.t, got); text != want {
			w.t.Errorf("\n got %s\nwant %s", text, want)
		}
		if !strings.HasPrefix(raw, `{"result":{"access_token":{"access_token":"`) || got.header.Get("Cache-Control") != "no-store" {
			w.t.Errorf("got %.60s with %v", raw, got.header)
		}
		same(w.t, access, object{
			"jti": access["jti"], "iss": issuer("admin"), "sub": "files@admin", "tapis/tenant_id": "admin", "tapis/token_type": "access",
			"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "files", "tapis/account_type": "service",
			"exp": float64(w.now().Unix() + 86400), "tapis/target_site": "main",
		})
		delete(access, "exp")
		access["ttl"] = float64(86400)
		same(w.t, refresh, object{
			"jti": refresh["jti"], "iss": issuer("admin"), "sub": "files@admin", "tapis/initial_ttl": float64(31536000),
			"tapis/tenant_id": "admin", "tapis/token_type": "refresh", "exp": float64(w.now().Unix() + 31536000), "tapis/access_token": access,
		})
	})
}

func same(t *testing.T, got, want object) {
	t.Helper()
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("\n got %s\nwant %s", a, b)
	}
}

func TestARefreshTokenComesOnlyWhenItIsAskedFor(t *testing.T) {
	w := onSQLite(t)
	got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", object{"generate_refresh_token": nil})).want(t, 200, "")
	if result := got.body["result"].(object); len(result) != 1 || result["access_token"] == nil {
		t.Errorf("got %v", result)
	}
}

func TestAServiceGetsATokenForASecondSiteWithItsFirst(t *testing.T) {
	each(t, func(w *world) {
		first := w.service("files")
		second := w.send("POST", "/v3/tokens", bearing("files", first), order("files", object{"target_site_id": "edge"})).access(w.t)
		if c := claims(w.t, second); c["tapis/target_site"] != "edge" || c["sub"] != "files@admin" {
			w.t.Errorf("claims %v", c)
		}
		// One that is meant for another site is good for nothing here.
		w.send("POST", "/v3/tokens", bearing("files", second), order("files", nil)).want(w.t, 401, "another site")
	})
}

func TestAGeneratorMakesTokensOfPeople(t *testing.T) {
	each(t, func(w *world) {
		portal := bearing("portal", w.service("portal"))
		extra := object{"tapis/client_id": "spa", "tapis/grant_type": "password", "email": "ada@example.org"}
		access := claims(w.t, w.send("POST", "/v3/tokens", portal, forUser(object{"claims": extra})).access(w.t))
		same(w.t, access, object{
			"jti": access["jti"], "iss": issuer("dev"), "sub": "ada@dev", "tapis/tenant_id": "dev", "tapis/token_type": "access",
			"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "ada", "tapis/account_type": "user",
			"exp": float64(w.now().Unix() + 300), "tapis/client_id": "spa", "tapis/grant_type": "password", "email": "ada@example.org",
		})
		// In the tenant of its role and nowhere else.
		w.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "tacc"})).want(w.t, 403, "may not make tokens")
		w.send("POST", "/v3/tokens", portal, order("files", nil)).want(w.t, 403, "may not make tokens")
		// Taking the role away counts at once.
		if _, err := w.accounts.RevokeRole(w.t.Context(), "admin", "portal", "dev_token_generator"); err != nil {
			w.t.Fatal(err)
		}
		w.send("POST", "/v3/tokens", portal, forUser(nil)).want(w.t, 403, "may not make tokens")
	})
}

func TestDelegationIsForGeneratorsAndPeopleOfTheSite(t *testing.T) {
	w := onSQLite(t)
	delegated := func(changes object) object {
		o := forUser(object{"delegation_token": true, "delegation_sub_tenant_id": "tacc", "delegation_sub_username": "grace"})
		for name, value := range changes {
			o[name] = value
		}
		return o
	}
	portal := bearing("portal", w.service("portal"))
	c := claims(t, w.send("POST", "/v3/tokens", portal, delegated(nil)).access(t))
	if c["tapis/delegation"] != true || c["tapis/delegation_sub"] != "grace@tacc" || c["sub"] != "ada@dev" {
		t.Errorf("claims %v", c)
	}
	// Upstream tells those who forget a field to ask their administrator.
	w.send("POST", "/v3/tokens", portal, delegated(object{"delegation_sub_username": ""})).want(t, 400, "delegation_sub_username")
	w.send("POST", "/v3/tokens", portal, delegated(object{"delegation_sub_tenant_id": nil})).want(t, 400, "delegation_sub_tenant_id")
	w.send("POST", "/v3/tokens", portal, delegated(object{"delegation_sub_tenant_id": "far"})).want(t, 400, "delegation_sub_tenant_id")
	w.send("POST", "/v3/tokens", portal, delegated(object{"token_tenant_id": "tacc"})).want(t, 403, "")
	w.send("POST", "/v3/tokens", bearing("files", w.service("files")), delegated(nil)).want(t, 403, "")
	own := order("files", object{"delegation_token": true, "delegation_sub_tenant_id": "dev", "delegation_sub_username": "ada"})
	w.send("POST", "/v3/tokens", bearing("files", w.service("files")), own).want(t, 403, "")
	w.send("POST", "/v3/tokens", w.basic("files"), own).want(t, 403, "")
	w.grant("admin", "files", "admin_token_generator")
	w.send("POST", "/v3/tokens", bearing("files", w.service("files")), own).want(t, 400, "delegation_token")
}

func TestLifetimesThatAreNotAskedForAreFiveAndTenMinutes(t *testing.T) {
	w := onSQLite(t)
	for _, ttl := range []any{nil, 0, -1, -1 << 62} {
		got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", object{"access_token_ttl": ttl, "refresh_token_ttl": ttl}))
		wantTTL(t, got, 300, 600)
	}
}

func wantTTL(t *testing.T, a answer, access, refresh float64) {
	t.Helper()
	a.want(t, 200, "")
	result := a.body["result"].(object)
	for kind, want := range map[string]float64{"access_token": access, "refresh_token": refresh} {
		if got := result[kind].(object)["expires_in"]; got != want {
			t.Errorf("%s expires in %v, want %v", kind, got, want)
		}
	}
}

func TestLifetimesAreGivenAsAskedAndCutToTheLongest(t *testing.T) {
	w := onSQLite(t)
	const year = 365 * 24 * 3600
	for _, c := range []struct{ access, refresh, gotAccess, gotRefresh int64 }{
		{14400, 7776000, 14400, 7776000},
		{86400, 3153600000, 86400, year},
		{year + 1, 1<<63 - 1, year, year}, // no overflow
		{1, 1, 1, 1},
	} {
		got := w.send("POST", "/v3/tokens", w.basic("files"), order("files", object{"access_token_ttl": c.access, "refresh_token_ttl": c.refresh}))
		wantTTL(t, got, float64(c.gotAccess), float64(c.gotRefresh))
	}
	w.limit(3600, 48*3600)
	got := w.send("POST", "/v3/tokens", bearing("portal", w.service("portal")),
		forUser(object{"access_token_ttl": 7200, "refresh_token_ttl": year, "generate_refresh_token": true}))
	wantTTL(t, got, 3600, 48*3600)
}

func TestWhoDoesNotShowWhoHeIsIsAskedFor(t *testing.T) {
	w := onSQLite(t)
	body := order("files", nil)
	for name, h := range map[string]headers{
		"nothing":                {},
		"only OBO headers":       {"X-Tapis-Tenant": "admin", "X-Tapis-User": "files"},
		"a wrong password":       {"Authorization": basicAuth("files", seal.NewSecret())},
		"an empty password":      {"Authorization": basicAuth("files", "")},
		"an unknown service":     {"Authorization": basicAuth("nobody", w.password)},
		"another letter case":    {"Authorization": basicAuth("Files", w.password)},
		"a name with the tenant": {"Authorization": basicAuth("files@admin", w.password)},
		"no Base64":              {"Authorization": "Basic ***"},
		"no colon":               {"Authorization": "Basic ZmlsZXM="},
	} {
		got := w.send("POST", "/v3/tokens", h, body)
		if got.status != 401 || !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: %d, %v", name, got.status, got.header)
		}
	}
	for name, h := range map[string]headers{
		"a word":       bearing("files", "token"),
		"other scheme": {"Authorization": "Digest x"},
		"no OBO":       {"X-Tapis-Token": w.service("files")},
		"one OBO":      {"X-Tapis-Token": w.service("files"), "X-Tapis-User": "files"},
	} {
		if got := w.send("POST", "/v3/tokens", h, body); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d, %v", name, got.status, got.header)
		}
	}
	both := bearing("files", w.service("files"))
	both["Authorization"] = basicAuth("files", w.password)
	w.send("POST", "/v3/tokens", both, body).want(t, 400, "both headers")
}

func TestGuessingTheServicePasswordIsThrottled(t *testing.T) {
	w := onSQLite(t)
	wrong := headers{"Authorization": basicAuth("files", "guess")}
	for range 10 {
		w.send("POST", "/v3/tokens", wrong, order("files", nil)).want(t, 401, "")
	}
	refused := w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).want(t, 429, "Too many")
	if refused.header.Get("Retry-After") == "" || refused.body["error"] != nil {
		t.Errorf("got %s with %v", refused.raw, refused.header)
	}
	w.send("POST", "/v3/tokens", w.basic("portal"), order("portal", nil)).want(t, 200, "")
	w.advance(time.Minute)
	w.send("POST", "/v3/tokens", w.basic("files"), order("files", nil)).want(t, 200, "")
}

func TestEveryBadOrderNamesItsField(t *testing.T) {
	w := onSQLite(t)
	portal, files := bearing("portal", w.service("portal")), w.basic("files")
	for _, c := range []struct {
		field string
		who   headers
		body  any
	}{
		{"body is empty", files, ""},
		{"JSON", files, "{"},
		{"JSON object", files, "[]"},
		{"account_type", files, order("files", object{"account_type": nil})},
		{"account_type", files, order("files", object{"account_type": "robot"})},
		{"account_type", files, order("files", object{"account_type": 7})},
		{"token_tenant_id", files, order("files", object{"token_tenant_id": nil})},
		{"token_tenant_id", files, order("files", object{"token_tenant_id": "nowhere"})},
		{"token_tenant_id", files, order("files", object{"token_tenant_id": "draft"})},
		{"token_tenant_id", files, order("files", object{"token_tenant_id": "far"})},
		{"token_tenant_id", portal, order("portal", object{"token_tenant_id": "dev"})},
		{"token_username", files, order("files", object{"token_username": nil})},
		{"token_username", portal, forUser(object{"token_username": "a\x00da"})},
		{"token_username", portal, forUser(object{"token_username": " ada"})},
		{"token_username", portal, forUser(object{"token_username": "a\nda"})},
		{"token_username", portal, forUser(object{"token_username": strings.Repeat("a", 257)})},
		{"target_site_id", files, order("files", object{"target_site_id": "mars"})},
		{"target_site_id", portal, forUser(object{"target_site_id": "mars"})},
		{"target_site_id", files, order("files", object{"target_site_id": 1})},
		{"access_token_ttl", files, order("files", object{"access_token_ttl": "3600"})},
		{"access_token_ttl", files, order("files", object{"access_token_ttl": 1e30})},
		{"refresh_token_ttl", files, order("files", object{"refresh_token_ttl": 1.5})},
		{"generate_refresh_token", files, order("files", object{"generate_refresh_token": "true"})},
		{"delegation_token", files, order("files", object{"delegation_token": 1})},
		{"claims", portal, forUser(object{"claims": []string{"email"}})},
		{"claims", portal, forUser(object{"claims": "email"})},
		{"claims", portal, forUser(object{"claims": object{"x": strings.Repeat("x", 5000)}})},
		{"tapis/username", portal, forUser(object{"claims": object{"tapis/username": "root"}})},
		{"more than once", files, `{"account_type": "service", "account_type": "user"}`},
	} {
		got := w.send("POST", "/v3/tokens", c.who, c.body).want(t, 400, c.field)
		for _, tenant := range []string{"tacc", "edge-admin"} {
			if strings.Contains(got.raw, tenant) {
				t.Errorf("the answer lists tenants: %s", got.raw)
			}
		}
	}
	h := w.basic("files")
	h["Content-Type"] = "text/plain"
	w.send("POST", "/v3/tokens", h, order("files", nil)).want(t, 415, "Content-Type")
	w.send("POST", "/v3/tokens", w.basic("files"), `{"x":"`+strings.Repeat("x", 1<<20)+`"}`).want(t, 413, "")
}

func TestWhatIsNotNeededMayBeAbsentNullOrUnknown(t *testing.T) {
	w := onSQLite(t)
	body := object{
		"account_type": "service", "token_tenant_id": "admin", "token_username": "files", "claims": nil, "target_site_id": nil,
		"access_token_ttl": nil, "delegation_token": nil, "something": "else",
	}
	c := claims(t, w.send("POST", "/v3/tokens", w.basic("files"), body).access(t))
	if c["tapis/target_site"] != "main" {
		t.Errorf("target site %v, want this one", c["tapis/target_site"])
	}
}

func TestATokenOfATenantThatWasJustMadeCanBeHadAtOnce(t *testing.T) {
	w := onSQLite(t)
	w.grant("admin", "portal", "draft_token_generator")
	portal := bearing("portal", w.service("portal"))
	w.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "draft"})).want(t, 400, "token_tenant_id")
	w.status["draft"] = "ACTIVE"
	w.advance(6 * time.Second)
	c := claims(t, w.send("POST", "/v3/tokens", portal, forUser(object{"token_tenant_id": "draft"})).access(t))
	if c["iss"] != issuer("draft") {
		t.Errorf("issuer %v", c["iss"])
	}
}

func TestWithoutADatabaseNoTokenIsIssued(t *testing.T) {
	w := onSQLite(t)
	files := bearing("files", w.service("files"))
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Minute)
	for _, h := range []headers{w.basic("files"), files} {
		if got := w.send("POST", "/v3/tokens", h, order("files", nil)).want(t, http.StatusServiceUnavailable, "database"); got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}
