package tenants

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// The tests of this file are named after defects of the service that this
// registry replaces, as far as they concern reading and the first start.

func TestUpstreamBugAnExpiredOrForeignTokenBreaksPublicReads(t *testing.T) {
	h, _ := seeded(t)
	for _, token := range []string{
		"garbage", "a.b.c", "",
		// {"alg":"none"} . {"exp":1,"tapis/tenant_id":"nowhere"}
		"eyJhbGciOiJub25lIn0.eyJleHAiOjEsInRhcGlzL3RlbmFudF9pZCI6Im5vd2hlcmUifQ.",
		strings.Repeat("x", 10000),
	} {
		for _, target := range []string{
			"/v3/sites", "/v3/sites/main", "/v3/tenants", "/v3/tenants/dev", "/v3/tenants?limit=1", "/v3/tenants/hello",
			"/v3/tenants/ldaps", "/v3/tenants/ldaps/tapis-dev", "/v3/tenants/owners", "/v3/tenants/owners/ops@example.org",
		} {
			get(t, h, target, 200, "X-Tapis-Token", token)
			get(t, h, target, 200, "Authorization", "Bearer "+token, "X-Tapis-Tenant", "nowhere", "X-Tapis-User", "x")
		}
	}
}

func TestUpstreamBugAWrongMethodIsAnInternalError(t *testing.T) {
	h, _ := seeded(t)
	for target, allow := range map[string]string{
		"/v3/sites": "GET, HEAD, POST", "/v3/sites/main": "DELETE, GET, HEAD, PUT", "/v3/sites/main/history": "GET, HEAD",
		"/v3/tenants": "GET, HEAD, POST", "/v3/tenants/dev": "GET, HEAD, PUT", "/v3/tenants/dev/history": "GET, HEAD",
		"/v3/tenants/hello": "GET, HEAD", "/v3/tenants/ready": "GET, HEAD",
		"/v3/tenants/ldaps": "GET, HEAD, POST", "/v3/tenants/ldaps/tapis-dev": "DELETE, GET, HEAD",
		"/v3/tenants/owners": "GET, HEAD, POST", "/v3/tenants/owners/ops@example.org": "DELETE, GET, HEAD",
	} {
		for _, method := range []string{http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			r := ask(t, h, method, target)
			equal(t, method+" "+target, r.status, http.StatusMethodNotAllowed)
			equal(t, method+" "+target+", Allow", r.header.Get("Allow"), allow)
		}
	}
}

func TestUpstreamBugUnknownPathsAndTrailingSlashesAreHTML(t *testing.T) {
	h, _ := seeded(t)
	for _, target := range []string{
		"/v3/tenants/", "/v3/sites/", "/v3/sites/main/", "/v3/tenants/dev/", "/v3/tenants/dev/nothing", "/v3/nothing", "/",
		"/v3/tenants/hello/", "/v3//tenants", "/V3/TENANTS",
	} {
		r := get(t, h, target, 404)
		equal(t, target+", Content-Type", r.header.Get("Content-Type"), "application/json")
		equal(t, target+", result", string(r.result), "null")
	}
}

func TestUpstreamBugAnUnknownObjectIsABadRequest(t *testing.T) {
	h, _ := seeded(t)
	get(t, h, "/v3/tenants/nobody", 404)
	get(t, h, "/v3/sites/nowhere", 404)
	get(t, h, "/v3/tenants/ldaps/nowhere", 404)
	get(t, h, "/v3/tenants/owners/nobody@example.org", 404)
}

func TestUpstreamBugLimitAndOffsetAreIgnored(t *testing.T) {
	h, _ := seeded(t)
	equal(t, "tenants", get(t, h, "/v3/tenants?limit=1&offset=1", 200).ids(t, "tenant_id"), []string{"dev"})
	equal(t, "sites", get(t, h, "/v3/sites?limit=1&offset=1", 200).ids(t, "site_id"), []string{"main"})
}

func TestUpstreamBugShowDraftFalseShowsDrafts(t *testing.T) {
	h, _ := seeded(t)
	for _, query := range []string{"show_draft=false", "show_inactive=false"} {
		equal(t, query, get(t, h, "/v3/tenants?"+query, 200).ids(t, "status"), []string{"ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE"})
	}
}

func TestUpstreamBugListsHaveNoOrder(t *testing.T) {
	s := empty(t)
	seed(t, s, devSeed("8080"))
	for _, id := range []string{"zeta", "alpha", "Beta", "0", "mid-2", "mid-10"} {
		add(t, s, Tenant{ID: id, SiteID: "main", Status: Active})
	}
	want := []string{"0", "Beta", "admin", "alpha", "dev", "mid-10", "mid-2", "zeta"}
	h := engine(t, s)
	equal(t, "order", get(t, h, "/v3/tenants", 200).ids(t, "tenant_id"), want)
	var paged []string
	for offset := range want {
		paged = append(paged, get(t, h, fmt.Sprintf("/v3/tenants?limit=1&offset=%d", offset), 200).ids(t, "tenant_id")...)
	}
	equal(t, "order of pages", paged, want)
}

func TestUpstreamBugTheTimesOfTheFirstSiteAreLocal(t *testing.T) {
	s := newService(t, testdb.New(t, migrations.Tenants), func() time.Time {
		return time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("far east", 9*3600))
	})
	bootstrap(t, s, operatorConfig())
	h := engine(t, s)
	for _, target := range []string{"/v3/sites/main", "/v3/tenants/admin"} {
		equal(t, target, get(t, h, target, 200).object(t)["create_time"], any("Wed, 31 Dec 2025 16:00:00 GMT"))
	}
}

func TestUpstreamBugAKnownKeyIsTrustedByDefault(t *testing.T) {
	s := empty(t)
	b := operatorConfig()
	b.AdminPublicKey = ""
	if err := s.Bootstrap(t.Context(), b); err == nil {
		t.Error("a registry without an operator's key has started")
	}
	get(t, engine(t, s), "/v3/tenants/admin", 404)
}

func TestUpstreamBugTheOwnerOfTheFirstTenantIsHardCoded(t *testing.T) {
	s := empty(t)
	b := operatorConfig()
	b.Owner = Owner{Email: "me@site.example.org", Name: "Me", Institution: "Mine"}
	bootstrap(t, s, b)
	equal(t, "owner", get(t, engine(t, s), "/v3/tenants/admin", 200).object(t)["owner"], any("me@site.example.org"))
}

func TestUpstreamBugAnActiveTenantMayLackAKey(t *testing.T) {
	s := empty(t)
	seed := devSeed("8080")
	seed.Tenants[0].PublicKey = ""
	if err := s.Seed(t.Context(), seed); !contains(err, "public_key") {
		t.Errorf("got %v, want an error about public_key", err)
	}
}

func TestUpstreamBugAnyTextIsStoredAsPublicKey(t *testing.T) {
	h, s := seeded(t)
	tenant := completed(t, Tenant{ID: "new", SiteID: "main", Status: Active})
	tenant.PublicKey = "not a key"
	_, err := s.Apply(t.Context(), Wanted{Tenants: []Patch[Tenant]{whole(Tenants(), tenant)}})
	if !apierr.Is(err, apierr.Invalid) {
		t.Errorf("got %v, want Invalid", err)
	}
	for _, row := range get(t, h, "/v3/tenants", 200).rows(t) {
		if key, _ := row["public_key"].(string); !canonicalShape.MatchString(key) {
			t.Errorf("the key of %s is not one line between header and footer: %q", row["tenant_id"], key)
		}
	}
}

func TestUpstreamBugEmptyServiceNamesAndTenantIDsAreAccepted(t *testing.T) {
	site := devSeed("8080").Site
	site.Services = []string{""}
	if err := site.Check(); !apierr.Is(err, apierr.Invalid) {
		t.Errorf("an empty service name: got %v, want Invalid", err)
	}
	tenant := completed(t, Tenant{ID: "x", SiteID: "main", Status: Draft})
	tenant.ID = ""
	if err := tenant.Check(); !apierr.Is(err, apierr.Invalid) {
		t.Errorf("an empty tenant id: got %v, want Invalid", err)
	}
}

func TestUpstreamBugErrorsTellWhatTheDatabaseSaid(t *testing.T) {
	h, s := seeded(t)
	if err := s.snapshots.db.Conn(t.Context()).Exec("ALTER TABLE tenants RENAME TO gone").Error; err != nil {
		t.Fatal(err)
	}
	if err := s.snapshots.db.Conn(t.Context()).Exec("UPDATE registry_changes SET counter = counter + 1").Error; err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/v3/tenants/dev", "/v3/tenants?limit=1", "/v3/tenants/ready"} {
		r := get(t, h, target, 503)
		for _, word := range []string{"SQL", "table", "SELECT", "tenants ", "gone"} {
			if strings.Contains(string(r.raw), word) {
				t.Errorf("GET %s: %q in the answer: %s", target, word, r.raw)
			}
		}
	}
}

func TestUpstreamBugChangesNeedARestart(t *testing.T) {
	h, s := seeded(t)
	get(t, h, "/v3/tenants", 200)
	if err := s.snapshots.db.Conn(t.Context()).Exec("UPDATE tenants SET status = 'inactive' WHERE tenant_id = 'dev'").Error; err != nil {
		t.Fatal(err)
	}
	equal(t, "status", get(t, h, "/v3/tenants/dev", 200).object(t)["status"], any("INACTIVE"))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Second, "the list without the inactive tenant", func() bool {
		return len(get(t, h, "/v3/tenants", 200).rows(t)) == 3
	})
}
