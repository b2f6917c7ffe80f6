package registryclient_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// clock is a time that only tests move.
type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

const (
	sites = `{"result":[{"site_id":"main","primary":true,"tenant_base_url_template":"https://${tenant_id}.tapis.io","site_admin_tenant_id":"admin"},
{"site_id":"edge","primary":false,"site_admin_tenant_id":"edge-admin"}],"status":"success"}`
	// The tenants that most tests begin with; edge-admin belongs to another site.
	tenants = `{"result":[
{"tenant_id":"dev","site_id":"main","base_url":"https://dev.tapis.io","status":"ACTIVE","token_service":"https://dev.tapis.io/v3/tokens","admin_user":"ada"},
{"tenant_id":"tacc","site_id":"main","base_url":"https://tacc.tapis.io","status":"ACTIVE","token_service":"https://tacc.tapis.io/v3/tokens"},
{"tenant_id":"draft","site_id":"main","base_url":"https://draft.tapis.io","status":"DRAFT"},
{"tenant_id":"old","site_id":"main","base_url":"https://old.tapis.io","status":"INACTIVE"},
{"tenant_id":"edge-admin","site_id":"edge","base_url":"https://edge.example.org","status":"ACTIVE"}]}`
)

// withTenant adds a tenant to the list above.
func withTenant(id string) string {
	return strings.Replace(tenants, "[", fmt.Sprintf(
		`[{"tenant_id":%q,"site_id":"main","base_url":"https://%s.tapis.io","status":"ACTIVE"},`, id, id), 1)
}

// registry is an HTTP server that plays the registry, ETags included.
type registry struct {
	*httptest.Server

	mu      sync.Mutex
	bodies  map[string]string
	status  int // of every answer, instead of 200 and 304; 0: those
	asked   map[string]int
	matched int // answers that were 304
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{bodies: map[string]string{"/v3/sites": sites, "/v3/tenants": tenants}, asked: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.answer))
	t.Cleanup(r.Close)
	return r
}

func (r *registry) answer(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[req.URL.Path]++
	body, ok := r.bodies[req.URL.Path]
	sum := sha256.Sum256([]byte(body))
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.status != 0:
		w.WriteHeader(r.status)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case req.Header.Get("If-None-Match") == etag:
		r.matched++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write([]byte(body))
}

// serve replaces what the registry answers to a path.
func (r *registry) serve(path, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies[path] = body
}

func (r *registry) fail(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// looks is how often the tenants were asked for, and how many of all answers
// were 304.
func (r *registry) looks() (asked, matched int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked["/v3/tenants"], r.matched
}

// newView returns the authenticator's view of a registry, not yet started.
func newView(t *testing.T, db *database.DB, r *registry, c *clock) *registryclient.Client {
	t.Helper()
	return registryclient.New(registryclient.Deps{
		DB: db, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, BaseURL: r.URL, SiteID: "main",
		Poll: time.Hour, Now: c.now, Log: testlog.New(t),
	})
}

// started returns a view that has been started.
func started(t *testing.T, db *database.DB, r *registry, c *clock) *registryclient.Client {
	t.Helper()
	v := newView(t, db, r, c)
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, test)
}

// wantTenant fails unless a host is served as the given tenant.
func wantTenant(t *testing.T, v *registryclient.Client, host, id string) {
	t.Helper()
	got, err := v.ForHost(t.Context(), host)
	if err != nil || got.ID != id {
		t.Errorf("host %s: got tenant %q, %v; want %s", host, got.ID, err, id)
	}
}
