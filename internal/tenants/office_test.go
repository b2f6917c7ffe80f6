package tenants

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/apitest"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// office stands for the authenticator: it gives the registry its service
// token and knows who holds which role.
type office struct {
	server *httptest.Server

	mu    sync.Mutex
	held  map[string]bool // "tenant user role"
	asked []string        // the same, in order
	away  bool
	mute  bool // about roles

	revoked map[string]bool
}

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{held: map[string]bool{}, revoked: map[string]bool{}}
	o.server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.server.Close)
	return o
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	name, password, _ := r.BasicAuth()
	var q struct{ Tenant, User, RoleName string }
	switch {
	case o.away:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/v3/site-router/tokens/check" && o.revoked[r.Header.Get("X-Tapis-Token")]:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/v3/site-router/tokens/check":
	case o.mute:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/v3/tokens" && name == "tenants" && password == "the service password":
		_, _ = io.WriteString(w, `{"result":{"access_token":{"access_token":"registry's own","expires_in":14400}}}`)
	case r.URL.Path != "/v3/security/user/hasRole" || r.Header.Get("X-Tapis-Token") != "registry's own" ||
		r.Header.Get("X-Tapis-Tenant") != "admin" || r.Header.Get("X-Tapis-User") != "tenants":
		w.WriteHeader(http.StatusUnauthorized)
	case json.NewDecoder(r.Body).Decode(&q) != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		question := q.Tenant + " " + q.User + " " + q.RoleName
		o.asked = append(o.asked, question)
		_ = json.NewEncoder(w).Encode(map[string]any{"result": map[string]bool{"isAuthorized": o.held[question]}})
	}
}

// grant gives roles, each as "tenant user role".
func (o *office) grant(roles ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, role := range roles {
		o.held[role] = true
	}
}

// silence lets the office say no more about roles.
func (o *office) silence() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mute = true
}

func (o *office) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = true
}

func (o *office) questions() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.asked...)
}

// staffed returns a registry on db that asks o.
func staffed(t testing.TB, db *database.DB, now func() time.Time, o *office) *Service {
	t.Helper()
	s, err := New(Deps{
		DB: db, Log: slog.New(slog.DiscardHandler), Now: now,
		Authenticator: Authenticator{URL: o.server.URL, ServicePassword: "the service password", HTTP: o.server.Client()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// site is a registry with seedWide's rows that can be written.
type site struct {
	http.Handler

	service *Service
	office  *office
	clock   *clock
}

// newSite returns one on db, in which the service tenants may create. Its
// answers are checked against the OpenAPI document.
func newSite(t *testing.T, db *database.DB) *site {
	t.Helper()
	s := &site{office: newOffice(t), clock: &clock{at: noon}}
	s.service = staffed(t, db, s.clock.Now, s.office)
	seedWide(t, s.service)
	s.Handler = apitest.New(t, engine(t, s.service), "tenants")
	s.office.grant("admin tenants tenant_creator", "admin tokens tenant_definition_updater")
	return s
}

// open is newSite on SQLite.
func open(t *testing.T) *site {
	t.Helper()
	return newSite(t, testdb.New(t, migrations.Tenants))
}

// account returns the headers of a token. who is name@tenant; a service acts
// for itself.
func account(t testing.TB, kind, who string, changes map[string]any) []string {
	t.Helper()
	name, tenant, _ := strings.Cut(who, "@")
	issuer := map[string]string{"dev": "http://localhost:8080", "admin": "http://127.0.0.1:8080"}[tenant]
	key := signingKeys()[0]
	if issuer == "" {
		issuer = "https://" + lower(tenant) + ".example.org"
	}
	if tenant == "admin" {
		key = signingKeys()[1]
	}
	claims := jwt.MapClaims{
		"jti": "1", "sub": who, "exp": noon.Add(24 * time.Hour).Unix(), "iss": issuer + "/v3/tokens",
		"tapis/tenant_id": tenant, "tapis/token_type": "access", "tapis/account_type": kind, "tapis/username": name,
	}
	if kind == "service" {
		claims["tapis/target_site"] = "main"
	}
	for claim, value := range changes {
		claims[claim] = value
	}
	headers := []string{"X-Tapis-Token", signed(t, key, claims)}
	if kind == "service" {
		headers = append(headers, "X-Tapis-Tenant", tenant, "X-Tapis-User", name)
	}
	return headers
}

func user(t testing.TB, who string) []string { t.Helper(); return account(t, "user", who, nil) }

func service(t testing.TB, who string) []string { t.Helper(); return account(t, "service", who, nil) }

// send sends JSON, as the service tenants unless headers say otherwise.
func send(t testing.TB, h http.Handler, method, target, body string, headers ...string) reply {
	t.Helper()
	if headers == nil {
		headers = service(t, "tenants@admin")
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), raw: w.Body.Bytes()}
	var envelope struct {
		Result  json.RawMessage `json:"result"`
		Message string          `json:"message"`
	}
	if err := json.NewDecoder(bytes.NewReader(got.raw)).Decode(&envelope); err != nil {
		t.Fatalf("%s %s answered %d with %q: %v", method, target, got.status, got.raw, err)
	}
	got.result, got.message = envelope.Result, envelope.Message
	return got
}

// wants is send that expects the status, and the text in the message.
func wants(t testing.TB, h http.Handler, status int, says, method, target, body string, headers ...string) reply {
	t.Helper()
	got := send(t, h, method, target, body, headers...)
	if got.status != status || !strings.Contains(got.message, says) {
		t.Errorf("%s %s %s: got %d (%s), want %d and %q", method, target, body, got.status, got.message, status, says)
	}
	return got
}

// body writes an object with changes: nil leaves a member out.
func body(t testing.TB, base, changes map[string]any) string {
	t.Helper()
	object := map[string]any{}
	for name, value := range base {
		object[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = value
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type object = map[string]any

// The least that each row needs.
var (
	newTenantBody = object{
		"tenant_id": "new", "base_url": "https://new.example.org", "site_id": "main", "token_service": "https://new.example.org/v3/tokens",
		"security_kernel": "https://new.example.org/v3/security", "authenticator": "https://new.example.org/v3/oauth2",
		"owner": "ops@example.org", "admin_user": "boss", "token_gen_services": []string{},
	}
	newSiteBody  = object{"site_id": "west", "primary": false, "base_url": "west.example.org", "site_admin_tenant_id": "west-admin", "services": []string{"files"}}
	newLDAPBody  = object{"ldap_id": "people", "url": "ldaps://ldap.example.org", "port": 636, "use_ssl": true, "user_dn": "ou=p", "bind_dn": "cn=r", "bind_credential": "ldap.people", "account_type": "service"}
	newOwnerBody = object{"email": "new@example.org", "name": "New", "institution": "Example"}
)
