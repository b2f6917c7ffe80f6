package tenants

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
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

func TestUpstreamBugErrorsTellWhatTheDatabaseSaid(t *testing.T) {
	h, s := seeded(t)
	execute(t, s, "ALTER TABLE tenants RENAME TO gone")
	execute(t, s, "UPDATE registry_changes SET counter = counter + 1")
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
	execute(t, s, "UPDATE tenants SET status = 'inactive' WHERE tenant_id = 'dev'")
	equal(t, "status", get(t, h, "/v3/tenants/dev", 200).object(t)["status"], any("INACTIVE"))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Second, "the list without the inactive tenant", func() bool {
		return len(get(t, h, "/v3/tenants", 200).rows(t)) == 3
	})
}
