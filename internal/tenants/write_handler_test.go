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

func TestRecordsAreMadeReadAndDeleted(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		h.clock.Advance(time.Hour)
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
				equal(t, one+", by", []any{made.object(t)["created_by"], made.object(t)["last_updated_by"]},
					[]any{"tenants@admin", "tenants@admin"})
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
		"id": 7, "tenant_base_url": "x", "is_owned_by_associate_site": true, "allowable_x_tenant_ids": []string{"dev"},
		"create_time": "now",
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

// TestBodiesThatBreakARuleAreRefusedByField sends, for every rule, what breaks it.
func TestBodiesThatBreakARuleAreRefusedByField(t *testing.T) {
	h := open(t)
	before := contentOf(t, h.service)
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		list    string
		base    object
		refused map[string][]any // values by member, which the message must name
	}{
		{"/v3/sites", newSiteBody, map[string][]any{
			"site_id": {"", long(51), "a.b", 7}, "primary": {"yes", 1}, "base_url": {"", long(2001), "a b"},
			"tenant_base_url_template": {"https://${tenant_id}.b.org"}, "site_admin_tenant_id": {"", "a_b"},
			"services": {[]string{""}, []string{"a b"}, []any{nil}, []any{1}, []string{"a", "a"}, "files"},
		}},
		{"/v3/tenants", newTenantBody, map[string][]any{
			"tenant_id": {
				"", "-a", "a_b", long(51), []string{"a"}, // and what is reserved:
				"owners", "ldaps", "hello", "ready", "history", "sites", "tenants", "docs", "Owners", "LDAPS", "hElLo",
			},
			"base_url": {
				"", "https://new.example.org/", "new.example.org", "ftp://new.example.org", "https://new.example.org:443",
				"https://NEW.example.org", "https://" + long(2000),
			},
			"site_id": {"nowhere", ""}, "status": {"asleep", 1}, "token_service": {"", "x"},
			"security_kernel": {"", "https://" + long(2000)}, "authenticator": {"", "javascript:alert(1)"},
			"owner":      {"", "nobody@example.org", long(121)},
			"admin_user": {"", long(121), "a\u0000b"}, "token_gen_services": {[]string{""}, []string{"a/b"}, true},
			"public_key": {"key", long(10001)}, "service_ldap_connection_id": {"nowhere"}, "user_ldap_connection_id": {"nowhere", 1},
			"description": {long(1001), "\u0007"},
		}},
		{"/v3/tenants/ldaps", newLDAPBody, map[string][]any{
			"ldap_id": {"", long(51), "a b", "a/b"}, "url": {"", "https://x", "ldap://" + long(2000)},
			"port":    {0, 65536, -1, "636", 1.5},
			"use_ssl": {"true"}, "user_dn": {"", long(201)}, "bind_dn": {"", long(201)}, "bind_credential": {"", long(201)},
			"account_type": {"", "people", "USER"},
		}},
		{"/v3/tenants/owners", newOwnerBody, map[string][]any{
			"email": {"", "nobody", "A <a@b>", long(120) + "@b"}, "name": {"", " ", long(81)}, "institution": {"", long(81), 5},
		}},
	} {
		for name, values := range tt.refused {
			for _, value := range values {
				wants(t, h, 400, name, "POST", tt.list, body(t, tt.base, object{name: value}))
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
		wants(t, h, 415, "", "POST", tt.list, "a=b",
			append(service(t, "tenants@admin"), "Content-Type", "application/x-www-form-urlencoded")...)
	}
	wants(t, h, 400, "public_key", "POST", "/v3/tenants", body(t, newTenantBody, object{"status": "active"}))
	equal(t, "content", contentOf(t, h.service), before)
}

func TestRecordsThatStandAgainstOthersAreRefused(t *testing.T) {
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
		{
			"only one", "/v3/sites", newSiteBody,
			object{"primary": true, "base_url": "https://w.org", "tenant_base_url_template": "https://${tenant_id}.w.org"},
		},
		{"base_url", "/v3/sites", newSiteBody, object{"base_url": "EAST.example.org"}},
		{"base_url", "/v3/sites", newSiteBody, object{"base_url": "https://east.example.org/"}},
		{"exists already", "/v3/tenants/ldaps", newLDAPBody, object{"ldap_id": "tapis-dev"}},
		{"exists already", "/v3/tenants/owners", newOwnerBody, object{"email": "ops@example.org"}},
	} {
		wants(t, h, 409, tt.says, "POST", tt.list, body(t, tt.base, tt.change))
	}
	// A tenant's address at the primary site must be nobody's base URL.
	wants(t, h, 201, "", "POST", "/v3/tenants", body(t, newTenantBody, object{"base_url": "http://later.localhost:8080"}))
	wants(t, h, 409, "later.localhost:8080", "POST", "/v3/tenants",
		body(t, newTenantBody, object{"tenant_id": "Later", "base_url": "https://x.org"}))
	wants(t, h, 201, "", "POST", "/v3/tenants",
		body(t, newTenantBody, object{"tenant_id": "self", "base_url": "http://self.localhost:8080"}))
}

func TestUpdatesChangeWhatIsGivenAndAreRemembered(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		h.clock.Advance(time.Hour)
		got := wants(t, h, 200, "", "PUT", "/v3/tenants/dev",
			`{"description":null,"user_ldap_connection_id":"","token_gen_services":[],"status":"INACTIVE","admin_user":"boss","x":1}`,
			service(t, "tokens@admin")...).object(t)
		for _, absent := range []string{"description", "user_ldap_connection_id", "token_gen_services"} {
			if value, there := got[absent]; there {
				t.Errorf("%s is %v", absent, value)
			}
		}
		members(t, got, object{
			"status": "INACTIVE", "admin_user": "boss", "created_by": "tenants@admin",
			"last_updated_by": "tokens@admin", "last_update_time": "Mon, 02 Nov 2026 13:00:00 GMT",
		})
		h.clock.Advance(time.Hour)
		wants(t, h, 200, "", "PUT", "/v3/tenants/dev", `{"status":"active","token_service":"https://tokens.example.org"}`)

		past := get(t, h, "/v3/tenants/dev/history", 200)
		equal(t, "history", past.rows(t), []object{
			{"tenant_id": "dev", "update_time": "Mon, 02 Nov 2026 13:00:00 GMT", "updated_by": "tokens@admin", "updates": object{
				"description":             object{"prev": "The dev tenant.", "new": nil},
				"user_ldap_connection_id": object{"prev": "tapis-dev", "new": nil},
				"token_gen_services":      object{"prev": []any{"authenticator"}, "new": []any{}},
				"status":                  object{"prev": "ACTIVE", "new": "INACTIVE"},
				"admin_user":              object{"prev": "testadmin", "new": "boss"},
			}},
			{"tenant_id": "dev", "update_time": "Mon, 02 Nov 2026 14:00:00 GMT", "updated_by": "tenants@admin", "updates": object{
				"status":        object{"prev": "INACTIVE", "new": "ACTIVE"},
				"token_service": object{"prev": "http://localhost:8080/v3/tokens", "new": "https://tokens.example.org"},
			}},
		})
		equal(t, "metadata", past.metadata, map[string]int{"recordCount": 2, "recordLimit": -1, "recordsSkipped": 0, "totalCount": 2})
		equal(t, "the second", get(t, h, "/v3/tenants/dev/history?limit=1&offset=1", 200).rows(t)[0]["updated_by"],
			any("tenants@admin"))
		equal(t, "none", string(get(t, h, "/v3/tenants/admin/history", 200).result), "[]")
		get(t, h, "/v3/tenants/nobody/history", 404)
		get(t, h, "/v3/tenants/dev/history?limit=x", 400)
	})
}

func TestAnUpdateThatChangesNothingWritesNothing(t *testing.T) {
	eachOpen(t, func(t *testing.T, h *fixture) {
		before, counter := get(t, h, "/v3/tenants/dev", 200), counterOf(t, h.service)
		site := get(t, h, "/v3/sites/main", 200)
		h.clock.Advance(time.Hour)
		for _, text := range []string{
			"{}", string(before.result), `{"description":"The dev tenant."}`, `{"unknown":true}`, `{"service_ldap_connection_id":null}`,
		} {
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

// refusals are JSON values by field that an update of one record is refused
// with, by the id of the record.
type refusals map[string]map[string][]string

// refused sends them, each alone, and expects that apply says the same.
func refused[R any](t *testing.T, h *fixture, path string, res Resource[R], wanted func(p Patch[R]) Wanted, of map[int]refusals) {
	t.Helper()
	before := contentOf(t, h.service)
	for status, all := range of {
		for id, values := range all {
			for name, texts := range values {
				for _, text := range texts {
					text = fmt.Sprintf("{%q:%s}", name, text)
					r := wants(t, h, status, name, "PUT", path+id, text)
					p, err := patchOf(res, text)
					if err != nil || p.Given[res.Fields[0].Name] {
						continue // apply has documents instead, which say themselves whom they are about
					}
					*res.Fields[0].Of(&p.Values).(*string) = id
					if _, err = h.service.Plan(t.Context(), wanted(p)); err == nil || err.Error() != r.message {
						t.Errorf("%s %s: the API says %q, apply %v", id, text, r.message, err)
					}
				}
			}
		}
	}
	equal(t, "content", contentOf(t, h.service), before)
}

func TestUpdatesOfTenantsThatBreakARuleAreRefused(t *testing.T) {
	h := open(t)
	wanted := func(p Patch[Tenant]) Wanted {
		if err := readTenant(&p); err != nil {
			p.Values.PublicKey = "x" // which readTenant refuses itself
		}
		return Wanted{Tenants: []Patch[Tenant]{p}}
	}
	refused(t, h, "/v3/tenants/", Tenants(), wanted, map[int]refusals{
		400: {
			"dev": {
				"tenant_id": {`"other"`, `null`}, "site_id": {`"east"`, `""`}, "base_url": {`"https://elsewhere.org"`, `null`},
				"status": {`"draft"`, `null`, `"gone"`}, "public_key": {`null`, `"x"`}, "owner": {`null`, `"nobody@example.org"`},
				"token_service": {`""`}, "security_kernel": {`null`}, "authenticator": {`""`}, "admin_user": {`null`},
				"user_ldap_connection_id": {`"nowhere"`}, "service_ldap_connection_id": {`"nowhere"`},
				"token_gen_services": {`[""]`, `["a b"]`}, "description": {`7`},
			},
			"Old": {"status": {`"draft"`}},
		},
		409: {"admin": {"status": {`"inactive"`}}, "east-admin": {"status": {`"inactive"`}}},
	})
	wants(t, h, 400, "object", "PUT", "/v3/tenants/dev", `[]`)
	wants(t, h, 400, "public_key", "PUT", "/v3/tenants/plan", `{"status":"active"}`)
	wants(t, h, 404, "nobody", "PUT", "/v3/tenants/nobody", `{}`)
	wants(t, h, 404, "no such tenant", "PUT", "/v3/tenants/a%3Cb", `{}`)
	// What is as it was may be sent along.
	wants(t, h, 200, "", "PUT", "/v3/tenants/dev",
		`{"tenant_id":"dev","site_id":"main","base_url":"http://localhost:8080","description":"New."}`)
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
		h.clock.Advance(time.Hour)
		got := wants(t, h, 200, "", "PUT", "/v3/sites/east",
			`{"services":["security","tokens"],"base_url":"https://east.org","site_admin_tenant_id":"east-one"}`).object(t)
		members(t, got, object{
			"services": []any{"security", "tokens"}, "base_url": "https://east.org", "site_admin_tenant_id": "east-one",
			"last_updated_by": "tenants@admin", "last_update_time": "Mon, 02 Nov 2026 13:00:00 GMT",
		})
		equal(t, "read", get(t, h, "/v3/sites/east", 200).object(t), got)
		wants(t, h, 200, "", "PUT", "/v3/sites/main",
			`{"tenant_base_url_template":"https://${tenant_id}.new.org","base_url":"https://new.org","services":null}`)
		equal(t, "history", get(t, h, "/v3/sites/east/history", 200).rows(t), []object{{
			"site_id": "east", "update_time": "Mon, 02 Nov 2026 13:00:00 GMT", "updated_by": "tenants@admin", "updates": object{
				"services":             object{"prev": []any{"security"}, "new": []any{"security", "tokens"}},
				"base_url":             object{"prev": "east.example.org", "new": "https://east.org"},
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
	wanted := func(p Patch[Site]) Wanted { return Wanted{Sites: []Patch[Site]{p}} }
	refused(t, h, "/v3/sites/", Sites(), wanted, map[int]refusals{
		400: {
			"east": {
				"site_id": {`"west"`}, "primary": {`true`}, "tenant_base_url_template": {`"https://${tenant_id}.e.org"`}, "base_url": {`""`},
				"services": {`["a b"]`, `[""]`, `{}`}, "site_admin_tenant_id": {`"nobody"`, `"dev"`},
			},
			"main": {
				"primary": {`false`, `null`}, "base_url": {`"e.org"`}, "tenant_base_url_template": {
					`null`, `"https://tenant.e.org"`, `"https://${tenant_id}.${tenant_id}.org"`, `"https://a.org/${tenant_id}"`,
					`"https://a.org:${tenant_id}"`,
				},
			},
		},
		409: {
			"east": {"base_url": {`"http://localhost:8080"`, `"http://LOCALHOST:8080"`}, "site_admin_tenant_id": {`"east-old"`}},
			"main": {"site_admin_tenant_id": {`"plan"`}},
		},
	})
	wants(t, h, 404, "nowhere", "PUT", "/v3/sites/nowhere", `{}`)
	wants(t, h, 200, "", "PUT", "/v3/sites/main", `{"tenant_base_url_template":"https://east-one${tenant_id}.example.org"}`)
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
	crlf, escaped := strings.ReplaceAll(wrapped, "\n", "\r\n"), strings.ReplaceAll(wrapped, "\n", `\n`)
	for i, form := range []string{wrapped, crlf, escaped, want, want + "\n", " " + wrapped} {
		id := fmt.Sprintf("key-%d", i)
		got := wants(t, h, 201, "", "POST", "/v3/tenants",
			body(t, newTenantBody, object{"tenant_id": id, "base_url": "https://" + id + ".org", "public_key": form}))
		equal(t, id, got.object(t)["public_key"], any(want))
	}
}

func TestUpstreamBugAKeyThatIsLongDoesNotFitIntoHistory(t *testing.T) {
	h := open(t)
	for range 3 { // each row holds two keys
		for _, key := range wrappedKeys() {
			wants(t, h, 200, "", "PUT", "/v3/tenants/east-old",
				body(t, object{"public_key": key, "description": strings.Repeat("x", 990) + key[80:90]}, nil))
		}
	}
	equal(t, "history", len(get(t, h, "/v3/tenants/east-old/history", 200).rows(t)), 6)
}

func TestUpstreamBugDeletingAnOwnerInUseTellsSQL(t *testing.T) {
	h := open(t)
	r := wants(t, h, 409, "", "DELETE", "/v3/tenants/owners/ops@example.org", "")
	if text := string(r.raw); strings.Contains(text, "FOREIGN") || strings.Contains(text, "constraint") {
		t.Error(text)
	}
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
