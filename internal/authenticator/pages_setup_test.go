package authenticator_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apitest"
	"gatehouse/internal/authenticator"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/database"
	"gatehouse/internal/devldap"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/testlog"
)

const (
	devHost = "dev.tapis.io"
	labHost = "tacc.tapis.io"
	dev     = "https://" + devHost + "/v3/oauth2"
	lab     = "https://" + labHost + "/v3/oauth2"
	admin   = "https://admin.tapis.io/v3/oauth2"
)

// world is an authenticator with the tenants dev and tacc, a lab, whose people
// have random passwords, and the administrative tenant admin.
type world struct {
	*authenticator.Service

	fixture *authtest.Fixture
	t       *testing.T
	db      *database.DB
	server  *httptest.Server
	people  *devldap.Server
	// passwords of ada and bob in dev, of lab's ada, and of ada and bob in admin.
	ada, bob, labAda, admins string
}

func (w *world) clock() time.Time        { return w.fixture.Clock.Now() }
func (w *world) advance(d time.Duration) { w.fixture.Clock.Advance(d) }

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) { test(t, newWorld(t, f)) })
}

func onSQLite(t *testing.T) *world {
	t.Helper()
	return newWorld(t, authtest.OnSQLite(t))
}

func newWorld(t *testing.T, f *authtest.Fixture) *world {
	t.Helper()
	w := &world{t: t, fixture: f, db: f.DB, ada: secret(t), bob: secret(t), labAda: secret(t), admins: secret(t)}
	f.Clock.Advance(123_456_789) // some of a second
	w.people = f.Directory(map[string][]devldap.Person{
		"dev":   {{Username: "ada", Password: w.ada, Email: "ada@example.org"}, {Username: "bob", Password: w.bob}},
		"tacc":  {{Username: "ada", Password: w.labAda}},
		"admin": {{Username: "ada", Password: w.admins}, {Username: "bob", Password: w.admins}},
	})
	registry := f.Registry().Deps(t, f.DB, f.Clock.Now)
	var err error
	w.Service, err = authenticator.New(authenticator.Deps{
		DB: f.DB, Box: f.Box, Registry: registry.Client, RegistryURL: registry.BaseURL, RegistryPoll: time.Hour,
		Log: f.Log, Now: w.clock, SiteID: "main", TokenRetention: time.Hour, ShowClientKeys: true, LDAPPlaintext: true,
		SessionIdle: 15 * time.Minute, SessionLifetime: 8 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := httpapi.New(httpapi.Options{Version: "test", Log: f.Log, IsPage: w.IsPage, IsSecure: w.IsSecure})
	if err != nil {
		t.Fatal(err)
	}
	w.Mount(engine)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	w.server = httptest.NewTLSServer(apitest.New(t, engine, "authenticator"))
	t.Cleanup(w.server.Close)
	return w
}

// configure changes what the tenant dev permits, as its administrator does.
func (w *world) configure(change string) {
	w.t.Helper()
	w.configureTenant("dev", change)
}

func (w *world) configureTenant(tenant, change string) {
	w.t.Helper()
	w.fixture.Configure(tenant, change)
	w.advance(3 * time.Second) // until the service has noticed
}

func secret(t *testing.T) string { return authtest.Secret(t) }

// browser is one person's browser: it keeps cookies and follows redirects only
// when told to.
type browser struct {
	w    *world
	jar  http.CookieJar
	http *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, jar: jar, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, w.server.Listener.Addr().String())
			},
		},
	}}
}

// page is what a browser got.
type page struct {
	b        *browser
	address  string
	status   int
	header   http.Header
	body     string
	location string
}

func (b *browser) do(method, address string, form url.Values, headers ...string) page {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, address, body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	p := page{b: b, address: address, status: res.StatusCode, header: res.Header, body: string(text)}
	if to := res.Header.Get("Location"); to != "" {
		u, err := req.URL.Parse(to)
		if err != nil {
			b.w.t.Fatalf("Location %q: %v", to, err)
		}
		p.location = u.String()
	}
	return p
}

func (b *browser) get(address string, headers ...string) page {
	b.w.t.Helper()
	return b.do(http.MethodGet, address, nil, headers...)
}

// visit gets an address and follows redirects between our own pages.
func (b *browser) visit(address string) page {
	b.w.t.Helper()
	return b.get(address).follow()
}

// ours reports whether an address is a page of ours, and not of a client.
func ours(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.HasSuffix(u.Host, ".tapis.io") && strings.HasPrefix(u.Path, "/v3/oauth2")
}

func (p page) follow() page {
	p.b.w.t.Helper()
	for range 10 {
		if !ours(p.location) {
			return p
		}
		p = p.b.get(p.location)
	}
	p.b.w.t.Fatalf("redirected without end, at last to %s", p.location)
	return p
}

// want fails the test unless the page has the status and shows the texts.
func (p page) want(status int, texts ...string) page {
	p.b.w.t.Helper()
	if p.status != status {
		p.b.w.t.Fatalf("%s: status %d, want %d, location %s\n%s", p.address, p.status, status, p.location, p.body)
	}
	for _, text := range texts {
		shown := html.UnescapeString(tagPattern.ReplaceAllString(p.body, ""))
		if !strings.Contains(shown, text) && !strings.Contains(p.body, text) {
			p.b.w.t.Fatalf("%s does not show %q:\n%s", p.address, text, p.body)
		}
	}
	return p
}

var (
	tagPattern    = regexp.MustCompile(`<[^>]*>`)
	formPattern   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// form returns the address and the hidden fields of the page's first form.
func (p page) form() (string, url.Values) {
	p.b.w.t.Helper()
	found := formPattern.FindStringSubmatch(p.body)
	if found == nil {
		p.b.w.t.Fatalf("%s has no form: %d\n%s", p.address, p.status, p.body)
	}
	u, err := url.Parse(p.address)
	if err != nil {
		p.b.w.t.Fatal(err)
	}
	action, err := u.Parse(found[1])
	if err != nil {
		p.b.w.t.Fatal(err)
	}
	fields := url.Values{}
	for _, f := range hiddenPattern.FindAllStringSubmatch(found[0], -1) {
		fields.Set(f[1], html.UnescapeString(f[2]))
	}
	return action.String(), fields
}

// submit sends the page's form with more fields, as a browser would.
func (p page) submit(fields ...string) page {
	p.b.w.t.Helper()
	address, values := p.form()
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	u, err := url.Parse(address)
	if err != nil {
		p.b.w.t.Fatal(err)
	}
	return p.b.do(http.MethodPost, address, values, "Origin", "https://"+u.Host, "Sec-Fetch-Site", "same-origin")
}

// logIn fills the login page in and follows where that leads.
func (p page) logIn(username, password string) page {
	p.b.w.t.Helper()
	p.want(http.StatusOK, "Log in")
	return p.submit("username", username, "password", password).follow()
}

// cookie returns the browser's session cookie at a host.
func (b *browser) cookie(host string) *http.Cookie {
	for _, c := range b.jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		if c.Name == "__Host-tapis_session" {
			testlog.Secret(b.w.t, c.Value)
			return c
		}
	}
	return nil
}

func (b *browser) setCookie(host, value string) {
	b.jar.SetCookies(&url.URL{Scheme: "https", Host: host, Path: "/"},
		[]*http.Cookie{{Name: "__Host-tapis_session", Value: value, Path: "/", Secure: true}})
}

// signedIn is a browser in which somebody of dev is signed in.
func (w *world) signedIn(username, password string) *browser {
	w.t.Helper()
	b := w.browser()
	b.visit(dev+"/authorizations").logIn(username, password).want(http.StatusOK, username)
	return b
}

// client is a registered OAuth client.
type client struct {
	id, key, redirect string
}

// register makes a client of ada's.
func (w *world) register(base, password, body string) client {
	w.t.Helper()
	token := w.token(base, url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {password}}).
		want(w.t, http.StatusOK)
	got := w.api(http.MethodPost, base+"/clients", body, "X-Tapis-Token", token.access(w.t), "Content-Type", "application/json").
		want(w.t, http.StatusCreated)
	var made struct {
		ID        string   `json:"client_id"`
		Key       string   `json:"client_key"`
		Redirects []string `json:"redirect_uris"`
	}
	if err := json.Unmarshal(got.Result, &made); err != nil {
		w.t.Fatal(err)
	}
	c := client{id: made.ID, key: made.Key}
	if made.Key != "" {
		testlog.Secret(w.t, made.Key)
	}
	if len(made.Redirects) > 0 {
		c.redirect = made.Redirects[0]
	}
	return c
}

// portal is a client with a secret and one redirect URI, with a query.
func (w *world) portal() client {
	w.t.Helper()
	return w.register(dev, w.ada, `{"client_id":"portal","callback_url":"https://portal.example.com/cb?keep=1",
		"display_name":"The <Portal>"}`)
}

// request is the address of an authorization request of a client.
func (c client) request(base string, more ...string) string {
	query := url.Values{"client_id": {c.id}, "redirect_uri": {c.redirect}, "response_type": {"code"}, "state": {"xyz"}}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			query.Del(more[i])
			continue
		}
		query.Set(more[i], more[i+1])
	}
	return base + "/authorize?" + query.Encode()
}

// answer is what a client gets by redirect.
func (p page) answer(redirect string) url.Values {
	p.b.w.t.Helper()
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.location, redirect) {
		p.b.w.t.Fatalf("%s: status %d, location %q, want %s...\n%s", p.address, p.status, p.location, redirect, p.body)
	}
	u, err := url.Parse(p.location)
	if err != nil {
		p.b.w.t.Fatal(err)
	}
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		p.b.w.t.Fatal(err)
	}
	for _, name := range []string{"code", "access_token"} {
		if value := values.Get(name); value != "" {
			testlog.Secret(p.b.w.t, value)
		}
	}
	return values
}

// reply is a JSON answer.
type reply struct {
	status int
	body   string
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
	Text   string          `json:"message"`
	Access string          `json:"access_token"`
	Again  string          `json:"refresh_token"`
}

func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s %s", r.status, status, r.Error, r.Text)
	}
	return r
}

func (r reply) access(t *testing.T) string {
	t.Helper()
	if r.Access == "" {
		t.Fatalf("no access token: %s %s", r.Error, r.Text)
	}
	return r.Access
}

func (w *world) api(method, address, body string, headers ...string) reply {
	w.t.Helper()
	b := w.browser()
	req, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{status: res.StatusCode, body: string(text)}
	var syntax *json.UnmarshalTypeError
	if err := json.Unmarshal(text, &r); err != nil && !errors.As(err, &syntax) {
		w.t.Fatalf("%s %s: %v\n%s", method, address, err, text)
	}
	for _, token := range []string{r.Access, r.Again} {
		if token != "" {
			testlog.Secret(w.t, token)
		}
	}
	return r
}

// token sends a token request as a form.
func (w *world) token(base string, form url.Values) reply {
	w.t.Helper()
	return w.api(http.MethodPost, base+"/tokens", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// redeem exchanges a code.
func (w *world) redeem(c client, code string, more ...string) reply {
	w.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {c.id}, "code": {code}, "redirect_uri": {c.redirect}}
	if c.key != "" {
		form.Set("client_key", c.key)
	}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return w.token(dev, form)
}

// whose returns the name of the person that a token is of.
func (w *world) whose(base, token string) (string, int) {
	w.t.Helper()
	got := w.api(http.MethodGet, base+"/userinfo", "", "X-Tapis-Token", token)
	var person struct {
		Username string `json:"username"`
	}
	if got.status == http.StatusOK {
		if err := json.Unmarshal(got.Result, &person); err != nil {
			w.t.Fatal(err)
		}
	}
	return person.Username, got.status
}

// challenge is the S256 code challenge of a verifier.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func decode(t *testing.T, raw json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}
