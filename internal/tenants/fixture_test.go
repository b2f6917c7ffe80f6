package tenants

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apitest"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/testclock"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 123456000, time.UTC)

// signingKeys makes two keys, once for all tests: of tenant dev and of tenant
// admin. Other tenants have dev's.
var signingKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

// wrappedKeys are their public halves as encoding/pem writes them: in lines
// of 64 characters.
var wrappedKeys = sync.OnceValue(func() (keys [2]string) {
	for i, key := range signingKeys() {
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			panic(err)
		}
		keys[i] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return keys
})

// canonicalKey is the first of them as the registry keeps it.
func canonicalKey(t testing.TB) string {
	t.Helper()
	key, err := NormalizePublicKey(wrappedKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func atNoon() time.Time { return noon }

// authenticator stands for the real one: it gives the registry its service
// token and knows who holds which role.
type authenticator struct {
	server *httptest.Server

	mu    sync.Mutex
	held  map[string]bool // "tenant user role"
	asked []string        // the same, in order
	away  bool
	mute  bool // about roles

	revoked map[string]bool
}

func newAuthenticator(t testing.TB) *authenticator {
	t.Helper()
	a := &authenticator{held: map[string]bool{}, revoked: map[string]bool{}}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.server.Close)
	return a
}

func (a *authenticator) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	name, password, _ := r.BasicAuth()
	var q struct{ Tenant, User, RoleName string }
	switch {
	case a.away:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/v3/site-router/tokens/check" && a.revoked[r.Header.Get("X-Tapis-Token")]:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/v3/site-router/tokens/check":
	case a.mute:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/v3/tokens" && name == "tenants" && password == servicePassword:
		_, _ = io.WriteString(w, `{"result":{"access_token":{"access_token":"registry's own","expires_in":14400}}}`)
	case r.URL.Path != "/v3/security/user/hasRole" || r.Header.Get("X-Tapis-Token") != "registry's own" ||
		r.Header.Get("X-Tapis-Tenant") != "admin" || r.Header.Get("X-Tapis-User") != "tenants":
		w.WriteHeader(http.StatusUnauthorized)
	case json.NewDecoder(r.Body).Decode(&q) != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		question := q.Tenant + " " + q.User + " " + q.RoleName
		a.asked = append(a.asked, question)
		_ = json.NewEncoder(w).Encode(map[string]any{"result": map[string]bool{"isAuthorized": a.held[question]}})
	}
}

// grant gives roles, each as "tenant user role".
func (a *authenticator) grant(roles ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, role := range roles {
		a.held[role] = true
	}
}

// silence lets it say no more about roles.
func (a *authenticator) silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mute = true
}

func (a *authenticator) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = true
}

func (a *authenticator) questions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.asked...)
}

const servicePassword = "the service password"

// newServiceAsking returns a registry on db, which asks a for roles; nil: nobody.
func newServiceAsking(t testing.TB, db *database.DB, now func() time.Time, a *authenticator) *Service {
	t.Helper()
	deps := Deps{DB: db, Log: slog.New(slog.DiscardHandler), Now: now}
	if a != nil {
		deps.Authenticator = Authenticator{URL: a.server.URL, ServicePassword: servicePassword, HTTP: a.server.Client()}
	}
	s, err := New(deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newService(t testing.TB, db *database.DB, now func() time.Time) *Service {
	t.Helper()
	return newServiceAsking(t, db, now, nil)
}

// newDB returns an empty database of SQLite, and each runs a test with one of
// every dialect.
func newDB(t testing.TB) *database.DB { t.Helper(); return testdb.New(t, migrations.Tenants) }

func each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	testdb.Each(t, migrations.Tenants, test)
}

// empty returns a registry that holds nothing, on SQLite.
func empty(t testing.TB) *Service {
	t.Helper()
	return newService(t, newDB(t), atNoon)
}

func seed(t testing.TB, s *Service, seed Seed) {
	t.Helper()
	if err := s.Seed(t.Context(), seed); err != nil {
		t.Fatal(err)
	}
}

func bootstrap(t testing.TB, s *Service, b Bootstrap) {
	t.Helper()
	if err := s.Bootstrap(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// put writes as the program does for itself.
func put(t testing.TB, s *Service, w Wanted) {
	t.Helper()
	if _, err := s.write(t.Context(), "tenants@admin", w.decide); err != nil {
		t.Error(err)
	}
}

// add makes tenants of which a test does not care about more.
func add(t testing.TB, s *Service, all ...Tenant) {
	t.Helper()
	var w Wanted
	for _, tenant := range all {
		w.Tenants = append(w.Tenants, whole(Tenants(), completed(t, tenant)))
	}
	put(t, s, w)
}

// completed fills what a test does not care about.
func completed(t testing.TB, tenant Tenant) Tenant {
	t.Helper()
	tenant.BaseURL = "https://" + strings.ToLower(tenant.ID) + ".example.org"
	tenant.Owner, tenant.AdminUser = "ops@example.org", "boss"
	if tenant.Status != Draft {
		tenant.PublicKey = canonicalKey(t)
	}
	tenant.defaultEndpoints()
	return tenant
}

// devSeed is what the development program starts with, at the given port.
func devSeed(port string) Seed {
	return Seed{
		Site: Site{
			ID: "main", Primary: true, BaseURL: "http://localhost:" + port,
			TenantBaseURLTemplate: "http://${tenant_id}.localhost:" + port, AdminTenantID: "admin",
			Services: []string{"systems", "files", "security", "tokens", "tenants", "authenticator"},
		},
		Owner: Owner{Email: "ops@example.org", Name: "Operations", Institution: "Example"},
		LDAPs: []LDAPConnection{{
			ID: "tapis-dev", URL: "ldap://localhost", Port: 10389, UserDN: "ou=people,dc=dev",
			BindDN: "cn=reader,dc=dev", BindCredential: "ldap.tapis-dev", AccountType: UserAccounts,
		}},
		Tenants: []Tenant{
			{
				ID: "dev", BaseURL: "http://localhost:" + port, AdminUser: "testadmin", PublicKey: wrappedKeys()[0],
				TokenGenServices: []string{"authenticator"}, UserLDAPConnectionID: "tapis-dev", Description: "The dev tenant.",
			},
			{ID: "admin", BaseURL: "http://127.0.0.1:" + port, AdminUser: "admin", PublicKey: wrappedKeys()[1]},
		},
	}
}

// execute goes around the program, as a hand with a database client would.
func execute(t testing.TB, s *Service, statement string) {
	t.Helper()
	if err := s.snapshots.db.Conn(t.Context()).Exec(statement).Error; err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// seedWide stores devSeed, tenants of every status, and an associate site with
// its own tenants.
func seedWide(t testing.TB, s *Service) {
	t.Helper()
	seed(t, s, devSeed("8080"))
	put(t, s, Wanted{Sites: []Patch[Site]{whole(Sites(), Site{
		ID: "east", BaseURL: "east.example.org", AdminTenantID: "east-admin", Services: []string{"security"},
	})}})
	add(t, s, Tenant{ID: "east-admin", SiteID: "east", Status: Active}, Tenant{ID: "east-one", SiteID: "east", Status: Active},
		Tenant{ID: "east-old", SiteID: "east", Status: Inactive}, Tenant{ID: "plan", SiteID: "main", Status: Draft},
		Tenant{ID: "Old", SiteID: "main", Status: Inactive})
}

// fixture is a registry with seedWide's records that can be written, and its
// HTTP API, of which each response is checked against the OpenAPI document.
type fixture struct {
	http.Handler

	service       *Service
	authenticator *authenticator
	clock         *testclock.Clock
}

// newFixture returns one on db, in which the service tenants may create.
func newFixture(t *testing.T, db *database.DB) *fixture {
	t.Helper()
	f := &fixture{authenticator: newAuthenticator(t), clock: testclock.At(noon)}
	f.service = newServiceAsking(t, db, f.clock.Now, f.authenticator)
	seedWide(t, f.service)
	f.Handler = apitest.New(t, engine(t, f.service), "tenants")
	f.authenticator.grant("admin tenants tenant_creator", "admin tokens tenant_definition_updater")
	return f
}

// open is newFixture on SQLite.
func open(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, newDB(t))
}

func seeded(t *testing.T) (http.Handler, *Service) {
	t.Helper()
	f := open(t)
	return f, f.service
}

// eachOpen, eachWide and eachSeeded run a test on every database: with a
// fixture, and with a registry that holds what seedWide or devSeed say.
func eachOpen(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	each(t, func(t *testing.T, db *database.DB) { test(t, newFixture(t, db)) })
}

func eachWide(t *testing.T, test func(t *testing.T, s *Service)) {
	t.Helper()
	eachOpen(t, func(t *testing.T, f *fixture) { test(t, f.service) })
}

func eachSeeded(t *testing.T, test func(t *testing.T, s *Service)) {
	t.Helper()
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db, atNoon)
		seed(t, s, devSeed("8080"))
		test(t, s)
	})
}

// engine mounts s as a program would.
func engine(t testing.TB, s *Service) *gin.Engine {
	t.Helper()
	e, err := httpapi.New(httpapi.Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Mount(e)
	return e
}
