package tenancy_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

type object = map[string]any

// world is a primary site, main, with tenants admin, dev and tacc, and beside
// it the site edge with tenants edge-admin and far, whose keys are only known
// by what the registry publishes of them.
type world struct {
	*tenancy.Callers

	registry *registryclient.Client
	keys     *keys.Service
	tokens   *tokens.Service
	edge     *keys.Service
	old      *rsa.PrivateKey // of the tenant old at edge
	now      time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	db := testdb.New(t, migrations.Authenticator)
	w.keys, w.edge = keys.New(db, box, now), keys.New(testdb.New(t, migrations.Authenticator), box, now)
	if w.old, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	published, err := authn.PublicPEM(&w.old.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	tenant := func(site, id string, signing *keys.Service) object {
		public, err := signing.Ensure(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return object{
			"tenant_id": id, "site_id": site, "status": "ACTIVE", "public_key": public,
			"base_url": "https://" + id + ".tapis.io", "token_service": issuer(id),
		}
	}
	answers := map[string]any{
		"/v3/sites": []object{
			{"site_id": "main", "primary": true, "site_admin_tenant_id": "admin", "services": []string{"tokens"}, "tenant_base_url_template": "https://${tenant_id}.tapis.io"},
			{"site_id": "edge", "site_admin_tenant_id": "edge-admin", "services": []string{"tokens"}},
		},
		"/v3/tenants": []object{
			tenant("main", "admin", w.keys), tenant("main", "dev", w.keys), tenant("main", "tacc", w.keys),
			tenant("edge", "edge-admin", w.edge), tenant("edge", "far", w.edge),
			{"tenant_id": "old", "site_id": "edge", "status": "ACTIVE", "public_key": published, "base_url": "https://old.tapis.io", "token_service": issuer("old")},
			{"tenant_id": "draft", "site_id": "main", "status": "DRAFT", "base_url": "https://draft.tapis.io"},
			{"tenant_id": "inactive", "site_id": "main", "status": "INACTIVE", "base_url": "https://inactive.tapis.io"},
		},
	}
	registry := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(rw).Encode(object{"result": answers[r.URL.Path]})
	}))
	t.Cleanup(registry.Close)
	w.registry = registryclient.New(registryclient.Deps{
		DB: db, Client: registry.Client(), BaseURL: registry.URL, SiteID: "main", Poll: time.Hour, Now: now, Log: testlog.New(t),
	})
	if err := w.registry.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens.New(tokens.Deps{DB: db, Box: box, Signers: w.keys, Keys: w.keys, Now: now, Log: testlog.New(t), Retention: time.Hour})
	w.Callers = tenancy.NewCallers(w.registry, w.keys, w.tokens, "main", now)
	return w
}

func issuer(tenant string) string { return "https://" + tenant + ".tapis.io/v3/tokens" }

// user returns a recorded token of a person of this site.
func (w *world) user(t *testing.T, tenant string) string {
	t.Helper()
	issued, err := w.tokens.Mint(t.Context(), tokens.Request{
		Tenant: tokens.Tenant{ID: tenant, Issuer: issuer(tenant)}, Username: "ada", ClientID: "portal", GrantType: "password", AccessTTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Record(t.Context(), issued); err != nil {
		t.Fatal(err)
	}
	return issued.Access.Value
}

// signed returns a token with the key of a tenant, without asking the mint.
func signed(t *testing.T, from *keys.Service, tenant string, changes object) string {
	t.Helper()
	key, err := from.Active(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	claims := object{
		"jti": "1", "sub": "files@" + tenant, "iss": issuer(tenant), "exp": 1795262400 + 7200, "tapis/tenant_id": tenant,
		"tapis/token_type": "access", "tapis/account_type": "service", "tapis/username": "files", "tapis/target_site": "main",
	}
	maps.Copy(claims, changes)
	raw, err := key.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// service returns a token of the service files, for the site main.
func (w *world) service(t *testing.T) string {
	t.Helper()
	pair, err := w.tokens.Issue(t.Context(), tokens.Request{
		Tenant: tokens.Tenant{ID: "admin", Issuer: issuer("admin")}, Username: "files", AccountType: authn.ServiceAccount,
		TargetSite: "main", GrantType: tokens.Direct, AccessTTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return pair.Access.Value
}

func TestATokenIsGoodForWhomTheRulesAllow(t *testing.T) {
	w := newWorld(t)
	service := w.service(t)
	person := object{"tapis/account_type": "user", "tapis/target_site": nil}
	forDev, forFar := authn.Subject{TenantID: "dev", Username: "ada"}, authn.Subject{TenantID: "far", Username: "ada"}
	for name, test := range map[string]struct {
		service string
		raw     string
		behalf  authn.Subject
		want    error
	}{
		"a person of this site":                       {"security", w.user(t, "dev"), authn.Subject{}, nil},
		"a person who claims to be a service":         {"security", w.user(t, "dev"), forDev, authn.ErrBehalf},
		"a service of this site":                      {"security", service, forDev, nil},
		"a service for nobody":                        {"security", service, authn.Subject{}, authn.ErrBehalf},
		"a token that was never recorded":             {"security", signed(t, w.keys, "admin", nil), forDev, authn.ErrRevoked},
		"a person of another site":                    {"security", signed(t, w.edge, "far", person), authn.Subject{}, nil},
		"a person of this site, by a foreign key":     {"security", signed(t, w.edge, "far", object{"tapis/tenant_id": "dev", "iss": issuer("dev")}), authn.Subject{}, authn.ErrUnknownKey},
		"a foreign service for a tenant here":         {"security", signed(t, w.edge, "edge-admin", nil), forDev, authn.ErrBehalf},
		"a foreign service for its own people":        {"security", signed(t, w.edge, "edge-admin", nil), forFar, nil},
		"a foreign service where its site runs it":    {"tokens", signed(t, w.edge, "edge-admin", nil), forFar, authn.ErrBehalf},
		"a foreign service's token for its own site":  {"security", signed(t, w.edge, "edge-admin", object{"tapis/target_site": "edge"}), forFar, authn.ErrTargetSite},
		"a tenant that nobody knows":                  {"security", signed(t, w.edge, "far", object{"tapis/tenant_id": "elsewhere"}), authn.Subject{}, authn.ErrTenant},
		"a service of a tenant that administers none": {"security", signed(t, w.keys, "dev", nil), forDev, authn.ErrTenant},
	} {
		t.Run(name, func(t *testing.T) {
			caller, err := w.For(test.service)(t.Context(), test.raw, test.behalf)
			if !errors.Is(err, test.want) {
				t.Errorf("got %+v, %v; want %v", caller, err, test.want)
			}
		})
	}
}

func TestATokenOfAnotherSiteNeedNotNameItsKeyButOneOfOursMust(t *testing.T) {
	w := newWorld(t)
	for tenant, want := range map[string]error{"old": nil, "dev": authn.ErrUnknownKey} {
		raw := withoutKid(t, w.old, tenant)
		if _, err := w.For("security")(t.Context(), raw, authn.Subject{}); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", tenant, err, want)
		}
	}
}

func TestARevokedClientsTokenIsRefusedAtOnce(t *testing.T) {
	w := newWorld(t)
	raw := w.user(t, "dev")
	if caller, err := w.For("security")(t.Context(), raw, authn.Subject{}); err != nil || caller.ClientID != "portal" {
		t.Fatalf("got %+v, %v", caller, err)
	}
	if err := w.tokens.RevokeClient(t.Context(), "dev", "portal"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.For("security")(t.Context(), raw, authn.Subject{}); !errors.Is(err, authn.ErrRevoked) {
		t.Errorf("got %v", err)
	}
}

func TestTheTenantIsTheHostsForPeopleAndTheNamedOneForServices(t *testing.T) {
	w := newWorld(t)
	service := w.service(t)
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: testlog.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	httpapi.Get(engine.Group("", w.InTenant("authenticator")...), "/v3/who", func(c *gin.Context) error {
		tenant, err := tenancy.From(c.Request.Context())
		if err != nil {
			return err
		}
		c.Header("X-Got", tenant.ID)
		return httpapi.Reply(c, http.StatusOK, "", "Here.")
	})
	ada := w.user(t, "dev")
	for name, test := range map[string]struct {
		host, token, tenant string // the tenant in X-Tapis-Tenant
		status              int
		want                string
	}{
		"a person at home":              {"dev.tapis.io", ada, "", 200, "dev"},
		"a person elsewhere":            {"tacc.tapis.io", ada, "", 403, ""},
		"a person at no tenant":         {"10.0.0.1", ada, "", 404, ""},
		"nobody":                        {"dev.tapis.io", "", "", 401, ""},
		"a service inside":              {"10.0.0.1", service, "tacc", 200, "tacc"},
		"a service at another's host":   {"dev.tapis.io", service, "tacc", 200, "tacc"},
		"a service for a tenant abroad": {"10.0.0.1", service, "far", 403, ""},
		"a header without a token":      {"dev.tapis.io", "", "tacc", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+test.host+"/v3/who", nil)
			req.Header.Set("X-Tapis-Token", test.token)
			if test.tenant != "" {
				req.Header.Set("X-Tapis-Tenant", test.tenant)
				req.Header.Set("X-Tapis-User", "ada")
			}
			rec := httptest.NewRecorder()
			engine.ServeHTTP(rec, req)
			if rec.Code != test.status || rec.Header().Get("X-Got") != test.want {
				t.Errorf("got %d %q: %s", rec.Code, rec.Header().Get("X-Got"), rec.Body)
			}
		})
	}
}

// withoutKid returns a person's token whose header names no key, as the
// token services of other sites make them.
func withoutKid(t *testing.T, key *rsa.PrivateKey, tenant string) string {
	t.Helper()
	raw, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"jti": "1", "sub": "ada@" + tenant, "iss": issuer(tenant), "exp": 1795262400 + 7200, "tapis/tenant_id": tenant,
		"tapis/token_type": "access", "tapis/account_type": "user", "tapis/username": "ada",
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
