package tenants

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"gatehouse/api/openapi"
)

func TestListsAreFilteredAndCut(t *testing.T) {
	h, _ := seeded(t)
	active := []string{"admin", "dev", "east-admin", "east-one"}
	everything := []string{"Old", "admin", "dev", "east-admin", "east-old", "east-one", "plan"}
	for _, tt := range []struct {
		list, id, query string
		want            []string
		total           int
	}{
		{"tenants", "tenant_id", "", active, 4},
		{"tenants", "tenant_id", "limit=-1", active, 4},
		{"tenants", "tenant_id", "limit=", active, 4},
		{"tenants", "tenant_id", "unknown=1", active, 4},
		{"tenants", "tenant_id", "limit=2", []string{"admin", "dev"}, 4},
		{"tenants", "tenant_id", "limit=2&offset=3", []string{"east-one"}, 4},
		{"tenants", "tenant_id", "offset=1", []string{"dev", "east-admin", "east-one"}, 4},
		{"tenants", "tenant_id", "offset=99", []string{}, 4},
		{"tenants", "tenant_id", "limit=0", []string{}, 4},
		{"tenants", "tenant_id", "limit=2147483647&offset=2147483647", []string{}, 4},
		{"tenants", "tenant_id", "show_draft=true", append(active[:4:4], "plan"), 5},
		{"tenants", "tenant_id", "show_draft=True", append(active[:4:4], "plan"), 5},
		{"tenants", "tenant_id", "show_draft=false", active, 4},
		{"tenants", "tenant_id", "show_inactive=false", active, 4},
		{"tenants", "tenant_id", "show_draft=False&show_inactive=FALSE", active, 4},
		{"tenants", "tenant_id", "show_draft=", active, 4},
		{"tenants", "tenant_id", "show_inactive=true", everything[:6], 6},
		{"tenants", "tenant_id", "show_inactive=true&show_draft=true", everything, 7},
		{"tenants", "tenant_id", "show_inactive=true&show_draft=true&limit=2&offset=5", []string{"east-one", "plan"}, 7},
		{"sites", "site_id", "", []string{"east", "main"}, 2},
		{"sites", "site_id", "limit=1", []string{"east"}, 2},
		{"sites", "site_id", "offset=1", []string{"main"}, 2},
		{"sites", "site_id", "limit=5&offset=2", []string{}, 2},
		{"sites", "site_id", "limit=-1", []string{"east", "main"}, 2},
	} {
		r := get(t, h, "/v3/"+tt.list+"?"+tt.query, 200)
		equal(t, tt.query, r.ids(t, tt.id), tt.want)
		equal(t, tt.query+", recordCount", r.metadata["recordCount"], len(tt.want))
		equal(t, tt.query+", totalCount", r.metadata["totalCount"], tt.total)
	}
	r := get(t, h, "/v3/tenants", 200)
	equal(t, "metadata", r.metadata, map[string]int{"recordCount": 4, "recordLimit": -1, "recordsSkipped": 0, "totalCount": 4})
	equal(t, "statuses", r.ids(t, "status"), []string{"ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE"})
}

func TestSelectPicksMembers(t *testing.T) {
	h, _ := seeded(t)
	full := get(t, h, "/v3/tenants", 200).rows(t)
	tests := []struct {
		query string
		want  []string // members of the row of admin
	}{
		{"select=tenant_id,status", []string{"status", "tenant_id"}},
		{"select=tenant_id,%20base_url%20", []string{"base_url", "tenant_id"}},
		{"select=tenant_id,nonsense", []string{"tenant_id"}},
		{"select=tenant_id,token_gen_services", []string{"tenant_id"}}, // admin has none
		{"select=nonsense", memberNames(full[0])},
		{"select=", memberNames(full[0])},
		{"select=allowable_x_tenant_ids", []string{"allowable_x_tenant_ids"}},
	}
	for _, tt := range tests {
		rows := get(t, h, "/v3/tenants?"+tt.query, 200).rows(t)
		equal(t, tt.query, memberNames(rows[0]), tt.want)
		equal(t, tt.query+", rows", len(rows), 4)
	}
}

func memberNames(row map[string]any) []string { return slices.Sorted(maps.Keys(row)) }

func TestBadQueryParametersAreRefusedByName(t *testing.T) {
	h, _ := seeded(t)
	for _, tt := range []struct{ query, says string }{
		{"limit=-2", "limit"},
		{"limit=many", "limit"},
		{"limit=1.5", "limit"},
		{"limit=99999999999999999999", "limit"},
		{"limit=1&limit=2", "limit"},
		{"offset=-1", "offset"},
		{"offset=x", "offset"},
		{"limit=%zz", "query"},
		{"limit=1;offset=2", "query"},
		{"other=%zz", "query"},
	} {
		for _, path := range []string{"/v3/tenants?", "/v3/sites?", "/v3/tenants/ldaps?", "/v3/tenants/owners?"} {
			if r := get(t, h, path+tt.query, 400); !strings.Contains(r.message, tt.says) {
				t.Errorf("GET %s%s: got %q, want %q in it", path, tt.query, r.message, tt.says)
			}
		}
	}
	for _, tt := range []struct{ query, says string }{
		{"show_draft=yes", "show_draft"},
		{"show_draft=1", "show_draft"},
		{"show_draft=true&show_draft=false", "show_draft"},
		{"show_inactive=none", "show_inactive"},
		{"select=tenant_id&select=status", "select"},
	} {
		if r := get(t, h, "/v3/tenants?"+tt.query, 400); !strings.Contains(r.message, tt.says) {
			t.Errorf("%s: got %q, want %q in it", tt.query, r.message, tt.says)
		}
	}
}

func TestATenantOfAnyStatusCanBeRead(t *testing.T) {
	h, _ := seeded(t)
	for id, status := range map[string]string{"dev": "ACTIVE", "plan": "DRAFT", "Old": "INACTIVE"} {
		tenant := get(t, h, "/v3/tenants/"+id, 200).object(t)
		equal(t, id, []any{tenant["tenant_id"], tenant["status"]}, []any{id, status})
	}
}

func TestAbsentMembersOfATenantAreLeftOut(t *testing.T) {
	h, _ := seeded(t)
	for id, absent := range map[string][]string{
		"admin": {"token_gen_services", "description", "user_ldap_connection_id", "service_ldap_connection_id"},
		"plan":  {"public_key", "token_gen_services"},
	} {
		tenant := get(t, h, "/v3/tenants/"+id, 200).object(t)
		for _, member := range absent {
			if value, there := tenant[member]; there {
				t.Errorf("%s has %s = %v", id, member, value)
			}
		}
		for _, member := range []string{"is_owned_by_associate_site", "allowable_x_tenant_ids"} {
			if tenant[member] == nil {
				t.Errorf("%s lacks %s", id, member)
			}
		}
	}
}

func TestComputedMembersFollowTheSite(t *testing.T) {
	h, _ := seeded(t)
	for id, want := range map[string]struct {
		associate bool
		allowable []any
	}{
		"dev":        {false, []any{"dev"}},
		"plan":       {false, []any{"plan"}},
		"admin":      {false, []any{"admin", "dev", "east-admin", "east-one"}},
		"east-one":   {true, []any{"east-one"}},
		"east-admin": {true, []any{"east-admin", "east-one"}},
	} {
		tenant := get(t, h, "/v3/tenants/"+id, 200).object(t)
		equal(t, id+" is_owned_by_associate_site", tenant["is_owned_by_associate_site"], any(want.associate))
		equal(t, id+" allowable_x_tenant_ids", tenant["allowable_x_tenant_ids"], any(want.allowable))
	}
}

func TestAnUnknownIDIsNamedOnlyWhenItCouldBeOne(t *testing.T) {
	h, _ := seeded(t)
	long := strings.Repeat("a", 51)
	for echoed, all := range map[bool][][2]string{
		true: {
			{"/v3/tenants/nobody", "nobody"},
			{"/v3/tenants/DEV", "DEV"},
			{"/v3/tenants/ldaps/nowhere", "nowhere"},
			{"/v3/tenants/ldaps/TAPIS-DEV", "TAPIS-DEV"},
			{"/v3/tenants/owners/nobody@example.org", "nobody@example.org"},
			{"/v3/tenants/owners/OPS@example.org", "OPS@example.org"},
			{"/v3/sites/nowhere", "nowhere"},
		},
		false: {
			{"/v3/tenants/" + long, long},
			{"/v3/tenants/%3Cscript%3E", "script"},
			{"/v3/tenants/a%2Fb", "a/b"},
			{"/v3/tenants/dev%00", "dev"},
			{"/v3/tenants/history", "history"},
			{"/v3/tenants/LDAPS", "LDAPS"},
			{"/v3/tenants/ldaps/no%20where", "no where"},
			{"/v3/tenants/ldaps/" + long, long},
			{"/v3/tenants/owners/nobody", "nobody"},
			{"/v3/tenants/owners/%3Cb%3E%20a@b", "<b>"},
			{"/v3/sites/no.where", "no.where"},
			{"/v3/sites/" + long, long},
			{"/v3/sites/%0a", "\n"},
		},
	} {
		for _, tt := range all {
			target, says := tt[0], tt[1]
			r := get(t, h, target, 404)
			if got := strings.Contains(r.message, says); got != echoed {
				t.Errorf("GET %s: got %q; is %q in it: %v, want %v", target, r.message, says, got, echoed)
			}
			if strings.Contains(r.message, "east") {
				t.Errorf("GET %s: the message tells of others: %q", target, r.message)
			}
		}
	}
}

func TestEveryReadAnswersHead(t *testing.T) {
	h, _ := seeded(t)
	for _, target := range []string{
		"/v3/sites", "/v3/sites?limit=1", "/v3/sites/main", "/v3/tenants", "/v3/tenants?limit=1", "/v3/tenants/dev",
		"/v3/tenants/hello", "/v3/tenants/ready", "/v3/tenants/nobody",
		"/v3/tenants/ldaps", "/v3/tenants/ldaps?limit=0", "/v3/tenants/ldaps/tapis-dev", "/v3/tenants/ldaps/nowhere",
		"/v3/tenants/owners", "/v3/tenants/owners?offset=1", "/v3/tenants/owners/ops@example.org",
	} {
		head, full := ask(t, h, http.MethodHead, target), ask(t, h, http.MethodGet, target)
		equal(t, target+", status", head.status, full.status)
		equal(t, target+", body", len(head.raw), 0)
		for _, name := range []string{"Content-Type", "Content-Length", "ETag", "Cache-Control", "Vary"} {
			equal(t, target+", "+name, head.header.Get(name), full.header.Get(name))
		}
	}
	tag := ask(t, h, http.MethodHead, "/v3/tenants").header.Get("ETag")
	if got := ask(t, h, http.MethodHead, "/v3/tenants", "If-None-Match", tag).status; got != 304 {
		t.Errorf("conditional HEAD: got %d, want 304", got)
	}
}

func TestListsAndObjectsAreConditional(t *testing.T) {
	h, s := seeded(t)
	tags := map[string]string{}
	for _, target := range []string{
		"/v3/sites", "/v3/sites/main", "/v3/tenants", "/v3/tenants/dev", "/v3/tenants?limit=1",
		"/v3/sites?limit=1",
	} {
		r := get(t, h, target, 200)
		tags[target] = r.header.Get("ETag")
		if got := r.header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("GET %s: Cache-Control %q, want no-cache", target, got)
		}
		for _, known := range []string{tags[target], "W/" + tags[target], `"x", ` + tags[target], "*"} {
			get(t, h, target, 304, "If-None-Match", known)
		}
		get(t, h, target, 200, "If-None-Match", `"x"`)
	}
	if tags["/v3/sites"] == tags["/v3/tenants"] {
		t.Error("different lists have the same tag")
	}
	rename(t, s, "dev", "Another description.")
	get(t, h, "/v3/tenants", 200, "If-None-Match", tags["/v3/tenants"])
	get(t, h, "/v3/tenants/dev", 200, "If-None-Match", tags["/v3/tenants/dev"])
	get(t, h, "/v3/sites", 304, "If-None-Match", tags["/v3/sites"])
	get(t, h, "/v3/tenants?limit=1", 304, "If-None-Match", tags["/v3/tenants?limit=1"])
}

func TestTheListIsCompressedForThoseWhoAskForIt(t *testing.T) {
	h, _ := seeded(t)
	plain := get(t, h, "/v3/tenants", 200)
	packed := get(t, h, "/v3/tenants", 200, "Accept-Encoding", "gzip, deflate, br")
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.raw) >= len(plain.raw) {
		t.Errorf("got %q with %d bytes, plain are %d", packed.header.Get("Content-Encoding"), len(packed.raw), len(plain.raw))
	}
	for _, tag := range []string{plain.header.Get("ETag"), packed.header.Get("ETag")} {
		get(t, h, "/v3/tenants", 304, "If-None-Match", tag, "Accept-Encoding", "gzip")
		get(t, h, "/v3/tenants", 304, "If-None-Match", tag)
	}
}

func TestHealth(t *testing.T) {
	h, _ := seeded(t)
	for _, target := range []string{"/v3/tenants/hello", "/v3/tenants/ready"} {
		if got := string(get(t, h, target, 200).result); got != `""` {
			t.Errorf("GET %s: result %s, want an empty text", target, got)
		}
	}
}

func TestTheDocumentDescribesExactlyTheRoutes(t *testing.T) {
	raw, err := openapi.Document("tenants")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for path, item := range spec.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	s := empty(t)
	gets, heads := 0, 0
	for _, route := range engine(t, s).Routes() {
		if strings.Contains(route.Path, "/docs") || strings.HasSuffix(route.Path, ".yaml") {
			continue // the document and its page describe, and are not described
		}
		segments := strings.Split(route.Path, "/")
		for i, segment := range segments {
			if strings.HasPrefix(segment, ":") {
				segments[i] = "{" + segment[1:] + "}"
			}
		}
		switch route.Method {
		case http.MethodHead:
			heads++
			continue
		case http.MethodGet:
			gets++
		}
		served = append(served, route.Method+" "+strings.Join(segments, "/"))
	}
	slices.Sort(documented)
	slices.Sort(served)
	equal(t, "documented", documented, served)
	equal(t, "routes with HEAD", heads, gets)
}

func TestEmptyListsAreLists(t *testing.T) {
	s := empty(t)
	h := engine(t, s)
	for _, target := range []string{
		"/v3/sites", "/v3/tenants", "/v3/sites?limit=1", "/v3/tenants?select=tenant_id",
		"/v3/tenants/ldaps", "/v3/tenants/owners", "/v3/tenants/ldaps?limit=1", "/v3/tenants/owners?limit=1",
	} {
		r := get(t, h, target, 200)
		if string(r.result) != "[]" {
			t.Errorf("GET %s: got %s, want []", target, r.result)
		}
	}
}

func TestEnvelopesCarryTheVersionOfTheProgram(t *testing.T) {
	h, _ := seeded(t)
	for _, target := range []string{"/v3/sites", "/v3/tenants", "/v3/tenants/dev", "/v3/tenants?limit=1", "/v3/tenants/nobody"} {
		if raw := string(ask(t, h, http.MethodGet, target).raw); !strings.Contains(raw, `"version":"test"`) {
			t.Errorf("GET %s: %s", target, fmt.Sprintf("%.300s", raw))
		}
	}
}
