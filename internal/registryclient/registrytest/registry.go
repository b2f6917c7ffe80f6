// Package registrytest plays the registry of a Tapis installation for tests:
// an HTTP server with two sites and a few tenants, which tests change, make
// fail, and ask what they were asked. It answers with ETags.
//
// The primary site is main, with the tenants admin, which administers it, dev,
// tacc, draft and inactive; beside it is the site edge, with edge-admin and
// far. Each is at https://ID.tapis.io. Production code never imports this
// package.
package registrytest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/testlog"
)

// Object is a JSON object.
type Object = map[string]any

// The paths of the lists.
const (
	Sites   = "/v3/sites"
	Tenants = "/v3/tenants"
)

// BaseURL is where a tenant is.
func BaseURL(tenantID string) string { return "https://" + tenantID + ".tapis.io" }

// Issuer is the claim iss of a tenant's tokens.
func Issuer(tenantID string) string { return BaseURL(tenantID) + "/v3/tokens" }

// Registry is the server. It is safe for concurrent use.
type Registry struct {
	*httptest.Server

	mu        sync.Mutex
	sites     map[string]Object
	tenants   map[string]Object
	ldaps     map[string]Object
	bodies    map[string]string // given by Serve
	status    int               // given by Fail
	before    func(*http.Request) int
	after     func(*http.Request) int
	asked     map[string]int
	unchanged int
}

// New starts a Registry, which ends with the test.
func New(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{
		sites: map[string]Object{}, tenants: map[string]Object{}, ldaps: map[string]Object{},
		bodies: map[string]string{}, asked: map[string]int{},
	}
	r.ChangeSite("main", Object{
		"primary": true, "site_admin_tenant_id": "admin", "services": []string{"tokens"},
		"tenant_base_url_template": BaseURL("${tenant_id}"),
	})
	r.ChangeSite("edge", Object{"primary": false, "site_admin_tenant_id": "edge-admin", "services": []string{"tokens"}})
	for _, id := range []string{"admin", "dev", "tacc", "draft", "inactive"} {
		r.Change(id, Object{"site_id": "main"})
	}
	r.Change("dev", Object{"admin_user": "ada"})
	r.Change("draft", Object{"status": "DRAFT"})
	r.Change("inactive", Object{"status": "INACTIVE"})
	for _, id := range []string{"edge-admin", "far"} {
		r.Change(id, Object{"site_id": "edge"})
	}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

// Deps are those of a client of r that belongs to the site main, with answers
// to change.
func (r *Registry) Deps(t testing.TB, db *database.DB, now func() time.Time) registryclient.Deps {
	t.Helper()
	return registryclient.Deps{
		DB: db, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, BaseURL: r.URL, SiteID: "main",
		Poll: time.Hour, Now: now, Log: testlog.New(t),
	}
}

// Client returns a client of r that belongs to the site main and has started.
func (r *Registry) Client(t testing.TB, db *database.DB, now func() time.Time) *registryclient.Client {
	t.Helper()
	c := registryclient.New(r.Deps(t, db, now))
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Authorize makes a request somebody's, for whom this registry takes everybody.
func Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("X-Tapis-Token", "somebody")
	return nil
}

// Change sets members of a tenant, which is made, ACTIVE, if there is none of
// the id. A nil value takes a member away.
func (r *Registry) Change(id string, members Object) {
	change(r, r.tenants, id, Object{
		"tenant_id": id, "site_id": "main", "status": "ACTIVE", "base_url": BaseURL(id), "token_service": Issuer(id),
	}, members)
}

// ChangeSite sets members of a site, which is made if there is none of the id.
func (r *Registry) ChangeSite(id string, members Object) {
	change(r, r.sites, id, Object{"site_id": id}, members)
}

// ChangeLDAP sets members of an LDAP connection, which is made if there is
// none of the id. Requests without a token are not told how to bind.
func (r *Registry) ChangeLDAP(id string, members Object) {
	change(r, r.ldaps, id, Object{"ldap_id": id}, members)
}

func change(r *Registry, all map[string]Object, id string, begin, members Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if all[id] == nil {
		all[id] = begin
	}
	maps.Copy(all[id], members)
	maps.DeleteFunc(all[id], func(_ string, value any) bool { return value == nil })
}

// Remove takes a tenant away.
func (r *Registry) Remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tenants, id)
}

// PublicKey returns what is published of a tenant.
func (r *Registry) PublicKey(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, _ := r.tenants[id]["public_key"].(string)
	return key
}

// Serve answers requests for a path with a body, whatever there is; an empty
// path forgets all that was given.
func (r *Registry) Serve(path, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if path == "" {
		clear(r.bodies)
		return
	}
	r.bodies[path] = body
}

// Fail gives every answer a status from now on, its body as before, and
// nothing is changed; 0: no more.
func (r *Registry) Fail(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// Before lets do look at each request before anything is done. A status other
// than 0 is the answer. It may be nil.
func (r *Registry) Before(do func(*http.Request) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = do
}

// After is like Before when all is done and nothing is answered yet.
func (r *Registry) After(do func(*http.Request) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = do
}

// Asked returns how often a method and path were asked for, as in "GET
// /v3/sites".
func (r *Registry) Asked(request string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[request]
}

// Unchanged returns how many answers were 304.
func (r *Registry) Unchanged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unchanged
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked[req.Method+" "+req.URL.Path]++
	before, after := r.before, r.after
	r.mu.Unlock()
	if status := ask(before, req); status != 0 {
		w.WriteHeader(status)
		return
	}
	status, etag, body := r.answer(req)
	if instead := ask(after, req); instead != 0 {
		status, body = instead, ""
	}
	w.Header().Set("Content-Type", "application/json")
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func ask(hook func(*http.Request) int, req *http.Request) int {
	if hook == nil {
		return 0
	}
	return hook(req)
}

func (r *Registry) answer(req *http.Request) (status int, etag, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status != 0 && req.Method != http.MethodGet {
		return r.status, "", ""
	}
	body, given := r.bodies[req.URL.Path]
	if !given {
		if status, body = r.respond(req); status != http.StatusOK {
			return status, "", body
		}
	}
	sum := sha256.Sum256([]byte(body))
	etag = `"` + hex.EncodeToString(sum[:8]) + `"`
	switch {
	case r.status != 0:
		return r.status, etag, body
	case req.Header.Get("If-None-Match") == etag:
		r.unchanged++
		return http.StatusNotModified, etag, ""
	}
	return http.StatusOK, etag, body
}

func (r *Registry) respond(req *http.Request) (int, string) {
	asService := req.Header.Get("X-Tapis-Token") != ""
	below, _ := strings.CutPrefix(req.URL.Path, Tenants+"/")
	switch {
	case req.URL.Path == Sites:
		return result(list(r.sites, func(Object) bool { return true }))
	case req.URL.Path == Tenants && req.URL.Query().Get("show_draft") == "true":
		return result(list(r.tenants, func(t Object) bool { return t["status"] != "INACTIVE" }))
	case req.URL.Path == Tenants: // more than is good: those who read must look at the status
		return result(list(r.tenants, func(Object) bool { return true }))
	case strings.HasPrefix(below, "ldaps/"):
		found := maps.Clone(r.ldaps[strings.TrimPrefix(below, "ldaps/")])
		if !asService {
			delete(found, "bind_dn")
			delete(found, "bind_credential")
		}
		return resultOf(found)
	case req.Method == http.MethodPut && !asService:
		return http.StatusUnauthorized, `{}`
	case req.Method == http.MethodPut && r.tenants[below] != nil:
		var sent Object
		if err := json.NewDecoder(req.Body).Decode(&sent); err != nil {
			return http.StatusBadRequest, `{}`
		}
		maps.Copy(r.tenants[below], sent)
	}
	return resultOf(r.tenants[below])
}

func list(all map[string]Object, wanted func(Object) bool) []Object {
	listed := []Object{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if wanted(all[id]) {
			listed = append(listed, all[id])
		}
	}
	return listed
}

func resultOf(found Object) (int, string) {
	if found == nil {
		return http.StatusNotFound, `{}`
	}
	return result(found)
}

func result(v any) (int, string) {
	text, err := json.Marshal(Object{"result": v, "status": "success"})
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return http.StatusOK, string(text)
}
