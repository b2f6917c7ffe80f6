package roles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/apierr"
)

const (
	// service is the registry's own name among the services.
	service = "tenants"
	// timeout bounds each request to the authenticator.
	timeout = 5 * time.Second
	// remember is how long a yes is believed. A no is never remembered, so
	// that a role counts as soon as it is granted.
	remember = 3 * time.Second
	// maxRemembered bounds how many are.
	maxRemembered = 1000
	// tokenTTL is asked for, and early is how long before its end a token is
	// replaced.
	tokenTTL = 4 * time.Hour
	early    = time.Minute
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 10
)

// Self is who the registry is among the services: a service of the primary
// site, in that site's administrative tenant.
type Self struct{ SiteID, TenantID string }

// Config is what a Client needs. All are required.
type Config struct {
	URL      string // of the authenticator, without the path
	Password string // of the service account tenants
	HTTP     *http.Client
	Now      func() time.Time
	Self     func(ctx context.Context) (Self, error)
}

// Client asks for roles. It is safe for concurrent use.
type Client struct {
	config Config
	flight singleflight.Group

	mu    sync.Mutex
	token token
	yes   map[question]time.Time // until when each is believed
}

// token is the registry's own.
type token struct {
	raw   string
	until time.Time // when it is to be replaced
	self  Self
}

type question struct{ tenantID, username, role string }

// New returns a client that has asked nothing yet.
func New(c Config) (*Client, error) {
	if c.URL == "" || c.Password == "" || c.HTTP == nil || c.Now == nil || c.Self == nil {
		return nil, errors.New("roles: a URL, a password, an HTTP client, a clock and who we are are required")
	}
	c.URL = strings.TrimRight(c.URL, "/")
	direct := *c.HTTP
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // our token is for nobody else
	c.HTTP = &direct
	return &Client{config: c, yes: map[question]time.Time{}}, nil
}

// Has reports whether a user or service of the tenant holds the role. A role
// that does not exist is held by nobody. It fails as Unavailable when the
// authenticator gives no clear answer.
func (c *Client) Has(ctx context.Context, tenantID, username, role string) (bool, error) {
	q := question{tenantID, username, role}
	if c.remembers(q) {
		return true, nil
	}
	own, err := c.own(ctx, "")
	if err != nil {
		return false, away(err)
	}
	has, err := c.ask(ctx, own, q)
	if errors.Is(err, errRefused) { // its key may have been rotated, or it was revoked
		if own, err = c.own(ctx, own.raw); err == nil {
			has, err = c.ask(ctx, own, q)
		}
	}
	if err != nil {
		return false, away(err)
	}
	if has {
		c.note(q)
	}
	return has, nil
}

func away(err error) error { return apierr.Away(err, "The service that knows who may do what") }

func (c *Client) remembers(q question) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, found := c.yes[q]
	return found && c.config.Now().Before(until)
}

func (c *Client) note(q question) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.yes) >= maxRemembered {
		clear(c.yes)
	}
	c.yes[q] = now.Add(remember)
}

// checkTimeout bounds the question about a token.
const checkTimeout = 2 * time.Second

// Stands reports whether a token that was found good otherwise has not been
// revoked. Of tokens that another site has issued the authenticator knows
// nothing bad. It fails as Unavailable when there is no clear answer.
func (c *Client) Stands(ctx context.Context, raw string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.URL+"/v3/site-router/tokens/check", nil)
	if err != nil {
		return false, away(err)
	}
	r.Header.Set("X-Tapis-Token", raw)
	w, err := c.config.HTTP.Do(r)
	if err != nil {
		return false, away(err)
	}
	_ = w.Body.Close()
	switch w.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusUnauthorized, http.StatusBadRequest: // the latter of site routers with legacy_error_codes, and of others
		return false, nil
	}
	return false, away(fmt.Errorf("the authenticator answered %d to a question about a token", w.StatusCode))
}

// errRefused says that the token which we sent was not believed.
var errRefused = errors.New("the authenticator refused the registry's service token")

// ask asks once.
func (c *Client) ask(ctx context.Context, own token, q question) (bool, error) {
	var answer struct {
		Result struct {
			IsAuthorized *bool `json:"isAuthorized"`
		} `json:"result"`
	}
	status, err := c.post(ctx, "/v3/security/user/hasRole", map[string]any{
		"tenant": q.tenantID, "user": q.username, "roleName": q.role,
	}, &answer, func(r *http.Request) {
		r.Header.Set("X-Tapis-Token", own.raw)
		r.Header.Set("X-Tapis-Tenant", own.self.TenantID)
		r.Header.Set("X-Tapis-User", service)
	})
	switch {
	case err != nil:
		return false, err
	case status == http.StatusUnauthorized:
		return false, errRefused
	case status == http.StatusNotFound, status == http.StatusForbidden, status == http.StatusBadRequest:
		return false, nil // no such role, or a tenant or name of which the authenticator knows none
	case status != http.StatusOK || answer.Result.IsAuthorized == nil:
		return false, fmt.Errorf("the authenticator answered %d to a question about a role", status)
	}
	return *answer.Result.IsAuthorized, nil
}

// own returns the registry's own service token, another one than bad. Of
// callers at the same time one fetches it.
func (c *Client) own(ctx context.Context, bad string) (token, error) {
	if t := c.kept(); t.raw != "" && t.raw != bad {
		return t, nil
	}
	fetched := c.flight.DoChan("token", func() (any, error) {
		if t := c.kept(); t.raw != "" && t.raw != bad { // of a flight that has just ended
			return t, nil
		}
		// The first caller may go away; the others wait on.
		return c.fetch(context.WithoutCancel(ctx))
	})
	select {
	case <-ctx.Done():
		return token{}, ctx.Err()
	case r := <-fetched:
		t, _ := r.Val.(token)
		return t, r.Err
	}
}

// kept returns the token in memory while it is good.
func (c *Client) kept() token {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config.Now().Before(c.token.until) {
		return c.token
	}
	return token{}
}

// fetch gets a token with the service's password.
func (c *Client) fetch(ctx context.Context) (token, error) {
	self, err := c.config.Self(ctx)
	if err != nil {
		return token{}, err
	}
	asked := c.config.Now()
	var answer struct {
		Result struct {
			Access struct {
				Token     string `json:"access_token"`
				ExpiresIn int64  `json:"expires_in"`
			} `json:"access_token"`
		} `json:"result"`
	}
	status, err := c.post(ctx, "/v3/tokens", map[string]any{
		"account_type": "service", "token_tenant_id": self.TenantID, "token_username": service,
		"target_site_id": self.SiteID, "access_token_ttl": int64(tokenTTL / time.Second), "generate_refresh_token": false,
	}, &answer, func(r *http.Request) {
		r.SetBasicAuth(service, c.config.Password)
		r.Header.Set("X-Tapis-Tenant", self.TenantID)
		r.Header.Set("X-Tapis-User", service)
	})
	got := answer.Result.Access
	switch {
	case err != nil:
		return token{}, err
	case status != http.StatusOK && status != http.StatusCreated:
		return token{}, fmt.Errorf("the authenticator answered %d to the registry's service password", status)
	case got.Token == "" || got.ExpiresIn <= 0:
		return token{}, errors.New("the authenticator answered without a token")
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	t := token{raw: got.Token, until: asked.Add(life - min(early, life/2)), self: self}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = t
	return t, nil
}

// post sends body as JSON and decodes the answer of a success into result.
// Errors never repeat what was sent or received.
func (c *Client) post(ctx context.Context, path string, body, result any, dress func(r *http.Request)) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	dress(r)
	w, err := c.config.HTTP.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = w.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer))
	if err != nil {
		return 0, err
	}
	if w.StatusCode < http.StatusMultipleChoices && json.Unmarshal(answer, result) != nil {
		return 0, fmt.Errorf("the authenticator answered %d and no JSON", w.StatusCode)
	}
	return w.StatusCode, nil
}
