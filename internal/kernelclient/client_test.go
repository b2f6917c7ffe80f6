package kernelclient_test

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
	"gatehouse/internal/kernelclient"
)

// kernel answers as an authenticator does; tests change its fields between
// requests, under the lock.
type kernel struct {
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

func (k *kernel) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.at
}

func (k *kernel) do(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func (k *kernel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, fmt.Sprintf("%s %s %s %s %s %s", r.Method, r.URL.Path,
		r.Header.Get("X-Tapis-Tenant"), r.Header.Get("X-Tapis-User"), r.Header.Get("Content-Type"), body))
	if r.URL.Path == "/v3/site-router/tokens/check" {
		if r.Header.Get("X-Tapis-Token") == "a token" {
			k.answers(w)
		}
		return
	}
	if r.URL.Path == "/v3/tokens" {
		k.tokens++
		if name, password, ok := r.BasicAuth(); !ok || name != "tenants" || password != "pass:word" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if k.issue != nil {
			k.issue(w)
			return
		}
		k.good = fmt.Sprint("token-", k.tokens)
		access := map[string]any{"access_token": k.good, "expires_in": k.life}
		_ = json.NewEncoder(w).Encode(map[string]any{"result": map[string]any{"access_token": access}})
		return
	}
	k.asked++
	if r.Header.Get("X-Tapis-Token") != k.good {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	k.answers(w)
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

// complete returns a configuration that lacks nothing.
func complete(url string) kernelclient.Config {
	return kernelclient.Config{
		URL: url, Service: "tenants", Password: "pass:word", HTTP: http.DefaultClient, Now: time.Now,
		Account: func(context.Context) (kernelclient.Account, error) {
			return kernelclient.Account{SiteID: "main", TenantID: "admin"}, nil
		},
	}
}

func newClient(t *testing.T, config kernelclient.Config) *kernelclient.Client {
	t.Helper()
	c, err := kernelclient.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T) (*kernel, *kernelclient.Client) {
	t.Helper()
	k := &kernel{at: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), life: 3600, answers: says(200, yes)}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	config := complete(server.URL + "/")
	config.Now = k.now
	return k, newClient(t, config)
}

func has(t *testing.T, c *kernelclient.Client, want bool) {
	t.Helper()
	if got, err := c.HasRole(t.Context(), "dev", "ada", "tenant_creator"); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func wantCounts(t *testing.T, k *kernel, tokens, asked int) {
	t.Helper()
	k.do(func() {
		if k.tokens != tokens || k.asked != asked {
			t.Errorf("asked for %d tokens and %d roles, want %d and %d", k.tokens, k.asked, tokens, asked)
		}
	})
}

func TestNothingIsAskedBeforeARoleIs(t *testing.T) {
	k, c := open(t)
	wantCounts(t, k, 0, 0)
	has(t, c, true)
	k.do(func() {
		want := []string{
			`POST /v3/tokens admin tenants application/json ` +
				`{"access_token_ttl":14400,"account_type":"service","generate_refresh_token":false,` +
				`"target_site_id":"main","token_tenant_id":"admin","token_username":"tenants"}`,
			`POST /v3/security/user/hasRole admin tenants application/json ` +
				`{"roleName":"tenant_creator","tenant":"dev","user":"ada"}`,
		}
		if strings.Join(k.requests, "\n") != strings.Join(want, "\n") {
			t.Errorf("sent %s", strings.Join(k.requests, "\n"))
		}
	})
}

func TestAYesIsBelievedForSecondsAndANoNotAtAll(t *testing.T) {
	k, c := open(t)
	has(t, c, true)
	has(t, c, true)
	wantCounts(t, k, 1, 1)
	k.do(func() { k.answers = says(200, no); k.at = k.at.Add(2 * time.Second) })
	has(t, c, true)
	if got, err := c.HasRole(t.Context(), "dev", "ada", "another"); got || err != nil {
		t.Errorf("another role: got %v, %v", got, err)
	}
	if got, err := c.HasRole(t.Context(), "admin", "ada", "tenant_creator"); got || err != nil {
		t.Errorf("another tenant: got %v, %v", got, err)
	}
	k.do(func() { k.at = k.at.Add(2 * time.Second) })
	has(t, c, false)
	k.do(func() { k.answers = says(200, yes) })
	has(t, c, true)
	wantCounts(t, k, 1, 5)
}

func TestARoleThatNobodyKnowsIsHeldByNobody(t *testing.T) {
	k, c := open(t)
	for _, status := range []int{400, 403, 404} {
		k.do(func() { k.answers = says(status, `{"result":{"isAuthorized":true}}`) })
		has(t, c, false)
	}
}

func TestWithoutAClearAnswerNothingIsAllowed(t *testing.T) {
	k, c := open(t)
	refused := func(name string) {
		t.Helper()
		got, err := c.HasRole(t.Context(), "dev", "ada", "tenant_creator")
		if got || !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%s: got %v, %v, want Unavailable", name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "pass:word") || strings.Contains(err.Error(), "token-")) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	for _, body := range []string{
		"", "{}", "[]", "yes", `{"result":{}}`, `{"result":{"isAuthorized":null}}`, `{"result":{"isAuthorized":"true"}}`,
		`{"result":null}`, `{"result":{"isAuthorized":tr`,
	} {
		k.do(func() { k.answers = says(200, body) })
		refused("200 " + body)
	}
	for _, status := range []int{302, 429, 500, 502, 503} {
		k.do(func() { k.answers = says(status, yes) })
		refused(fmt.Sprint(status))
	}
	k, c = open(t)
	for _, status := range []int{200, 401, 403, 404, 429, 500, 503} {
		k.do(func() {
			k.issue = says(status, `{"result":{"access_token":{"access_token":"token-x","expires_in":0}}}`)
		})
		refused(fmt.Sprint("token ", status))
	}
	wantCounts(t, k, 7, 0)
}

func TestAnAuthenticatorThatIsAwayAllowsNothing(t *testing.T) {
	config := complete("http://127.0.0.1:1")
	if got, err := newClient(t, config).HasRole(t.Context(), "dev", "ada", "r"); got || !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, %v", got, err)
	}
	config.Account = func(context.Context) (kernelclient.Account, error) {
		return kernelclient.Account{}, errors.New("no primary site")
	}
	if got, err := newClient(t, config).HasRole(t.Context(), "dev", "ada", "r"); got || !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("without an account: got %v, %v", got, err)
	}
}

func TestTheTokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	k, c := open(t)
	k.do(func() { k.answers = says(200, no) })
	for _, step := range []struct {
		after  time.Duration
		tokens int
	}{{0, 1}, {58 * time.Minute, 1}, {59*time.Minute + time.Second, 2}, {118 * time.Minute, 2}, {119 * time.Minute, 3}} {
		began := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		k.do(func() { k.at = began.Add(step.after) })
		has(t, c, false)
		k.do(func() {
			if k.tokens != step.tokens {
				t.Errorf("after %v: %d tokens, want %d", step.after, k.tokens, step.tokens)
			}
		})
	}
}

func TestATokenThatIsRefusedIsReplacedOnce(t *testing.T) {
	k, c := open(t)
	has(t, c, true)
	k.do(func() { k.good = "rotated"; k.at = k.at.Add(time.Minute) })
	has(t, c, true)
	wantCounts(t, k, 2, 3)
	// One that is never believed does not make a loop.
	k.do(func() { k.at = k.at.Add(time.Minute); k.answers = says(401, "") })
	if _, err := c.HasRole(t.Context(), "dev", "ada", "tenant_creator"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
	wantCounts(t, k, 3, 5)
}

func TestOfManyWhoNeedATokenOneFetchesIt(t *testing.T) {
	k, c := open(t)
	gone, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = gone // whoever came first may leave
			}
			if _, err := c.HasRole(ctx, "dev", fmt.Sprint("user", i), "r"); err != nil && i != 0 {
				t.Error(err)
			}
		})
	}
	cancel()
	all.Wait()
	k.do(func() {
		if k.tokens != 1 {
			t.Errorf("%d tokens were fetched, want 1", k.tokens)
		}
	})
}

func TestEverythingThatAClientNeedsIsAskedFor(t *testing.T) {
	for name, without := range map[string]func(c *kernelclient.Config){
		"URL":      func(c *kernelclient.Config) { c.URL = "" },
		"Service":  func(c *kernelclient.Config) { c.Service = "" },
		"Password": func(c *kernelclient.Config) { c.Password = "" },
		"HTTP":     func(c *kernelclient.Config) { c.HTTP = nil },
		"Now":      func(c *kernelclient.Config) { c.Now = nil },
		"Account":  func(c *kernelclient.Config) { c.Account = nil },
	} {
		config := complete("http://a")
		without(&config)
		if _, err := kernelclient.New(config); err == nil {
			t.Errorf("without %s: got no error", name)
		}
	}
}

func TestWithoutAKernelNobodyHoldsARoleAndNoTokenIsRevoked(t *testing.T) {
	var c *kernelclient.Client
	if got, err := c.HasRole(t.Context(), "dev", "ada", "r"); got || !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("a role: got %v, %v", got, err)
	}
	if got, _, err := c.TokenActive(t.Context(), "a token"); !got || err != nil {
		t.Errorf("a token: got %v, %v", got, err)
	}
}

func TestWhetherATokenIsActiveIsAskedEveryTime(t *testing.T) {
	k, c := open(t)
	for status, want := range map[int]bool{200: true, 400: false, 401: false} {
		k.do(func() { k.answers = says(status, "{}") })
		if got, _, err := c.TokenActive(t.Context(), "a token"); got != want || err != nil {
			t.Errorf("%d: got %v, %v", status, got, err)
		}
	}
	for _, status := range []int{302, 403, 404, 429, 500, 503} {
		k.do(func() { k.answers = says(status, "") })
		if got, _, err := c.TokenActive(t.Context(), "a token"); got || !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%d: got %v, %v", status, got, err)
		}
	}
	wantCounts(t, k, 0, 0)
}
