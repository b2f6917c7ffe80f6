package roles_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/roles"
)

// desk answers as an authenticator does; tests change its fields between
// requests, under the lock.
type desk struct {
	mu       sync.Mutex
	at       time.Time
	tokens   int // given
	good     string
	asked    int
	life     int64
	answers  func(w http.ResponseWriter) // to a question about a role
	issue    func(w http.ResponseWriter) // to a request for a token; nil: a token
	requests []string
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at
}

func (d *desk) do(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests = append(d.requests, fmt.Sprintf("%s %s %s %s %s %s", r.Method, r.URL.Path, r.Header.Get("X-Tapis-Tenant"), r.Header.Get("X-Tapis-User"), r.Header.Get("Content-Type"), body))
	if r.URL.Path == "/v3/site-router/tokens/check" {
		if r.Header.Get("X-Tapis-Token") == "a token" {
			d.answers(w)
		}
		return
	}
	if r.URL.Path == "/v3/tokens" {
		d.tokens++
		if name, password, ok := r.BasicAuth(); !ok || name != "tenants" || password != "pass:word" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if d.issue != nil {
			d.issue(w)
			return
		}
		d.good = fmt.Sprint("token-", d.tokens)
		_ = json.NewEncoder(w).Encode(map[string]any{"result": map[string]any{"access_token": map[string]any{"access_token": d.good, "expires_in": d.life}}})
		return
	}
	d.asked++
	if r.Header.Get("X-Tapis-Token") != d.good {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	d.answers(w)
}

func says(status int, body string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const (
	yes = `{"result":{"isAuthorized":true}}`
	no  = `{"result":{"isAuthorized":false}}`
)

func open(t *testing.T) (*desk, *roles.Client) {
	t.Helper()
	d := &desk{at: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), life: 3600, answers: says(200, yes)}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	c, err := roles.New(roles.Config{
		URL: server.URL + "/", Password: "pass:word", HTTP: server.Client(), Now: d.now,
		Self: func(context.Context) (roles.Self, error) {
			return roles.Self{SiteID: "main", TenantID: "admin"}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, c
}

func has(t *testing.T, c *roles.Client, want bool) {
	t.Helper()
	if got, err := c.Has(t.Context(), "dev", "ada", "tenant_creator"); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func wantCounts(t *testing.T, d *desk, tokens, asked int) {
	t.Helper()
	d.do(func() {
		if d.tokens != tokens || d.asked != asked {
			t.Errorf("asked for %d tokens and %d roles, want %d and %d", d.tokens, d.asked, tokens, asked)
		}
	})
}

func TestNothingIsAskedBeforeARoleIs(t *testing.T) {
	d, c := open(t)
	wantCounts(t, d, 0, 0)
	has(t, c, true)
	d.do(func() {
		want := []string{
			`POST /v3/tokens admin tenants application/json {"access_token_ttl":14400,"account_type":"service","generate_refresh_token":false,"target_site_id":"main","token_tenant_id":"admin","token_username":"tenants"}`,
			`POST /v3/security/user/hasRole admin tenants application/json {"roleName":"tenant_creator","tenant":"dev","user":"ada"}`,
		}
		if strings.Join(d.requests, "\n") != strings.Join(want, "\n") {
			t.Errorf("sent %s", strings.Join(d.requests, "\n"))
		}
	})
}

func TestAYesIsBelievedForSecondsAndANoNotAtAll(t *testing.T) {
	d, c := open(t)
	has(t, c, true)
	has(t, c, true)
	wantCounts(t, d, 1, 1)
	d.do(func() { d.answers = says(200, no); d.at = d.at.Add(2 * time.Second) })
	has(t, c, true)
	if got, err := c.Has(t.Context(), "dev", "ada", "another"); got || err != nil {
		t.Errorf("another role: got %v, %v", got, err)
	}
	if got, err := c.Has(t.Context(), "admin", "ada", "tenant_creator"); got || err != nil {
		t.Errorf("another tenant: got %v, %v", got, err)
	}
	d.do(func() { d.at = d.at.Add(2 * time.Second) })
	has(t, c, false)
	d.do(func() { d.answers = says(200, yes) })
	has(t, c, true)
	wantCounts(t, d, 1, 5)
}

func TestARoleThatNobodyKnowsIsHeldByNobody(t *testing.T) {
	d, c := open(t)
	for _, status := range []int{400, 403, 404} {
		d.do(func() { d.answers = says(status, `{"result":{"isAuthorized":true}}`) })
		has(t, c, false)
	}
}

func TestWithoutAClearAnswerNothingIsAllowed(t *testing.T) {
	d, c := open(t)
	refused := func(name string) {
		t.Helper()
		got, err := c.Has(t.Context(), "dev", "ada", "tenant_creator")
		if got || !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%s: got %v, %v, want Unavailable", name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "pass:word") || strings.Contains(err.Error(), "token-")) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	for _, body := range []string{"", "{}", "[]", "yes", `{"result":{}}`, `{"result":{"isAuthorized":null}}`, `{"result":{"isAuthorized":"true"}}`, `{"result":null}`, `{"result":{"isAuthorized":tr`} {
		d.do(func() { d.answers = says(200, body) })
		refused("200 " + body)
	}
	for _, status := range []int{302, 429, 500, 502, 503} {
		d.do(func() { d.answers = says(status, yes) })
		refused(fmt.Sprint(status))
	}
	d, c = open(t)
	for _, status := range []int{200, 401, 403, 404, 429, 500, 503} {
		d.do(func() {
			d.issue = says(status, `{"result":{"access_token":{"access_token":"token-x","expires_in":0}}}`)
		})
		refused(fmt.Sprint("token ", status))
	}
	wantCounts(t, d, 7, 0)
}

func TestAnAuthenticatorThatIsAwayAllowsNothing(t *testing.T) {
	c, err := roles.New(roles.Config{
		URL: "http://127.0.0.1:1", Password: "x", HTTP: http.DefaultClient, Now: time.Now,
		Self: func(context.Context) (roles.Self, error) { return roles.Self{SiteID: "main", TenantID: "admin"}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Has(t.Context(), "dev", "ada", "r"); got || !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, %v", got, err)
	}
	c, err = roles.New(roles.Config{
		URL: "http://127.0.0.1:1", Password: "x", HTTP: http.DefaultClient, Now: time.Now,
		Self: func(context.Context) (roles.Self, error) { return roles.Self{}, errors.New("no primary site") },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Has(t.Context(), "dev", "ada", "r"); got || !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without a primary site: got %v, %v", got, err)
	}
}

func TestTheTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	d, c := open(t)
	d.do(func() { d.answers = says(200, no) })
	for _, step := range []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {58 * time.Minute, 1}, {59*time.Minute + time.Second, 2}, {118 * time.Minute, 2}, {119 * time.Minute, 3}} {
		began := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		d.do(func() { d.at = began.Add(step.after) })
		has(t, c, false)
		d.do(func() {
			if d.tokens != step.tokens {
				t.Errorf("after %v: %d tokens, want %d", step.after, d.tokens, step.tokens)
			}
		})
	}
}

func TestATokenThatIsRefusedIsReplacedOnce(t *testing.T) {
	d, c := open(t)
	has(t, c, true)
	d.do(func() { d.good = "rotated"; d.at = d.at.Add(time.Minute) })
	has(t, c, true)
	wantCounts(t, d, 2, 3)
	// One that is never believed does not make a loop.
	d.do(func() { d.at = d.at.Add(time.Minute); d.answers = says(401, "") })
	if _, err := c.Has(t.Context(), "dev", "ada", "tenant_creator"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
	wantCounts(t, d, 3, 5)
}

func TestOfManyWhoNeedATokenOneFetchesIt(t *testing.T) {
	d, c := open(t)
	gone, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = gone // whoever came first may leave
			}
			if _, err := c.Has(ctx, "dev", fmt.Sprint("user", i), "r"); err != nil && i != 0 {
				t.Error(err)
			}
		})
	}
	cancel()
	all.Wait()
	d.do(func() {
		if d.tokens != 1 {
			t.Errorf("%d tokens were fetched, want 1", d.tokens)
		}
	})
}

func TestEverythingThatAClientNeedsIsAskedFor(t *testing.T) {
	self := func(context.Context) (roles.Self, error) { return roles.Self{}, nil }
	for _, config := range []roles.Config{
		{},
		{Password: "x", HTTP: http.DefaultClient, Now: time.Now, Self: self},
		{URL: "http://a", HTTP: http.DefaultClient, Now: time.Now, Self: self},
		{URL: "http://a", Password: "x", Now: time.Now, Self: self},
		{URL: "http://a", Password: "x", HTTP: http.DefaultClient, Self: self},
		{URL: "http://a", Password: "x", HTTP: http.DefaultClient, Now: time.Now},
	} {
		if _, err := roles.New(config); err == nil {
			t.Errorf("%+v: got no error", config)
		}
	}
}

func TestWhetherATokenStandsIsAskedEveryTime(t *testing.T) {
	d, c := open(t)
	for status, want := range map[int]bool{200: true, 400: false, 401: false} {
		d.do(func() { d.answers = says(status, "{}") })
		if got, err := c.Stands(t.Context(), "a token"); got != want || err != nil {
			t.Errorf("%d: got %v, %v", status, got, err)
		}
	}
	for _, status := range []int{302, 403, 404, 429, 500, 503} {
		d.do(func() { d.answers = says(status, "") })
		if got, err := c.Stands(t.Context(), "a token"); got || !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%d: got %v, %v", status, got, err)
		}
	}
	wantCounts(t, d, 0, 0)
}
