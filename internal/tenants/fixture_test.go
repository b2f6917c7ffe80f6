package tenants

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apitest"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/sites"
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

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newService(t testing.TB, db *database.DB, now func() time.Time) *Service {
	t.Helper()
	s, err := New(Deps{DB: db, Log: slog.New(slog.DiscardHandler), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// devSeed is what the development program starts with, at the given port.
func devSeed(port string) Seed {
	return Seed{
		Site: sites.Site{
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

// seedWide stores devSeed, tenants of every status, and an associate site with its
// own tenants.
func seedWide(t testing.TB, s *Service) {
	t.Helper()
	if err := s.Seed(t.Context(), devSeed("8080")); err != nil {
		t.Fatal(err)
	}
	associate := sites.Site{ID: "east", BaseURL: "east.example.org", AdminTenantID: "east-admin", Services: []string{"security"}}
	s.stamp("admin").site(&associate)
	rows := []Tenant{
		{ID: "east-admin", SiteID: "east", Status: Active},
		{ID: "east-one", SiteID: "east", Status: Active},
		{ID: "east-old", SiteID: "east", Status: Inactive},
		{ID: "plan", SiteID: "main", Status: Draft},
		{ID: "Old", SiteID: "main", Status: Inactive},
	}
	err := s.registry.change(t.Context(), func(ctx context.Context) error {
		if err := s.tables.sites.Create(ctx, associate); err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.tenants.create(ctx, completed(t, s, row)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// completed fills what a test does not care about.
func completed(t testing.TB, s *Service, row Tenant) Tenant {
	t.Helper()
	row.BaseURL = "https://" + lower(row.ID) + ".example.org"
	row.Owner, row.AdminUser = "ops@example.org", "boss"
	if row.Status != Draft {
		row.PublicKey = canonicalKey(t)
	}
	row.defaultEndpoints()
	s.stamp("admin").tenant(&row)
	return row
}

func lower(s string) string { return string(bytes.ToLower([]byte(s))) }

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

// seeded returns the HTTP API of a registry with seedWide's rows; each of its
// answers is checked against the OpenAPI document.
func seeded(t *testing.T) (http.Handler, *Service) {
	t.Helper()
	s := newService(t, testdb.New(t, migrations.Tenants), func() time.Time { return noon })
	seedWide(t, s)
	return apitest.New(t, engine(t, s), "tenants"), s
}

// reply is an answer as clients see it.
type reply struct {
	status   int
	header   http.Header
	raw      []byte
	message  string
	metadata map[string]int
	result   json.RawMessage
}

// ask sends a request; headers come in pairs.
func ask(t testing.TB, h http.Handler, method, target string, headers ...string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	result := w.Result()
	defer func() { _ = result.Body.Close() }()
	raw, err := io.ReadAll(result.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := reply{status: result.StatusCode, header: result.Header, raw: raw}
	if len(raw) == 0 || result.Header.Get("Content-Encoding") != "" {
		return got
	}
	var envelope struct {
		Result   json.RawMessage `json:"result"`
		Message  string          `json:"message"`
		Metadata map[string]int  `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		t.Fatalf("%s %s answered %d with %q: %v", method, target, got.status, raw, err)
	}
	got.result, got.message, got.metadata = envelope.Result, envelope.Message, envelope.Metadata
	return got
}

// get asks for target and expects the status.
func get(t testing.TB, h http.Handler, target string, status int, headers ...string) reply {
	t.Helper()
	got := ask(t, h, http.MethodGet, target, headers...)
	if got.status != status {
		t.Fatalf("GET %s: got %d (%s), want %d", target, got.status, got.message, status)
	}
	return got
}

// rows decodes a list.
func (r reply) rows(t testing.TB) []map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := json.Unmarshal(r.result, &rows); err != nil {
		t.Fatalf("result %s: %v", r.result, err)
	}
	return rows
}

// object decodes a single object.
func (r reply) object(t testing.TB) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(r.result, &object); err != nil {
		t.Fatalf("result %s: %v", r.result, err)
	}
	return object
}

// ids returns one member of every row, for comparison.
func (r reply) ids(t testing.TB, member string) []string {
	t.Helper()
	ids := []string{}
	for _, row := range r.rows(t) {
		id, _ := row[member].(string)
		ids = append(ids, id)
	}
	return ids
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}
