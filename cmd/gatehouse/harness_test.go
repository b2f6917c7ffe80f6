package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/apitest"
	"gatehouse/internal/devldap"
	"gatehouse/internal/seal"
	"gatehouse/internal/testclock"
	"gatehouse/internal/testlog"
)

// running is a whole site under test: dev and lab have people with random
// passwords, one of them named alike in both; admin has none.
type running struct {
	*site
	t       *testing.T
	clock   *testclock.Clock
	server  *httptest.Server
	port    string
	ada     person // in dev
	bob     person // in dev
	labAda  person // in lab, with the same name as ada
	dataDir string
	admin   string // ada's token, once adminToken was asked
}

type person struct{ host, name, password string }

// start runs a site whose every answer is checked against the OpenAPI
// documents.
func start(t *testing.T) *running { return startIn(t, t.TempDir(), nil) }

// startIn runs a site on a data directory, with the people of an earlier run
// if one is given.
func startIn(t *testing.T, dir string, earlier *running) *running {
	t.Helper()
	log := testlog.New(t)
	r := &running{t: t, clock: testclock.At(time.Now()), dataDir: dir}
	server := httptest.NewUnstartedServer(nil)
	addr := server.Listener.Addr()
	if earlier != nil {
		// The same address again, as a restart has it.
		_ = server.Listener.Close()
		var err error
		if server.Listener, err = net.Listen("tcp", "127.0.0.1:"+earlier.port); err != nil {
			t.Fatal(err)
		}
		addr = server.Listener.Addr()
		r.clock = earlier.clock
	}
	_, r.port, _ = net.SplitHostPort(addr.String())
	if earlier == nil {
		r.ada = person{"localhost:" + r.port, "ada", secret(t, seal.NewSecret())}
		r.bob = person{"localhost:" + r.port, "bob", secret(t, seal.NewSecret())}
		r.labAda = person{"lab.localhost:" + r.port, "ada", secret(t, seal.NewSecret())}
	} else {
		r.ada, r.bob, r.labAda = earlier.ada, earlier.bob, earlier.labAda
	}
	a := newAddresses(addr)
	p := plan{addresses: a, tenants: []plannedTenant{
		{id: devTenant, baseURL: a.dev, admin: "ada", people: []devldap.Person{r.ada.entry(), r.bob.entry()}},
		{id: "lab", baseURL: "http://lab.localhost:" + r.port, admin: "ada", people: []devldap.Person{r.labAda.entry()}},
		{id: adminTenant, baseURL: a.admin, admin: "admin"},
	}}
	site, err := openSite(t.Context(), dataDir(dir), p, log, r.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	if site.newPassword != "" {
		secret(t, site.newPassword)
	}
	r.site, r.server = site, server
	server.Config.Handler = apitest.New(t, site.engine, "tenants", "authenticator", "security", "tokens")
	server.Start()
	t.Cleanup(r.halt)
	return r
}

// halt stops the site; the test's end does it too.
func (r *running) halt() {
	r.server.Close()
	r.close()
}

func (p person) entry() devldap.Person {
	return devldap.Person{
		Username: p.name, Password: p.password, GivenName: "Test", LastName: p.name, Email: p.name + "@example.org",
	}
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (r reply) result(t *testing.T) map[string]any {
	t.Helper()
	m, ok := r.body["result"].(map[string]any)
	if !ok {
		t.Fatalf("no result object: %d %s", r.status, r.raw)
	}
	return m
}

// want fails the test unless the answer has the status and OAuth error code.
func (r reply) want(t *testing.T, status int, code string) reply {
	t.Helper()
	got, _ := r.body["error"].(string)
	if r.status != status || got != code {
		t.Fatalf("got %d %q, want %d %q: %.300s", r.status, got, status, code, r.raw)
	}
	return r
}

// access and refresh are the tokens of a good answer.
func (r reply) access() string  { return r.body["access_token"].(string) }
func (r reply) refresh() string { return r.body["refresh_token"].(string) }

type header map[string]string

// withJSON are the headers of JSON with a token.
func withJSON(token string) header { return header{"X-Tapis-Token": token, "Content-Type": asJSON} }

// get asks with a token, or with none.
func (r *running) get(host, path, token string) reply {
	r.t.Helper()
	if token == "" {
		return r.send(http.MethodGet, host, path, nil, "")
	}
	return r.send(http.MethodGet, host, path, header{"X-Tapis-Token": token}, "")
}

// send makes a request to the host of a tenant.
func (r *running) send(method, host, path string, h header, body string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Host = host
	for name, value := range h {
		req.Header.Set(name, value)
	}
	resp, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			r.t.Fatalf("%s %s answered no JSON: %.200s", method, path, raw)
		}
	}
	return out
}

const (
	asJSON    = "application/json"
	asForm    = "application/x-www-form-urlencoded"
	tokenPath = "/v3/oauth2/tokens"
)

// tokens sends a token request as JSON.
func (r *running) tokens(host string, h header, params map[string]any) reply {
	r.t.Helper()
	body, err := json.Marshal(params)
	if err != nil {
		r.t.Fatal(err)
	}
	all := header{"Content-Type": asJSON}
	maps.Copy(all, h)
	out := r.send(http.MethodPost, host, tokenPath, all, string(body))
	for _, kind := range []string{"access_token", "refresh_token"} {
		if value, ok := out.body[kind].(string); ok {
			secret(r.t, value)
		}
	}
	return out
}

// form sends a token request as a form.
func (r *running) form(host string, h header, params url.Values) reply {
	r.t.Helper()
	all := header{"Content-Type": asForm}
	maps.Copy(all, h)
	return r.send(http.MethodPost, host, tokenPath, all, params.Encode())
}

func passwordGrant(name, password string) map[string]any {
	return map[string]any{"grant_type": "password", "username": name, "password": password}
}

func (p person) grant() map[string]any { return passwordGrant(p.name, p.password) }

// login returns a person's access token, made without a client.
func (r *running) login(p person) string {
	r.t.Helper()
	return r.tokens(p.host, nil, p.grant()).want(r.t, 200, "").access()
}

// client is a registered OAuth client.
type client struct{ id, key string }

// register makes a client for a person.
func (r *running) register(p person, token, body string) client {
	r.t.Helper()
	got := r.send(http.MethodPost, p.host, "/v3/oauth2/clients", withJSON(token), body).
		want(r.t, 201, "").result(r.t)
	c := client{id: got["client_id"].(string)}
	if key, ok := got["client_key"].(string); ok {
		c.key = secret(r.t, key)
	}
	return c
}

// client makes a confidential client for a person.
func (r *running) client(p person) client {
	r.t.Helper()
	return r.register(p, r.login(p), `{}`)
}

func (c client) basic() header {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(c.id, c.key)
	return header{"Authorization": req.Header.Get("Authorization")}
}

// grant adds a public client's id to a person's password grant.
func (c client) with(params map[string]any) map[string]any {
	params["client_id"] = c.id
	return params
}

func refreshGrant(token string) map[string]any {
	return map[string]any{"grant_type": "refresh_token", "refresh_token": token}
}

// unverified decodes a token without checking it.
func unverified(t *testing.T, token string) *jwt.Token {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	return unverified(t, token).Claims.(jwt.MapClaims)
}

// secret registers a value that no log may contain and returns it.
func secret(t testing.TB, value string) string {
	testlog.Secret(t, value)
	return value
}
