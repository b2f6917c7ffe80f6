package servicetokens_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apitest"
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/servicetokens"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

type object = map[string]any

// signing and edge hold the keys of both sites' tenants, made once because
// that is slow.
var signing, edge *keys.Service

// sites says at which site each tenant is.
var sites = map[string]string{"admin": "main", "dev": "main", "tacc": "main", "draft": "main", "edge-admin": "edge", "far": "edge"}

func TestMain(m *testing.M) {
	code, err := withKeys(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withKeys(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "issuance")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx := context.Background()
	box, err := seal.New(seal.NewKey())
	if err != nil {
		return 0, err
	}
	for site, service := range map[string]**keys.Service{"main": &signing, "edge": &edge} {
		db, err := database.Open(ctx, "sqlite:"+filepath.Join(dir, site+".db"), slog.New(slog.DiscardHandler))
		if err != nil {
			return 0, err
		}
		defer func() { _ = db.Close() }()
		if _, err := db.Migrate(ctx, migrations.Authenticator); err != nil {
			return 0, err
		}
		*service = keys.New(keys.Deps{DB: db, Box: box, Now: time.Now})
		for tenant, where := range sites {
			if where != site {
				continue
			}
			if _, err := (*service).Ensure(ctx, tenant); err != nil {
				return 0, err
			}
		}
	}
	return run(), nil
}

// world is a primary site, main, with the tenants admin, dev, tacc, and draft,
// which is not active; beside it the site edge with edge-admin and far. The
// service portal may make tokens for dev.
type world struct {
	t        *testing.T
	db       *database.DB
	clock    atomic.Int64 // microseconds
	tokens   *tokens.Service
	accounts *kernel.Service
	settings *tenantconfig.Service
	view     *registryclient.Client
	status   map[string]string // of tenants, in the registry
	password string            // of every service
	handler  http.Handler
}

func (w *world) now() time.Time          { return time.UnixMicro(w.clock.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.clock.Add(d.Microseconds()) }

func each(t *testing.T, test func(w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) { test(newWorld(t, db)) })
}

func onSQLite(t *testing.T) *world {
	t.Helper()
	return newWorld(t, testdb.New(t, migrations.Authenticator))
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, password: seal.NewSecret(), status: map[string]string{"draft": "DRAFT"}}
	testlog.Secret(t, w.password)
	w.clock.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	log := testlog.New(t)
	registry := w.registry()
	w.view = registryclient.New(registryclient.Deps{
		DB: db, Client: registry.Client(), BaseURL: registry.URL, SiteID: "main", Poll: time.Hour, Now: w.now, Log: log,
	})
	if err := w.view.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.tokens = tokens.New(tokens.Deps{DB: db, Box: box, Signers: signing, Keys: signing, Now: w.now, Log: log, Retention: time.Hour})
	w.accounts, w.settings = kernel.New(db, box, w.now), tenantconfig.New(tenantconfig.Deps{
		DB: db, Box: box, Now: w.now, Log: log, LDAP: tenantconfig.LDAP{CheckFilter: directory.CheckFilter, CheckDN: directory.CheckDN},
	})
	for _, service := range []string{"tenants", "tokens", "files", "portal"} {
		if err := w.accounts.SetPassword(t.Context(), "admin", service, w.password); err != nil {
			t.Fatal(err)
		}
	}
	w.grant("admin", "portal", "dev_token_generator")
	w.serve(httpapi.Options{Version: "test", Log: log})
	return w
}

// serve mounts the handler on a new engine.
func (w *world) serve(options httpapi.Options) {
	w.t.Helper()
	engine, err := httpapi.New(options)
	if err != nil {
		w.t.Fatal(err)
	}
	service := servicetokens.New(servicetokens.Deps{
		Registry: w.view, Accounts: w.accounts, Settings: w.settings, Tokens: w.tokens, Guard: attempts.New(w.now), Log: options.Log,
	})
	servicetokens.NewHandler(service, tenancy.NewCallers(w.view, signing, w.tokens, "main", w.now).For("tokens")).Mount(engine)
	w.handler = apitest.New(w.t, engine, "tokens")
}

// limit changes the lifetimes of dev's tokens, in seconds.
func (w *world) limit(access, refresh int) {
	w.t.Helper()
	change := tenantconfig.Change{}
	for name, seconds := range map[string]int{
		"default_access_token_ttl": access, "max_access_token_ttl": access, "default_refresh_token_ttl": refresh, "max_refresh_token_ttl": refresh,
	} {
		change[name] = json.RawMessage(strconv.Itoa(seconds))
	}
	if _, err := w.settings.Update(w.t.Context(), "dev", "test", change); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) grant(tenant, username, role string) {
	w.t.Helper()
	if _, err := w.accounts.CreateRole(w.t.Context(), kernel.Role{TenantID: tenant, Name: role, Owner: "security"}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.accounts.GrantRole(w.t.Context(), tenant, username, role, "test"); err != nil {
		w.t.Fatal(err)
	}
}

// registry serves the sites and tenants, the latter as w.status says.
func (w *world) registry() *httptest.Server {
	described := []object{
		{"site_id": "main", "primary": true, "site_admin_tenant_id": "admin", "services": []string{"tokens"}, "tenant_base_url_template": "https://${tenant_id}.tapis.io"},
		{"site_id": "edge", "site_admin_tenant_id": "edge-admin", "services": []string{"tokens"}},
	}
	public := map[string]string{}
	for id, where := range sites {
		by := signing
		if where == "edge" {
			by = edge
		}
		var err error
		if public[id], err = by.Ensure(w.t.Context(), id); err != nil {
			w.t.Fatal(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		answer := described
		if r.URL.Path == "/v3/tenants" {
			answer = nil
			for id, where := range sites {
				status := "ACTIVE"
				if s := w.status[id]; s != "" {
					status = s
				}
				answer = append(answer, object{
					"tenant_id": id, "site_id": where, "status": status, "public_key": public[id],
					"base_url": "https://" + id + ".tapis.io", "token_service": issuer(id),
				})
			}
		}
		_ = json.NewEncoder(rw).Encode(object{"result": answer})
	}))
	w.t.Cleanup(server.Close)
	return server
}

func issuer(tenant string) string { return "https://" + tenant + ".tapis.io/v3/tokens" }

// answer is a reply, read.
type answer struct {
	status int
	header http.Header
	raw    string
	body   object
}

// want fails the test unless the reply has the status and, in its message,
// the text.
func (a answer) want(t *testing.T, status int, text string) answer {
	t.Helper()
	if message, _ := a.body["message"].(string); a.status != status || !strings.Contains(message, text) {
		t.Errorf("got %d %q, want %d with %q", a.status, message, status, text)
	}
	return a
}

// token returns the access or the refresh token of a reply that must have it.
func (a answer) token(t *testing.T, kind string) string {
	t.Helper()
	result, _ := a.body["result"].(object)
	token, _ := result[kind].(object)
	raw, _ := token[kind].(string)
	if a.status != http.StatusOK || raw == "" {
		t.Fatalf("no %s: %d %.200s", kind, a.status, a.raw)
	}
	testlog.Secret(t, raw)
	return raw
}

func (a answer) access(t *testing.T) string  { t.Helper(); return a.token(t, "access_token") }
func (a answer) refresh(t *testing.T) string { t.Helper(); return a.token(t, "refresh_token") }

type headers = map[string]string

// send makes a request; a body that is not text goes as JSON. The host is one
// that no tenant has.
func (w *world) send(method, path string, h headers, body any) answer {
	w.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		content = strings.NewReader(string(text))
	}
	req := httptest.NewRequestWithContext(w.t.Context(), method, path, content)
	req.Host = "authenticator-api:5000"
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range h {
		req.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, req)
	a := answer{status: recorder.Code, header: recorder.Header(), raw: recorder.Body.String()}
	if err := json.Unmarshal(recorder.Body.Bytes(), &a.body); err != nil {
		w.t.Fatalf("%s %s: %v: %.200s", method, path, err, a.raw)
	}
	return a
}

// basic are a service's credentials, with the headers that the SDK sends along.
func (w *world) basic(service string) headers {
	return headers{"Authorization": basicAuth(service, w.password), "X-Tapis-Tenant": "admin", "X-Tapis-User": service}
}

func basicAuth(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// bearing are the headers of a service that has a token.
func bearing(service, token string) headers {
	return headers{"X-Tapis-Token": token, "X-Tapis-Tenant": "admin", "X-Tapis-User": service}
}

// order is what the SDK sends for a service; changes with a nil value remove.
func order(service string, changes object) object {
	o := object{
		"account_type": "service", "token_tenant_id": "admin", "token_username": service, "target_site_id": "main",
		"access_token_ttl": 86400, "generate_refresh_token": true, "refresh_token_ttl": 3153600000,
	}
	maps.Copy(o, changes)
	for name, value := range o {
		if value == nil {
			delete(o, name)
		}
	}
	return o
}

// forUser orders tokens of a person of dev.
func forUser(changes object) object {
	o := object{"account_type": "user", "token_tenant_id": "dev", "token_username": "ada"}
	maps.Copy(o, changes)
	return o
}

// service returns the access token that a service gets with its password.
func (w *world) service(name string) string {
	w.t.Helper()
	return w.send("POST", "/v3/tokens", w.basic(name), order(name, nil)).access(w.t)
}

// user returns the tokens that a person of a tenant gets from an OAuth grant.
func (w *world) user(tenant, name string) tokens.Pair {
	w.t.Helper()
	pair, err := w.tokens.Issue(w.t.Context(), tokens.Request{
		Tenant: tokens.Tenant{ID: tenant, Issuer: issuer(tenant)}, Username: name, ClientID: "portal", GrantType: "password",
		AccessTTL: time.Hour, RefreshTTL: 24 * time.Hour, FamilyTTL: 24 * time.Hour,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return pair
}

// signed returns a token that a site's key signed without asking the mint.
func (w *world) signed(from *keys.Service, tenant string, changes object) string {
	w.t.Helper()
	key, err := from.Active(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	claims := object{
		"jti": "1", "sub": "files@" + tenant, "iss": issuer(tenant), "exp": w.now().Add(time.Hour).Unix(), "tapis/tenant_id": tenant,
		"tapis/token_type": authn.AccessToken, "tapis/account_type": authn.ServiceAccount, "tapis/username": "files",
		"tapis/target_site": "main", "tapis/delegation": false, "tapis/delegation_sub": nil,
	}
	maps.Copy(claims, changes)
	raw, err := key.Sign(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// claims decodes the claims of a token.
func claims(t *testing.T, raw string) object {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("a token has %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c object
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
