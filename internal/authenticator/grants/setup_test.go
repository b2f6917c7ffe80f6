package grants_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
	"gatehouse/internal/apitest"
	"gatehouse/internal/authenticator/attempts"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/oidc"
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

// The two tenants of these tests, and the site's administrative one.
var (
	dev   = tenant("dev")
	lab   = tenant("lab")
	admin = registryclient.Tenant{ID: "admin", BaseURL: "https://admin.example.org", TokenService: "https://admin.example.org/v3/tokens", SiteAdmin: true}
)

func tenant(id string) registryclient.Tenant {
	base := "https://" + id + ".example.org"
	return registryclient.Tenant{ID: id, SiteID: "main", BaseURL: base, TokenService: base + "/v3/tokens", OwnedByThisOne: true}
}

// signing holds the keys of both tenants, made once because that is slow.
var signing *keys.Service

func TestMain(m *testing.M) {
	code, err := withKeys(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withKeys(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "grants")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx := context.Background()
	db, err := database.Open(ctx, "sqlite:"+filepath.Join(dir, "keys.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Migrate(ctx, migrations.Authenticator); err != nil {
		return 0, err
	}
	box, err := seal.New(seal.NewKey())
	if err != nil {
		return 0, err
	}
	signing = keys.New(keys.Deps{DB: db, Box: box, Now: time.Now})
	for _, t := range []registryclient.Tenant{dev, lab} {
		if _, err := signing.Ensure(ctx, t.ID); err != nil {
			return 0, err
		}
	}
	return run(), nil
}

// hosts says which tenant is at each host of these tests.
type hosts map[string]registryclient.Tenant

var byHost = hosts{"dev": dev, "lab": lab, "admin": admin}

func (h hosts) ForHost(_ context.Context, host string) (registryclient.Tenant, error) {
	if t, ok := h[host]; ok {
		return t, nil
	}
	return registryclient.Tenant{}, apierr.New(apierr.NotFound, "No tenant is known at the host of this request.")
}

func (h hosts) Served(ctx context.Context, id string) (registryclient.Tenant, error) {
	return h.ForHost(ctx, id)
}

// service knows one service token, and one that is a person's.
func (w *world) service(_ context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
	switch raw {
	case "files":
		return authn.Caller{Username: "files", TenantID: "admin", AccountType: authn.ServiceAccount, OnBehalfOf: behalf}, nil
	case "ada":
		return authn.Caller{Username: "ada", TenantID: "dev", AccountType: authn.UserAccount}, nil
	}
	return authn.Caller{}, authn.ErrMalformed
}

// people is a directory that asks nobody.
type people map[string]string

func (p people) Authenticate(_ context.Context, username, password string) (directory.Profile, error) {
	if known, ok := p[username]; !ok || known != password {
		return directory.Profile{}, directory.ErrRefused
	}
	return directory.Profile{Username: username}, nil
}

func (p people) Profile(_ context.Context, username string) (directory.Profile, error) {
	if _, ok := p[username]; !ok {
		return directory.Profile{}, directory.ErrNotFound
	}
	return directory.Profile{Username: username}, nil
}

func (p people) Groups(context.Context, string) ([]string, error) { return []string{}, nil }

// world is the token endpoint and what it stands on.
type world struct {
	*grants.Pipeline

	t        testing.TB
	db       *database.DB
	clients  *clients.Service
	codes    *codes.Service
	devices  *device.Service
	tokens   *tokens.Service
	settings *tenantconfig.Service
	people   people
	mint     *faulty
	handler  http.Handler
	micros   atomic.Int64
}

func (w *world) now() time.Time          { return time.UnixMicro(w.micros.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.micros.Add(d.Microseconds()) }

// faulty is a mint whose next errors a test decides.
type faulty struct {
	*tokens.Service

	record atomic.Pointer[error]
}

func (f *faulty) Record(ctx context.Context, i *tokens.Issued) error {
	if err := f.record.Swap(nil); err != nil {
		return *err
	}
	return f.Service.Record(ctx, i)
}

// start is when the clock of these tests begins.
var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newWorld returns a world whose every answer is checked against the OpenAPI
// document.
func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	w := newBareWorld(t, db)
	w.handler = apitest.New(t, w.handler, "authenticator")
	return w
}

func newBareWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, people: people{"ada": seal.NewSecret(), "bob": seal.NewSecret(), "client:portal": seal.NewSecret()}}
	for _, password := range w.people {
		testlog.Secret(t, password)
	}
	w.micros.Store(start.UnixMicro())
	box, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	log := testlog.New(t)
	w.tokens = tokens.New(tokens.Deps{DB: db, Box: box, Signers: signing, Keys: signing, Now: w.now, Log: log, Retention: time.Hour})
	w.clients = clients.New(clients.Deps{DB: db, Box: box, Revoker: w.tokens, Now: w.now, WebApp: func(_ context.Context, id string) (string, error) {
		return tenant(id).OAuthURL("/webapp/callback"), nil
	}})
	w.codes = codes.New(codes.Deps{DB: db, Revoker: w.tokens, Now: w.now, Log: log})
	w.devices = device.New(db, w.now)
	w.settings = tenantconfig.New(tenantconfig.Deps{
		DB: db, Box: box, Now: w.now, Log: log,
		LDAP: tenantconfig.LDAP{CheckFilter: directory.CheckFilter, CheckDN: directory.CheckDN},
	})
	w.mint = &faulty{Service: w.tokens}
	w.Pipeline = grants.New(grants.Deps{
		Clients: w.clients, Settings: w.settings, Mint: w.mint, Codes: w.codes, Devices: w.devices, Records: w.tokens, Now: w.now,
		Guard: attempts.New(w.now),
		Directories: func(context.Context, registryclient.Tenant) (grants.Directory, bool, error) {
			return w.people, true, nil
		},
	})
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	group := engine.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore, func(c *gin.Context) {
		if found, ok := byHost[c.Request.Host]; ok {
			c.Request = c.Request.WithContext(tenancy.With(c.Request.Context(), found))
		}
	})
	grants.NewHandler(w.Pipeline, oidc.New(func(context.Context, registryclient.Tenant) (oidc.Directory, bool, error) {
		return w.people, true, nil
	}, w.mint), nil).Mount(group)
	grants.NewInspector(w.Pipeline, byHost).Mount(engine.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore, authn.Optional(w.service)))
	w.handler = engine
	return w
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) { test(t, newWorld(t, db)) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *world {
	t.Helper()
	return newWorld(t, testdb.New(t, migrations.Authenticator))
}

// register makes a client of ada in dev.
func (w *world) register(r clients.Registration) clients.Client {
	w.t.Helper()
	return w.registerIn(dev, r)
}

func (w *world) registerIn(in registryclient.Tenant, r clients.Registration) clients.Client {
	w.t.Helper()
	c, err := w.clients.Register(w.t.Context(), in.ID, "ada", r)
	if err != nil {
		w.t.Fatal(err)
	}
	if c.Key != "" {
		testlog.Secret(w.t, c.Key)
	}
	return c
}

// allow sets the grant types of a tenant.
func (w *world) allow(in registryclient.Tenant, grantTypes ...string) {
	w.t.Helper()
	sent, err := json.Marshal(grantTypes)
	if err != nil {
		w.t.Fatal(err)
	}
	w.configure(in, `{"allowable_grant_types":`+string(sent)+`}`)
}

// configure changes the configuration of a tenant.
func (w *world) configure(in registryclient.Tenant, change string) {
	w.t.Helper()
	var c tenantconfig.Change
	if err := json.Unmarshal([]byte(change), &c); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.settings.Update(w.t.Context(), in.ID, "ada", c); err != nil {
		w.t.Fatal(err)
	}
}

// The code verifier of RFC 7636 appendix B, and its challenge.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// approval is what ada approves for a client of dev.
func (w *world) approval(c clients.Client) codes.Approval {
	a := codes.Approval{
		TenantID: c.TenantID, ClientID: c.ID, Username: "ada", RedirectURI: c.CallbackURL(), Scope: "openid email unknown",
		Nonce: "n-0S6_WzA2Mj", AuthTime: w.now().Add(-time.Minute), AMR: []string{"pwd", "otp"}, IDPID: "campus",
	}
	if c.Public() {
		a.CodeChallenge = challenge
	}
	return a
}

// code has an approval recorded.
func (w *world) code(c clients.Client, a codes.Approval) string {
	w.t.Helper()
	code, err := w.Code(w.t.Context(), tenant(c.TenantID), c, a)
	if err != nil {
		w.t.Fatal(err)
	}
	testlog.Secret(w.t, code)
	return code
}

// params are the parameters of a request.
type params map[string]string

func (p params) with(more params) params {
	all := maps.Clone(p)
	maps.Copy(all, more)
	return all
}

// as adds a client's credentials.
func (p params) as(c clients.Client) params {
	more := params{"client_id": c.ID}
	if c.Key != "" {
		more["client_key"] = c.Key
	}
	return p.with(more)
}

func codeGrant(c clients.Client, code string) params {
	p := params{"grant_type": "authorization_code", "code": code, "redirect_uri": c.CallbackURL()}.as(c)
	if c.Public() {
		p["code_verifier"] = verifier
	}
	return p
}

func refreshGrant(c clients.Client, token string) params {
	return params{"grant_type": "refresh_token", "refresh_token": token}.as(c)
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (r reply) text(name string) string {
	s, _ := r.body[name].(string)
	return s
}

// want fails the test unless the answer has the status and OAuth error code.
func (r reply) want(t testing.TB, status int, code string) reply {
	t.Helper()
	if r.status != status || r.text("error") != code {
		t.Fatalf("got %d %q, want %d %q: %.300s", r.status, r.text("error"), status, code, r.raw)
	}
	return r
}

// post sends parameters as JSON to a path of the tenant named by host.
func (w *world) post(host, path string, p params) reply {
	w.t.Helper()
	body, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(host, path, http.Header{"Content-Type": {"application/json"}}, string(body))
}

func (w *world) send(host, path string, header http.Header, body string) reply {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/v3/oauth2"+path, strings.NewReader(body))
	req.Host = host
	req.Header = header
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, req)
	out := reply{status: recorder.Code, header: recorder.Result().Header, raw: recorder.Body.String()}
	if err := json.Unmarshal(recorder.Body.Bytes(), &out.body); err != nil {
		w.t.Errorf("no JSON: %.200s", out.raw)
	}
	for _, kind := range []string{"access_token", "refresh_token", "device_code"} {
		if value := out.text(kind); value != "" {
			testlog.Secret(w.t, value)
		}
	}
	return out
}

// token sends a token request to dev.
func (w *world) token(p params) reply {
	w.t.Helper()
	return w.post("dev", "/tokens", p)
}

// stands reports whether an access token of dev counts.
func (w *world) stands(access string) bool {
	w.t.Helper()
	_, err := w.tokens.Access(w.t.Context(), tokens.Tenant{ID: dev.ID, Issuer: dev.TokenService}, access)
	return err == nil
}

// claims decodes a token's claims without checking it.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("not a compact JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
