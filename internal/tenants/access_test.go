package tenants

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// creations are requests that need the creator's role.
func creations(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"POST /v3/sites": body(t, newSiteBody, nil), "POST /v3/tenants": body(t, newTenantBody, nil),
		"POST /v3/tenants/ldaps": body(t, newLDAPBody, nil), "POST /v3/tenants/owners": body(t, newOwnerBody, nil),
		"DELETE /v3/sites/west": "", "DELETE /v3/tenants/ldaps/people": "", "DELETE /v3/tenants/owners/new@example.org": "",
	}
}

// updates need another role.
var updates = map[string]string{"PUT /v3/tenants/dev": `{"status":"inactive"}`, "PUT /v3/sites/main": `{"services":[]}`}

func TestWritesNeedAGoodAccessToken(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	changed := func(changes map[string]any) []string { return account(t, "service", "tenants@admin", changes) }
	whole := service(t, "tenants@admin")
	all := creations(t)
	for request, text := range updates {
		all[request] = text
	}
	for name, headers := range map[string][]string{
		"none":                            {"X-Other", "x"},
		"no token":                        {"X-Tapis-Token", "None"},
		"expired":                         changed(map[string]any{"exp": noon.Add(-time.Second).Unix()}),
		"a refresh token":                 changed(map[string]any{"tapis/token_type": "refresh"}),
		"for another site":                changed(map[string]any{"tapis/target_site": "east"}),
		"for no site":                     changed(map[string]any{"tapis/target_site": nil}),
		"an ID token":                     changed(map[string]any{"aud": "portal"}),
		"of another issuer":               changed(map[string]any{"iss": "http://localhost:8080/v3/tokens"}),
		"of a tenant with another's key":  changed(map[string]any{"tapis/tenant_id": "dev"}),
		"of an inactive tenant":           account(t, "service", "tenants@Old", nil),
		"of a draft":                      account(t, "user", "boss@plan", nil),
		"of nobody's tenant":              account(t, "user", "boss@nowhere", nil),
		"a service for nobody":            whole[:2],
		"a service for no user":           whole[:4],
		"a service for no tenant":         {"X-Tapis-Token", whole[1], "X-Tapis-User", "tenants"},
		"a service for a tenant unknown":  {"X-Tapis-Token", whole[1], "X-Tapis-Tenant", "nowhere", "X-Tapis-User", "x"},
		"a service of an ordinary tenant": account(t, "service", "tenants@dev", nil),
		"a user for somebody":             append(user(t, "boss@admin"), "X-Tapis-Tenant", "admin", "X-Tapis-User", "tenants"),
		"an associate's for another":      append(service(t, "tokens@east-admin")[:2], "X-Tapis-Tenant", "dev", "X-Tapis-User", "x"),
		"of neither kind":                 account(t, "robot", "tenants@admin", nil),
	} {
		for request, text := range all {
			method, target, _ := strings.Cut(request, " ")
			r := wants(t, h, http.StatusUnauthorized, "", method, target, text, headers...)
			if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s, %s: %v", name, request, r.header)
			}
		}
	}
	equal(t, "content", contentOf(t, h.service), before)
	if asked := h.authenticator.questions(); len(asked) != 0 {
		t.Errorf("roles were asked for: %v", asked)
	}
}

func TestOnlyCreatorsCreateAndDelete(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	h.authenticator.grant("admin boss tenant_definition_updater", "admin boss $!tenant_admin",
		"admin files tenant_definition_updater",
		"dev tenants tenant_creator", "dev boss tenant_creator", "dev boss $!tenant_admin", "east-admin tokens tenant_creator",
		"admin TENANTS tenant_creator",
		"admin tenants@admin tenant_creator", "east-admin tenants tenant_creator")
	for _, headers := range [][]string{
		user(t, "boss@admin"), service(t, "files@admin"), user(t, "tenants@dev"), user(t, "boss@dev"),
		service(t, "tokens@east-admin"), service(t, "tenants@east-admin"), user(t, "tenants@east-admin"),
		// A person with a service's name, to whom its roles must not pass.
		user(t, "tenants@admin"), user(t, "TENANTS@admin"), user(t, "Tokens@admin"), user(t, "files@admin"),
		// On whose behalf a service asks gives it nothing.
		{"X-Tapis-Token", service(t, "files@admin")[1], "X-Tapis-Tenant", "admin", "X-Tapis-User", "tenants"},
	} {
		for request, text := range creations(t) {
			method, target, _ := strings.Cut(request, " ")
			wants(t, h, http.StatusForbidden, "", method, target, text, headers...)
			wants(t, h, http.StatusForbidden, "", method, target, "garbage", headers...)
		}
	}
	equal(t, "content", contentOf(t, h.service), before)
	h.authenticator.grant("admin boss tenant_creator")
	for _, request := range []string{"POST /v3/sites", "POST /v3/tenants", "POST /v3/tenants/ldaps", "POST /v3/tenants/owners"} {
		method, target, _ := strings.Cut(request, " ")
		r := wants(t, h, http.StatusCreated, "", method, target, creations(t)[request], user(t, "boss@admin")...)
		if by := r.object(t)["created_by"]; by != nil {
			equal(t, request+", by", by, any("boss@admin"))
		}
	}
	for _, target := range []string{"/v3/sites/west", "/v3/tenants/ldaps/people", "/v3/tenants/owners/new@example.org"} {
		wants(t, h, http.StatusOK, "", "DELETE", target, "", user(t, "boss@admin")...)
	}
}

// TestWhoMayUpdateATenant is the matrix of docs/registry.md.
func TestWhoMayUpdateATenant(t *testing.T) {
	const (
		description = `{"description":"New %d"}`
		admin       = `{"admin_user":"someone%d"}`
		endpoint    = `{"token_service":"https://t%d.example.org"}`
	)
	all := []string{description, admin, endpoint}
	grants := []string{
		"admin boss tenant_creator", "admin files tenant_definition_updater", "admin clerk tenant_definition_updater",
		"dev ada $!tenant_admin", "dev uma tenant_definition_updater",
		"east-admin files tenant_definition_updater", "east-one ada $!tenant_admin", "east-one uma tenant_definition_updater",
		"dev tenants tenant_definition_updater", "admin systems $!tenant_admin", "dev mallory tenant_creator",
	}
	for _, tt := range []struct {
		kind, who string
		allowed   map[string][]string // bodies by tenant; all others are refused
	}{
		{"service", "tenants@admin", map[string][]string{"dev": all, "east-one": all, "admin": all}},
		{"user", "boss@admin", map[string][]string{"dev": all, "east-one": all, "admin": all}},
		{"service", "files@admin", map[string][]string{"dev": all, "admin": all}},
		{"service", "files@east-admin", map[string][]string{"east-one": all}},
		{"user", "ada@dev", map[string][]string{"dev": {description, admin}}},
		{"user", "uma@dev", map[string][]string{"dev": {description}}},
		{"user", "ada@east-one", map[string][]string{"east-one": {description, admin}}},
		{"user", "clerk@admin", map[string][]string{"admin": {description}}},
		{"user", "tenants@admin", nil},
		{"user", "tenants@dev", map[string][]string{"dev": {description}}},
		{"user", "files@admin", nil},
		{"user", "files@east-admin", nil},
		{"user", "nobody@dev", nil},
		{"user", "mallory@dev", nil},
		{"service", "systems@admin", map[string][]string{"admin": {description, admin}}},
		{"service", "tokens@east-admin", nil},
		{"service", "tenants@east-admin", nil},
	} {
		h := open(t)
		h.authenticator.grant(grants...)
		n := 0
		for _, tenant := range []string{"dev", "east-one", "admin"} { // a token's issuer last
			for _, text := range all {
				n++
				want := http.StatusForbidden
				if slices.Contains(tt.allowed[tenant], text) {
					want = http.StatusOK
				}
				headers := account(t, tt.kind, tt.who, nil)
				got := send(t, h, "PUT", "/v3/tenants/"+tenant, fmt.Sprintf(text, n), headers...)
				if got.status != want {
					t.Errorf("%s %s, %s, %s: got %d (%s), want %d", tt.kind, tt.who, tenant, text, got.status, got.message, want)
				}
				if got.status == http.StatusOK {
					equal(t, tt.who, got.object(t)["last_updated_by"], any(tt.who))
				}
			}
		}
	}
}

func TestWhatATenantsOwnPeopleMayNotChange(t *testing.T) {
	h := open(t)
	h.authenticator.grant("dev ada $!tenant_admin", "dev uma tenant_definition_updater")
	before := contentOf(t, h.service)
	key := wrappedKeys()[1]
	for field, value := range map[string]any{
		"status": "inactive", "token_service": "https://x.org", "security_kernel": "https://x.org", "authenticator": "https://x.org",
		"token_gen_services": []string{"evil"}, "public_key": key, "service_ldap_connection_id": "tapis-dev",
		"user_ldap_connection_id": "",
	} {
		for _, who := range []string{"ada@dev", "uma@dev"} {
			wants(t, h, http.StatusForbidden, field, "PUT", "/v3/tenants/dev",
				body(t, object{field: value, "description": "Along with it."}, nil), user(t, who)...)
		}
	}
	wants(t, h, http.StatusForbidden, "admin_user", "PUT", "/v3/tenants/dev", `{"admin_user":"uma"}`, user(t, "uma@dev")...)
	equal(t, "content", contentOf(t, h.service), before)
	// All that is as it was may be sent back.
	whole := get(t, h, "/v3/tenants/dev", 200).object(t)
	whole["description"] = "New."
	wants(t, h, http.StatusOK, "", "PUT", "/v3/tenants/dev", body(t, whole, nil), user(t, "uma@dev")...)
}

func TestHoldersOfKeysPublishThemWithoutARole(t *testing.T) {
	h := open(t)
	h.authenticator.silence()
	key := body(t, object{"public_key": wrappedKeys()[1]}, nil)
	publish := func(status int, tenant, text string, headers []string) {
		t.Helper()
		wants(t, h, status, "", "PUT", "/v3/tenants/"+tenant, text, headers...)
	}
	publish(503, "dev", key, user(t, "authenticator@dev"))
	publish(200, "dev", key, service(t, "authenticator@admin"))
	publish(200, "plan", key, service(t, "tokens@admin"))
	publish(200, "east-one", key, service(t, "authenticator@east-admin"))
	publish(200, "east-old", key, service(t, "tokens@east-admin"))
	// Not of another site, not other fields, not other services, not people.
	publish(503, "east-one", key, service(t, "authenticator@admin"))
	publish(403, "dev", key, service(t, "authenticator@east-admin"))
	publish(403, "admin", key, service(t, "tokens@east-admin"))
	publish(503, "dev", `{"status":"inactive"}`, service(t, "authenticator@admin"))
	publish(503, "dev", body(t, object{"public_key": wrappedKeys()[0], "description": "Too."}, nil),
		service(t, "authenticator@admin"))
	publish(503, "dev", key, service(t, "files@admin"))
	publish(403, "dev", key, user(t, "authenticator@admin"))
	publish(400, "dev", `{"public_key":"x"}`, service(t, "authenticator@admin"))
	publish(400, "dev", `{"public_key":null}`, service(t, "authenticator@admin"))
	// The administrative tenant's own key last: the old one signs for it no more.
	publish(200, "east-admin", key, service(t, "authenticator@east-admin"))
	publish(401, "east-one", key, service(t, "authenticator@east-admin"))
	updates := get(t, h, "/v3/tenants/east-one/history", 200).rows(t)
	equal(t, "history", []any{len(updates), updates[0]["updated_by"]}, []any{1, "authenticator@east-admin"})
}

func TestWhoMayUpdateASite(t *testing.T) {
	h := open(t)
	h.authenticator.grant("admin boss tenant_creator", "east-admin tokens tenant_definition_updater", "east-one ada $!tenant_admin",
		"east-one ada tenant_definition_updater", "east-admin ada tenant_definition_updater")
	try := func(status int, site, text string, headers []string) {
		t.Helper()
		wants(t, h, status, "", "PUT", "/v3/sites/"+site, text, headers...)
	}
	try(200, "east", `{"services":["security","files"]}`, service(t, "tokens@east-admin"))
	try(200, "east", `{"base_url":"east.org"}`, service(t, "tokens@east-admin"))
	try(403, "east", `{"site_admin_tenant_id":"east-one"}`, service(t, "tokens@east-admin"))
	try(403, "main", `{"services":[]}`, service(t, "tokens@east-admin"))
	try(403, "east", `{"services":[]}`, service(t, "files@east-admin"))
	try(403, "east", `{"services":[]}`, user(t, "ada@east-admin"))
	try(403, "east", `{"services":[]}`, user(t, "ada@east-one"))
	try(403, "east", `{"services":[]}`, service(t, "tokens@admin"))
	try(200, "main", `{"services":["tenants"]}`, service(t, "tokens@admin"))
	try(403, "main", `{"tenant_base_url_template":"https://${tenant_id}.x.org"}`, service(t, "tokens@admin"))
	try(200, "east", `{"site_admin_tenant_id":"east-one"}`, user(t, "boss@admin"))
	// From now on the services of the former administrative tenant are nobody's.
	try(401, "east", `{"services":[]}`, service(t, "tokens@east-admin"))
}

func TestNothingIsAllowedWhenRolesCannotBeAskedFor(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	h.authenticator.silence()
	all := creations(t)
	all["PUT /v3/sites/main"] = `{"services":[]}`
	for request, text := range all {
		method, target, _ := strings.Cut(request, " ")
		r := wants(t, h, http.StatusServiceUnavailable, "who may do what", method, target, text)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", request)
		}
	}
	wants(t, h, http.StatusServiceUnavailable, "who may do what", "PUT", "/v3/tenants/dev", `{"description":"x"}`,
		user(t, "ada@dev")...)
	equal(t, "content", contentOf(t, h.service), before)
	wants(t, h, http.StatusOK, "", "PUT", "/v3/tenants/dev", `{"description":"x"}`, service(t, "tenants@admin")...)

	alone := empty(t) // has not been told where to ask
	seed(t, alone, devSeed("8080"))
	e := engine(t, alone)
	wants(t, e, http.StatusServiceUnavailable, "who may do what", "POST", "/v3/tenants", body(t, newTenantBody, nil))
	wants(t, e, http.StatusOK, "", "PUT", "/v3/tenants/dev", `{"description":"x"}`)
}

func TestAdministratorsSeeTheConnectionsThatTheirTenantNames(t *testing.T) {
	h := open(t)
	h.authenticator.grant("dev ada $!tenant_admin", "east-one ada $!tenant_admin")
	wants(t, h, 201, "", "POST", "/v3/tenants/ldaps", body(t, newLDAPBody, nil))
	for _, tt := range []struct {
		headers []string
		own     bool
	}{
		{user(t, "ada@dev"), true},
		{user(t, "uma@dev"), false},
		{user(t, "ada@east-one"), false},
		{[]string{"X-Other", "x"}, false},
		{account(t, "user", "ada@dev", map[string]any{"exp": noon.Add(-time.Second).Unix()}), false},
	} {
		list := get(t, h, "/v3/tenants/ldaps", 200, tt.headers...).rows(t)
		equal(t, "ids", []any{list[0]["ldap_id"], list[1]["ldap_id"]}, []any{"people", "tapis-dev"})
		for _, row := range append(list, get(t, h, "/v3/tenants/ldaps/tapis-dev", 200, tt.headers...).object(t),
			get(t, h, "/v3/tenants/ldaps/people", 200, tt.headers...).object(t)) {
			_, shown := row["bind_credential"]
			equal(t, fmt.Sprint(row["ldap_id"], " ", tt.headers[0]), shown, tt.own && row["ldap_id"] == "tapis-dev")
		}
	}
	h.authenticator.close()
	h.clock.Advance(time.Minute)
	get(t, h, "/v3/tenants/ldaps", 200, user(t, "uma@dev")...) // reads go on
}

func TestUpstreamBugAUserCalledTenantsMayDoAnything(t *testing.T) {
	h := open(t)
	h.authenticator.grant("admin tenants tenant_definition_updater", "admin tenants $!tenant_admin")
	for _, target := range []string{"/v3/tenants/dev", "/v3/tenants/admin", "/v3/tenants/east-one"} {
		wants(t, h, http.StatusForbidden, "name of a service", "PUT", target, `{"description":"x"}`, user(t, "tenants@admin")...)
	}
}

func TestUpstreamBugTheAdministrativeTenantIsHardCoded(t *testing.T) {
	h := open(t)
	// The primary site's administrative tenant becomes another one.
	wants(t, h, 200, "", "PUT", "/v3/sites/main", `{"site_admin_tenant_id":"dev"}`)
	h.authenticator.grant("dev boss tenant_creator")
	wants(t, h, http.StatusForbidden, "tenant dev", "POST", "/v3/tenants", body(t, newTenantBody, nil), user(t, "boss@admin")...)
	wants(t, h, http.StatusCreated, "", "POST", "/v3/tenants", body(t, newTenantBody, nil), user(t, "boss@dev")...)
}

func TestARevokedTokenIsVoidHereToo(t *testing.T) {
	h := open(t)
	h.authenticator.grant("dev ada $!tenant_admin", "admin boss tenant_creator")
	put := func(status int, headers []string) {
		t.Helper()
		wants(t, h, status, "", "PUT", "/v3/tenants/dev", body(t, object{"description": h.clock.Now().String()}, nil), headers...)
		h.clock.Advance(time.Second)
	}
	for _, headers := range [][]string{
		user(t, "ada@dev"), user(t, "boss@admin"), service(t, "tenants@admin"), service(t, "tokens@admin"),
	} {
		put(200, headers)
		get(t, h, "/v3/tenants/ldaps", 200, headers...)
		h.authenticator.mu.Lock()
		h.authenticator.revoked[headers[1]] = true
		h.authenticator.mu.Unlock()
		put(401, headers)
		if rows := get(t, h, "/v3/tenants/ldaps", 200, headers...).rows(t); rows[0]["bind_dn"] != nil {
			t.Errorf("a revoked token shows %v", rows[0])
		}
	}
}

func TestNothingIsWrittenWhileRevocationsCannotBeAskedFor(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	h.authenticator.close()
	key := body(t, object{"public_key": wrappedKeys()[1]}, nil)
	for _, headers := range [][]string{service(t, "tenants@admin"), service(t, "authenticator@admin"), user(t, "ada@dev")} {
		wants(t, h, http.StatusServiceUnavailable, "who may do what", "PUT", "/v3/tenants/dev", key, headers...)
	}
	equal(t, "content", contentOf(t, h.service), before)
	// The authenticator reads on, so that people can sign in.
	if row := get(t, h, "/v3/tenants/ldaps/tapis-dev", 200, service(t, "authenticator@admin")...).object(t); row["bind_dn"] == nil {
		t.Errorf("got %v, want bind_dn", row)
	}
}
