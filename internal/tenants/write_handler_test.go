package tenants

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/httpapi"
)

func TestRowsAreMadeReadAndDeleted(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		h.clock.advance(time.Hour)
		for _, tt := range []struct {
			list, id string
			body     object
			deleted  bool
		}{
			{"/v3/sites", "west", newSiteBody, true},
			{"/v3/tenants/owners", "new@example.org", newOwnerBody, true},
			{"/v3/tenants/ldaps", "people", newLDAPBody, true},
			{"/v3/tenants", "new", newTenantBody, false},
		} {
			one := tt.list + "/" + tt.id
			made := wants(t, h, 201, tt.id, "POST", tt.list, body(t, tt.body, nil))
			again := wants(t, h, 409, tt.id+" exists already", "POST", tt.list, body(t, tt.body, nil))
			equal(t, one+", Content-Type", again.header.Get("Content-Type"), "application/json")
			read := get(t, h, one, 200, service(t, "tenants@admin")...)
			equal(t, one, made.object(t), read.object(t))
			for name, value := range tt.body {
				text, _ := json.Marshal(value)
				got, _ := json.Marshal(made.object(t)[name])
				if string(got) != string(text) && string(text) != "[]" {
					t.Errorf("%s, %s: got %s, want %s", one, name, got, text)
				}
			}
			equal(t, one+", create_time", made.object(t)["create_time"], any("Mon, 02 Nov 2026 13:00:00 GMT"))
			equal(t, one+", last_update_time", made.object(t)["last_update_time"], any("Mon, 02 Nov 2026 13:00:00 GMT"))
			if tt.list == "/v3/sites" || tt.list == "/v3/tenants" {
				equal(t, one+", by", []any{made.object(t)["created_by"], made.object(t)["last_updated_by"]}, []any{"tenants@admin", "tenants@admin"})
			}
			if tt.deleted {
				gone := wants(t, h, 200, "deleted", "DELETE", one, "")
				equal(t, one+", result", string(gone.result), "null")
				get(t, h, one, 404)
				wants(t, h, 404, tt.id, "DELETE", one, "")
				wants(t, h, 201, "", "POST", tt.list, body(t, tt.body, nil))
			}
		}
		equal(t, "status", get(t, h, "/v3/tenants/new", 200).object(t)["status"], any("DRAFT"))
	})
}

func TestATenantCanBeMadeWithAllItsFields(t *testing.T) {
	h := open(t)
	made := wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, object{
		"status": "active", "public_key": wrappedKeys()[0], "description": "Two\nlines.", "user_ldap_connection_id": "tapis-dev",
		"service_ldap_connection_id": "tapis-dev", "token_gen_services": []string{"authenticator", "abaco"},
		"id": 7, "tenant_base_url": "x", "is_owned_by_associate_site": true, "allowable_x_tenant_ids": []string{"dev"}, "create_time": "now",
	}))
	got := made.object(t)
	equal(t, "status", got["status"], any("ACTIVE"))
	equal(t, "key", got["public_key"], any(canonicalKey(t)))
	equal(t, "computed", []any{got["is_owned_by_associate_site"], got["allowable_x_tenant_ids"]}, []any{false, []any{"new"}})
	equal(t, "the same is read", get(t, h, "/v3/tenants/new", 200).object(t), got)
	if !slices.Contains(get(t, h, "/v3/tenants", 200).ids(t, "tenant_id"), "new") {
		t.Error("the new tenant is not in the list")
	}
}

func TestUpstreamBugATenantWithoutStatusIsAnInternalError(t *testing.T) {
	h := open(t)
	got := wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, nil))
	equal(t, "status", got.object(t)["status"], any("DRAFT"))
}

// TestBodiesThatBreakARuleAreRefusedByField sends, for every rule, what breaks it.
func TestBodiesThatBreakARuleAreRefusedByField(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		list    string
		base    object
		refused []object // with one member each, which the message must name
	}{
		{"/v3/sites", newSiteBody, []object{
			{"site_id": ""},
			{"site_id": long(51)},
			{"site_id": "a.b"},
			{"site_id": 7},
			{"primary": "yes"},
			{"primary": 1},
			{"base_url": ""},
			{"base_url": long(2001)},
			{"base_url": "a b"},
			{"tenant_base_url_template": "https://${tenant_id}.b.org"},
			{"site_admin_tenant_id": ""},
			{"site_admin_tenant_id": "a_b"},
			{"services": []string{""}},
			{"services": []string{"a b"}},
			{"services": []any{nil}},
			{"services": []any{1}},
			{"services": []string{"a", "a"}},
			{"services": "files"},
		}},
		{"/v3/tenants", newTenantBody, []object{
			{"tenant_id": ""},
			{"tenant_id": "-a"},
			{"tenant_id": "a_b"},
			{"tenant_id": long(51)},
			{"tenant_id": "owners"},
			{"tenant_id": "LDAPS"},
			{"tenant_id": "Ready"},
			{"tenant_id": "hello"},
			{"tenant_id": "History"},
			{"tenant_id": "sites"},
			{"tenant_id": "tenants"},
			{"tenant_id": "docs"},
			{"tenant_id": []string{"a"}},
			{"base_url": ""},
			{"base_url": "https://new.example.org/"},
			{"base_url": "new.example.org"},
			{"base_url": "ftp://new.example.org"},
			{"base_url": "https://new.example.org:443"},
			{"base_url": "https://NEW.example.org"},
			{"base_url": "https://" + long(2000)},
			{"site_id": "nowhere"},
			{"site_id": ""},
			{"status": "asleep"},
			{"status": 1},
			{"token_service": ""},
			{"token_service": "x"},
			{"security_kernel": ""},
			{"security_kernel": "https://" + long(2000)},
			{"authenticator": ""},
			{"authenticator": "javascript:alert(1)"},
			{"owner": ""},
			{"owner": "nobody@example.org"},
			{"owner": long(121)},
			{"admin_user": ""},
			{"admin_user": long(121)},
			{"admin_user": "a\u0000b"},
			{"token_gen_services": []string{""}},
			{"token_gen_services": []string{"a/b"}},
			{"token_gen_services": true},
			{"public_key": "key"},
			{"public_key": long(10001)},
			{"service_ldap_connection_id": "nowhere"},
			{"user_ldap_connection_id": "nowhere"},
			{"user_ldap_connection_id": 1},
			{"description": long(1001)},
			{"description": "\u0007"},
		}},
		{"/v3/tenants/ldaps", newLDAPBody, []object{
			{"ldap_id": ""},
			{"ldap_id": long(51)},
			{"ldap_id": "a b"},
			{"url": ""},
			{"url": "https://x"},
			{"url": "ldap://" + long(2000)},
			{"port": 0},
			{"port": 65536},
			{"port": -1},
			{"port": "636"},
			{"port": 1.5},
			{"use_ssl": "true"},
			{"user_dn": ""},
			{"user_dn": long(201)},
			{"bind_dn": ""},
			{"bind_dn": long(201)},
			{"bind_credential": ""},
			{"bind_credential": long(201)},
			{"account_type": ""},
			{"account_type": "people"},
			{"account_type": "USER"},
		}},
		{"/v3/tenants/owners", newOwnerBody, []object{
			{"email": ""}, {"email": "nobody"}, {"email": "A <a@b>"}, {"email": long(120) + "@b"}, {"name": ""}, {"name": " "}, {"name": long(81)}, {"institution": ""}, {"institution": long(81)}, {"institution": 5},
		}},
	} {
		for _, change := range tt.refused {
			for name := range change {
				wants(t, h, 400, name, "POST", tt.list, body(t, tt.base, change))
			}
		}
		for name := range tt.base { // each of the least is needed, and is not null
			wants(t, h, 400, name, "POST", tt.list, body(t, tt.base, object{name: nil}))
			if name != "token_gen_services" && name != "services" {
				wants(t, h, 400, name, "POST", tt.list, strings.Replace(body(t, tt.base, object{name: "@@@"}), `"@@@"`, "null", 1))
			}
		}
		for _, text := range []string{"", "[]", "null", "{", `{"a":1}{}`, `"x"`, `{"owner":"a","OWNER":"b"}`} {
			wants(t, h, 400, "", "POST", tt.list, text)
		}
		wants(t, h, 413, "", "POST", tt.list, `{"x":"`+strings.Repeat("x", httpapi.MaxBody)+`"}`)
		wants(t, h, 415, "", "POST", tt.list, "a=b", append(service(t, "tenants@admin"), "Content-Type", "application/x-www-form-urlencoded")...)
	}
	wants(t, h, 400, "public_key", "POST", "/v3/tenants", body(t, newTenantBody, object{"status": "active"}))
	equal(t, "content", contentOf(t, h.service), before)
}

func TestRowsThatStandAgainstOthersAreRefused(t *testing.T) {
	h := open(t)
	for _, tt := range []struct {
		says, list string
		base       object
		change     object
	}{
		{"dev exists already", "/v3/tenants", newTenantBody, object{"tenant_id": "DEV"}},
		{"base_url", "/v3/tenants", newTenantBody, object{"base_url": "http://localhost:8080"}},
		{"base_url", "/v3/tenants", newTenantBody, object{"base_url": "https://localhost:8080"}}, // another scheme, the same host
		{"base_url", "/v3/tenants", newTenantBody, object{"base_url": "http://dev.localhost:8080"}},
		{"base_url", "/v3/tenants", newTenantBody, object{"base_url": "https://old.localhost:8080"}},
		{"exists already", "/v3/sites", newSiteBody, object{"site_id": "main"}},
		{"only one", "/v3/sites", newSiteBody, object{"primary": true, "base_url": "https://w.org", "tenant_base_url_template": "https://${tenant_id}.w.org"}},
		{"base_url", "/v3/sites", newSiteBody, object{"base_url": "EAST.example.org"}},
		{"base_url", "/v3/sites", newSiteBody, object{"base_url": "https://east.example.org/"}},
		{"exists already", "/v3/tenants/ldaps", newLDAPBody, object{"ldap_id": "tapis-dev"}},
		{"exists already", "/v3/tenants/owners", newOwnerBody, object{"email": "ops@example.org"}},
	} {
		wants(t, h, 409, tt.says, "POST", tt.list, body(t, tt.base, tt.change))
	}
	// A tenant's address at the primary site must be nobody's base URL.
	wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, object{"base_url": "http://later.localhost:8080"}))
	wants(t, h, 409, "later.localhost:8080", "POST", "/v3/tenants", body(t, newTenantBody, object{"tenant_id": "Later", "base_url": "https://x.org"}))
	wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, object{"tenant_id": "self", "base_url": "http://self.localhost:8080"}))
}

func TestUpdatesChangeWhatIsGivenAndAreRemembered(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		h.clock.advance(time.Hour)
		got := wants(t, h, 200, "", "PUT", "/v3/tenants/dev",
			`{"description":null,"user_ldap_connection_id":"","token_gen_services":[],"status":"INACTIVE","admin_user":"boss","unknown":1}`, service(t, "tokens@admin")...).object(t)
		for _, absent := range []string{"description", "user_ldap_connection_id", "token_gen_services"} {
			if value, there := got[absent]; there {
				t.Errorf("%s is %v", absent, value)
			}
		}
		equal(t, "the rest", []any{got["status"], got["admin_user"], got["last_updated_by"], got["last_update_time"], got["created_by"]},
			[]any{"INACTIVE", "boss", "tokens@admin", "Mon, 02 Nov 2026 13:00:00 GMT", "tenants@admin"})
		h.clock.advance(time.Hour)
		wants(t, h, 200, "", "PUT", "/v3/tenants/dev", `{"status":"active","token_service":"https://tokens.example.org"}`)

		past := get(t, h, "/v3/tenants/dev/history", 200)
		equal(t, "history", past.rows(t), []object{
			{"tenant_id": "dev", "update_time": "Mon, 02 Nov 2026 13:00:00 GMT", "updated_by": "tokens@admin", "updates": object{
				"description": object{"prev": "The dev tenant.", "new": nil}, "user_ldap_connection_id": object{"prev": "tapis-dev", "new": nil},
				"token_gen_services": object{"prev": []any{"authenticator"}, "new": []any{}}, "status": object{"prev": "ACTIVE", "new": "INACTIVE"},
				"admin_user": object{"prev": "testadmin", "new": "boss"},
			}},
			{"tenant_id": "dev", "update_time": "Mon, 02 Nov 2026 14:00:00 GMT", "updated_by": "tenants@admin", "updates": object{
				"status":        object{"prev": "INACTIVE", "new": "ACTIVE"},
				"token_service": object{"prev": "http://localhost:8080/v3/tokens", "new": "https://tokens.example.org"},
			}},
		})
		equal(t, "metadata", past.metadata, map[string]int{"recordCount": 2, "recordLimit": -1, "recordsSkipped": 0, "totalCount": 2})
		equal(t, "the second", get(t, h, "/v3/tenants/dev/history?limit=1&offset=1", 200).rows(t)[0]["updated_by"], any("tenants@admin"))
		equal(t, "none", string(get(t, h, "/v3/tenants/admin/history", 200).result), "[]")
		get(t, h, "/v3/tenants/nobody/history", 404)
		get(t, h, "/v3/tenants/dev/history?limit=x", 400)
	})
}

func TestAnUpdateThatChangesNothingWritesNothing(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		before, counter := get(t, h, "/v3/tenants/dev", 200), counterOf(t, h.service)
		site := get(t, h, "/v3/sites/main", 200)
		h.clock.advance(time.Hour)
		for _, text := range []string{"{}", `{"description":"The dev tenant."}`, string(before.result), `{"unknown":true}`, `{"service_ldap_connection_id":null}`} {
			equal(t, text, wants(t, h, 200, "", "PUT", "/v3/tenants/dev", text).object(t), before.object(t))
		}
		for _, text := range []string{"{}", string(site.result)} {
			equal(t, text, wants(t, h, 200, "", "PUT", "/v3/sites/main", text).object(t), site.object(t))
		}
		equal(t, "change counter", counterOf(t, h.service), counter)
		equal(t, "history", string(get(t, h, "/v3/tenants/dev/history", 200).result), "[]")
		equal(t, "history of the site", string(get(t, h, "/v3/sites/main/history", 200).result), "[]")
		get(t, h, "/v3/tenants/dev", 304, "If-None-Match", before.header.Get("ETag"))
	})
}

func TestUpdatesThatBreakARuleAreRefused(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	for _, tt := range []struct {
		id, body string
		status   int
		says     string
	}{
		{"dev", `{"tenant_id":"other"}`, 400, "tenant_id"},
		{"dev", `{"tenant_id":null}`, 400, "tenant_id"},
		{"dev", `{"site_id":"east"}`, 400, "site_id"},
		{"dev", `{"site_id":""}`, 400, "site_id"},
		{"dev", `{"base_url":"https://elsewhere.org"}`, 400, "base_url"},
		{"dev", `{"base_url":null}`, 400, "base_url"},
		{"dev", `{"status":"draft"}`, 400, "status"},
		{"Old", `{"status":"draft"}`, 400, "status"},
		{"dev", `{"status":null}`, 400, "status"},
		{"dev", `{"status":"gone"}`, 400, "status"},
		{"dev", `{"public_key":null}`, 400, "public_key"},
		{"dev", `{"public_key":"x"}`, 400, "public_key"},
		{"dev", `{"owner":null}`, 400, "owner"},
		{"dev", `{"owner":"nobody@example.org"}`, 400, "owner"},
		{"dev", `{"token_service":""}`, 400, "token_service"},
		{"dev", `{"security_kernel":null}`, 400, "security_kernel"},
		{"dev", `{"authenticator":""}`, 400, "authenticator"},
		{"dev", `{"admin_user":null}`, 400, "admin_user"},
		{"dev", `{"user_ldap_connection_id":"nowhere"}`, 400, "user_ldap_connection_id"},
		{"dev", `{"service_ldap_connection_id":"nowhere"}`, 400, "service_ldap_connection_id"},
		{"dev", `{"token_gen_services":[""]}`, 400, "token_gen_services"},
		{"dev", `{"description":7}`, 400, "description"},
		{"dev", `[]`, 400, "object"},
		{"plan", `{"status":"active"}`, 400, "public_key"},
		{"admin", `{"status":"inactive"}`, 409, "status"},
		{"east-admin", `{"status":"inactive"}`, 409, "status"},
		{"nobody", `{}`, 404, "nobody"},
		{"a%3Cb", `{}`, 404, "no such tenant"},
	} {
		wants(t, h, tt.status, tt.says, "PUT", "/v3/tenants/"+tt.id, tt.body)
	}
	equal(t, "content", contentOf(t, h.service), before)
	// What is as it was may be sent along.
	wants(t, h, 200, "", "PUT", "/v3/tenants/dev", `{"tenant_id":"dev","site_id":"main","base_url":"http://localhost:8080","description":"New."}`)
}

func TestTheStatusOfATenantFollowsItsLifecycle(t *testing.T) {
	h := open(t)
	key, _ := json.Marshal(wrappedKeys()[0])
	put := func(id, text string) { t.Helper(); wants(t, h, 200, "", "PUT", "/v3/tenants/"+id, text) }
	put("plan", `{"public_key":`+string(key)+`}`)
	equal(t, "a draft with a key", get(t, h, "/v3/tenants/plan", 200).object(t)["public_key"], any(canonicalKey(t)))
	put("plan", `{"public_key":null}`)
	put("plan", `{"status":"active","public_key":`+string(key)+`}`)
	put("plan", `{"status":"inactive"}`)
	put("plan", `{"status":"active"}`)
	put("east-one", `{"status":"inactive"}`)
	put("east-admin", `{"status":"inactive"}`)
	put("Old", `{"public_key":null}`)
	wants(t, h, 400, "public_key", "PUT", "/v3/tenants/Old", `{"status":"active"}`)
	r := wants(t, h, 405, "", "DELETE", "/v3/tenants/plan", "")
	equal(t, "Allow", r.header.Get("Allow"), "GET, HEAD, PUT")
}

func TestAnUpdateOfASiteIsRemembered(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		h.clock.advance(time.Hour)
		got := wants(t, h, 200, "", "PUT", "/v3/sites/east", `{"services":["security","tokens"],"base_url":"https://east.org","site_admin_tenant_id":"east-one"}`).object(t)
		equal(t, "site", []any{got["services"], got["base_url"], got["site_admin_tenant_id"], got["last_updated_by"], got["last_update_time"]},
			[]any{[]any{"security", "tokens"}, "https://east.org", "east-one", "tenants@admin", "Mon, 02 Nov 2026 13:00:00 GMT"})
		equal(t, "read", get(t, h, "/v3/sites/east", 200).object(t), got)
		wants(t, h, 200, "", "PUT", "/v3/sites/main", `{"tenant_base_url_template":"http://${tenant_id}.new.org","base_url":"http://new.org","services":null}`)
		equal(t, "history", get(t, h, "/v3/sites/east/history", 200).rows(t), []object{{
			"site_id": "east", "update_time": "Mon, 02 Nov 2026 13:00:00 GMT", "updated_by": "tenants@admin", "updates": object{
				"services": object{"prev": []any{"security"}, "new": []any{"security", "tokens"}}, "base_url": object{"prev": "east.example.org", "new": "https://east.org"},
				"site_admin_tenant_id": object{"prev": "east-admin", "new": "east-one"},
			},
		}})
		equal(t, "one page", len(get(t, h, "/v3/sites/main/history?limit=0", 200).rows(t)), 0)
		get(t, h, "/v3/sites/nowhere/history", 404)
	})
}

func TestUpdatesOfSitesThatBreakARuleAreRefused(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	for _, tt := range []struct {
		id, body string
		status   int
		says     string
	}{
		{"east", `{"site_id":"west"}`, 400, "site_id"},
		{"east", `{"primary":true}`, 400, "primary"},
		{"main", `{"primary":false}`, 400, "primary"},
		{"main", `{"primary":null}`, 400, "primary"},
		{"east", `{"tenant_base_url_template":"https://${tenant_id}.e.org"}`, 400, "tenant_base_url_template"},
		{"main", `{"tenant_base_url_template":null}`, 400, "tenant_base_url_template"},
		{"main", `{"tenant_base_url_template":"https://tenant.e.org"}`, 400, "tenant_base_url_template"},
		{"main", `{"base_url":"e.org"}`, 400, "base_url"},
		{"east", `{"base_url":""}`, 400, "base_url"},
		{"east", `{"base_url":"http://localhost:8080"}`, 409, "base_url"},
		{"east", `{"services":["a b"]}`, 400, "services"},
		{"east", `{"services":[""]}`, 400, "services"},
		{"east", `{"services":{}}`, 400, "services"},
		{"east", `{"site_admin_tenant_id":"nobody"}`, 400, "site_admin_tenant_id"},
		{"east", `{"site_admin_tenant_id":"dev"}`, 400, "site_admin_tenant_id"},
		{"east", `{"site_admin_tenant_id":"east-old"}`, 409, "site_admin_tenant_id"},
		{"main", `{"site_admin_tenant_id":"plan"}`, 409, "site_admin_tenant_id"},
		{"main", `{"tenant_base_url_template":"https://east-one${tenant_id}.example.org"}`, 200, ""},
		{"nowhere", `{}`, 404, "nowhere"},
	} {
		wants(t, h, tt.status, tt.says, "PUT", "/v3/sites/"+tt.id, tt.body)
	}
	wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, object{"base_url": "https://dev.taken.org"}))
	wants(t, h, 409, "dev.taken.org", "PUT", "/v3/sites/main", `{"tenant_base_url_template":"https://${tenant_id}.taken.org"}`)
	equal(t, "sites", contentOf(t, h.service).Sites[0], before.Sites[0])
}

func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		before := contentOf(t, h.service)
		wants(t, h, 409, "primary", "DELETE", "/v3/sites/main", "")
		wants(t, h, 409, "east-admin", "DELETE", "/v3/sites/east", "")
		wants(t, h, 409, "by the tenant Old", "DELETE", "/v3/tenants/owners/ops@example.org", "")
		wants(t, h, 409, "by the tenant dev", "DELETE", "/v3/tenants/ldaps/tapis-dev", "")
		wants(t, h, 404, "no such owner", "DELETE", "/v3/tenants/owners/x", "")
		wants(t, h, 404, "no such LDAP", "DELETE", "/v3/tenants/ldaps/a%20b", "")
		wants(t, h, 404, "no such site", "DELETE", "/v3/sites/a%20b", "")
		equal(t, "content", contentOf(t, h.service), before)
		wants(t, h, 200, "", "PUT", "/v3/tenants/dev", `{"user_ldap_connection_id":null,"service_ldap_connection_id":"tapis-dev"}`)
		wants(t, h, 409, "by the tenant dev", "DELETE", "/v3/tenants/ldaps/tapis-dev", "")
		wants(t, h, 200, "", "PUT", "/v3/tenants/dev", `{"service_ldap_connection_id":null}`)
		wants(t, h, 200, "", "DELETE", "/v3/tenants/ldaps/tapis-dev", "")
	})
}

func TestASiteTakesItsHistoryAlong(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		for range 2 {
			wants(t, h, 201, "", "POST", "/v3/sites", body(t, newSiteBody, nil))
			equal(t, "history", string(get(t, h, "/v3/sites/west/history", 200).result), "[]")
			wants(t, h, 200, "", "PUT", "/v3/sites/west", `{"services":[]}`)
			equal(t, "history", len(get(t, h, "/v3/sites/west/history", 200).rows(t)), 1)
			wants(t, h, 200, "", "DELETE", "/v3/sites/west", "")
		}
	})
}

func TestPublicKeysAreKeptInOneForm(t *testing.T) {
	h := open(t)
	wrapped := wrappedKeys()[1]
	want, err := NormalizePublicKey(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for i, form := range []string{wrapped, strings.ReplaceAll(wrapped, "\n", "\r\n"), strings.ReplaceAll(wrapped, "\n", `\n`), want, want + "\n", " " + wrapped} {
		id := fmt.Sprintf("key-%d", i)
		got := wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, object{"tenant_id": id, "base_url": "https://" + id + ".org", "public_key": form}))
		equal(t, id, got.object(t)["public_key"], any(want))
	}
}

func TestUpstreamBugAPutCannotClearAFieldAndRecordsEmptyHistory(t *testing.T) {
	h := open(t)
	for _, text := range []string{`{"description":null}`, `{"description":""}`, `{}`} {
		got := wants(t, h, 200, "", "PUT", "/v3/tenants/dev", text)
		if _, there := got.object(t)["description"]; there {
			t.Errorf("after %s there is a description", text)
		}
	}
	equal(t, "history", len(get(t, h, "/v3/tenants/dev/history", 200).rows(t)), 1)
}

func TestUpstreamBugAKeyThatIsLongDoesNotFitIntoHistory(t *testing.T) {
	h := open(t)
	for range 3 { // each row holds two keys
		for _, key := range wrappedKeys() {
			wants(t, h, 200, "", "PUT", "/v3/tenants/east-old", body(t, object{"public_key": key, "description": strings.Repeat("x", 990) + key[80:90]}, nil))
		}
	}
	equal(t, "history", len(get(t, h, "/v3/tenants/east-old/history", 200).rows(t)), 6)
}

func TestUpstreamBugHistoryCallsTheTokenServiceByAnotherName(t *testing.T) {
	h := open(t)
	wants(t, h, 200, "", "PUT", "/v3/tenants/dev", `{"token_service":"https://t.example.org"}`)
	updates := get(t, h, "/v3/tenants/dev/history", 200).rows(t)[0]["updates"].(object)
	equal(t, "fields", memberNames(updates), []string{"token_service"})
}

func TestUpstreamBugDeletingAnOwnerInUseTellsSQL(t *testing.T) {
	h := open(t)
	r := wants(t, h, 409, "", "DELETE", "/v3/tenants/owners/ops@example.org", "")
	if text := string(r.raw); strings.Contains(text, "FOREIGN") || strings.Contains(text, "constraint") {
		t.Error(text)
	}
}

func TestUpstreamBugSitesAreDeletedUnderTheirTenants(t *testing.T) {
	h := open(t)
	wants(t, h, 409, "", "DELETE", "/v3/sites/east", "")
	wants(t, h, 409, "", "DELETE", "/v3/sites/main", "")
}

func TestOldToolsMayBeToldBadRequestForEverything(t *testing.T) {
	h := open(t)
	e, err := httpapi.New(httpapi.Options{Version: "test", Log: h.service.log, LegacyErrorCodes: true})
	if err != nil {
		t.Fatal(err)
	}
	h.service.Mount(e)
	for _, tt := range []struct{ method, target, body string }{
		{"GET", "/v3/sites/nowhere", ""},
		{"GET", "/v3/tenants/nobody", ""},
		{"GET", "/v3/tenants/owners/a@b", ""},
		{"POST", "/v3/tenants", "{}"},
		{"POST", "/v3/tenants/owners", body(t, newOwnerBody, object{"email": "ops@example.org"})},
		{"DELETE", "/v3/tenants/dev", ""},
	} {
		equal(t, tt.method+" "+tt.target, send(t, e, tt.method, tt.target, tt.body).status, 400)
	}
	equal(t, "without a token", send(t, e, "POST", "/v3/tenants", "{}", "X-Other", "x").status, 400)
	equal(t, "a success", send(t, e, "POST", "/v3/tenants/owners", body(t, newOwnerBody, nil)).status, http.StatusCreated)
}
