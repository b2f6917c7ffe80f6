package grants_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authenticator/userinfo"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
	"gatehouse/internal/testlog"
	"gatehouse/internal/throttle"
)

// The two tenants of these tests, and the site's administrative one.
var (
	dev   = tenant("dev")
	lab   = tenant("lab")
	admin = registryclient.Tenant{
		ID: "admin", SiteID: "main", BaseURL: registrytest.BaseURL("admin"), TokenService: registrytest.Issuer("admin"),
		SiteAdmin: true, OwnedByThisOne: true,
	}
)

func tenant(id string) registryclient.Tenant {
	return registryclient.Tenant{
		ID: id, SiteID: "main", BaseURL: registrytest.BaseURL(id), TokenService: registrytest.Issuer(id), OwnedByThisOne: true,
	}
}

// persons are a directory that asks nobody: passwords by name.
type persons map[string]string

func (p persons) Authenticate(_ context.Context, username, password string) (people.Profile, error) {
	if known, ok := p[username]; !ok || known != password {
		return people.Profile{}, people.ErrRefused
	}
	return people.Profile{Username: username}, nil
}

func (p persons) Profile(_ context.Context, username string) (people.Profile, error) {
	if _, ok := p[username]; !ok {
		return people.Profile{}, directory.ErrNotFound
	}
	return people.Profile{Username: username}, nil
}

func (p persons) Groups(context.Context, string) ([]string, error) { return []string{}, nil }

func (p persons) List(context.Context, int, int) ([]people.Profile, error) { return nil, nil }

// world is the token endpoint and what it stands on.
type world struct {
	*grants.Pipeline
	*authtest.Server

	fixture  *authtest.Fixture
	t        testing.TB
	db       *database.DB
	clients  *clients.Service
	codes    *codes.Service
	devices  *device.Service
	tokens   *tokens.Service
	settings *tenantconfig.Service
	people   persons
}

func (w *world) now() time.Time          { return w.fixture.Clock.Now() }
func (w *world) advance(d time.Duration) { w.fixture.Clock.Advance(d) }

// newWorld returns a world whose every answer is checked against OpenAPI
// documents, if any are named.
func newWorld(f *authtest.Fixture, documents ...string) *world {
	f.T.Helper()
	w := &world{
		fixture: f, t: f.T, db: f.DB, tokens: f.Tokens(), settings: f.Settings(), devices: device.New(f.DB, f.Clock.Now),
		people: persons{"ada": authtest.Secret(f.T), "bob": authtest.Secret(f.T), "client:portal": authtest.Secret(f.T)},
	}
	f.Registry().Change("lab", authtest.Object{"site_id": "main"})
	f.EnsureKey("lab")
	w.clients = clients.New(clients.Deps{
		DB: f.DB, Box: f.Box, Tokens: w.tokens, GrantTypes: grants.Types(), Now: w.now,
		WebApp: func(_ context.Context, id string) (string, error) {
			return tenant(id).OAuthURL("/webapp/callback"), nil
		},
	})
	w.codes = codes.New(codes.Deps{DB: f.DB, Tokens: w.tokens, Now: w.now, Log: f.Log})
	guard := throttle.NewGuard(w.now)
	known := people.New(people.Deps{
		Kernel: f.Kernel(), Guard: guard,
		Directories: func(context.Context, registryclient.Tenant) (people.Directory, bool, error) {
			return w.people, true, nil
		},
	})
	w.Pipeline = grants.New(grants.Deps{
		Clients: w.clients, Settings: w.settings, People: known, Tokens: w.tokens, Codes: w.codes, Devices: w.devices,
		Guard: guard, Now: w.now,
	})
	callers := authtest.Callers{"files": authtest.ServiceAccount("files", "admin", "main"), "ada": authtest.Person("ada", "dev")}
	w.Server = authtest.Serve(f.T, func(r *gin.Engine) {
		group := r.Group("/v3/oauth2", httpapi.OAuthErrors, httpapi.NoStore)
		grants.NewInspector(w.Pipeline, f.Client()).Mount(group.Group("", authn.Optional(callers.Check)))
		grants.NewHandler(w.Pipeline, userinfo.New(known, w.tokens), nil).Mount(group.Group("", tenancy.Middleware(f.Client())))
	}, documents...)
	return w
}

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) { test(t, newWorld(f, "authenticator")) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *world {
	t.Helper()
	return newWorld(authtest.OnSQLite(t), "authenticator")
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
	w.fixture.Configure(in.ID, `{"allowable_grant_types":`+string(sent)+`}`)
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
		Began: w.begun(c.TenantID), Nonce: "n-0S6_WzA2Mj", AuthTime: w.now().Add(-time.Minute), AMR: []string{"pwd", "otp"},
		IDPID: "campus",
	}
	if c.Public() {
		a.CodeChallenge = challenge
	}
	return a
}

// begun is the revocation number of a tenant.
func (w *world) begun(tenantID string) int64 {
	w.t.Helper()
	number, err := w.tokens.Begin(w.t.Context(), tenantID)
	if err != nil {
		w.t.Fatal(err)
	}
	return number
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
	headers := []string{"Host", host}
	if _, inside := header["Host"]; !strings.Contains(host, ":") && !inside {
		headers[1] = host + ".tapis.io"
	}
	if header.Get("Content-Type") == "" {
		headers = append(headers, "Content-Type", "")
	}
	for name := range header {
		headers = append(headers, name, header.Get(name))
	}
	sent := w.Send(http.MethodPost, "/v3/oauth2"+path, body, headers...)
	if sent.Body == nil {
		w.t.Errorf("no JSON: %.200s", sent.Raw)
	}
	return reply{status: sent.Status, header: sent.Header, raw: sent.Raw, body: sent.Body}
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
	return authtest.Claims(t, token)
}
