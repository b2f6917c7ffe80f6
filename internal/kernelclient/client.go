package kernelclient

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
	"gatehouse/internal/recent"
)

const (
	// timeout bounds each request, checkTimeout the question about a token.
	timeout      = 5 * time.Second
	checkTimeout = 2 * time.Second
	// remember is how long a yes is believed. A no is never remembered, so
	// that a role counts as soon as it is granted.
	remember      = 3 * time.Second
	maxRemembered = 1000
	// maxResponse bounds what is read of a response, in bytes.
	maxResponse = 64 << 10
)

// Config is what a Client needs. All are required.
type Config struct {
	URL      string // of the authenticator, without the path
	Service  string // the name of the service that asks, such as tenants
	Password string // of its service account
	HTTP     *http.Client
	Now      func() time.Time
	// Account tells where the service's account is. It is called when a token
	// is fetched; its error makes the question fail.
	Account func(ctx context.Context) (Account, error)
}

// Account is where a service has its account: at a site, in that site's
// administrative tenant.
type Account struct{ SiteID, TenantID string }

// Client asks a Security Kernel. It is safe for concurrent use. A nil Client
// is that of an installation without one.
type Client struct {
	config Config
	held   *recent.Map[question, struct{}] // the roles of which the kernel said yes
	flight singleflight.Group

	mu    sync.Mutex
	token token
}

type question struct{ tenantID, username, role string }

// New returns a client that has asked nothing yet. It fails when something is
// missing from the configuration.
func New(c Config) (*Client, error) {
	if c.URL == "" || c.Service == "" || c.Password == "" || c.HTTP == nil || c.Now == nil || c.Account == nil {
		return nil, errors.New("kernelclient: a URL, a service and its password, an HTTP client, a clock and an account are required")
	}
	c.URL = strings.TrimRight(c.URL, "/")
	direct := *c.HTTP
	direct.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // our token is for nobody else
	}
	c.HTTP = &direct
	return &Client{config: c, held: recent.New[question, struct{}](maxRemembered, remember)}, nil
}

// errNone says that the client is nil.
var errNone = errors.New("no authenticator is configured; set authenticator.url")

// HasRole reports whether a user or service of the tenant holds the role. A
// role that does not exist is held by nobody. Errors: Unavailable.
func (c *Client) HasRole(ctx context.Context, tenantID, username, role string) (bool, error) {
	if c == nil {
		return false, away(errNone)
	}
	q := question{tenantID, username, role}
	if _, found := c.held.Find(q, c.config.Now()); found {
		return true, nil
	}
	own, err := c.serviceToken(ctx, "")
	if err != nil {
		return false, away(err)
	}
	has, err := c.ask(ctx, own, q)
	if errors.Is(err, errRefused) { // its key may have been rotated, or it was revoked
		if own, err = c.serviceToken(ctx, own.raw); err == nil {
			has, err = c.ask(ctx, own, q)
		}
	}
	if err != nil {
		return false, away(err)
	}
	if has {
		c.held.Keep(q, struct{}{}, c.config.Now(), c.held.Turn())
	}
	return has, nil
}

// TokenActive reports whether a token that was found good otherwise has not
// been revoked. Of tokens that another site has issued the authenticator knows
// nothing bad, and without an authenticator nothing was revoked. thirdParty is
// the client of somebody else that holds the token, which then may administer
// nothing; empty: none. Errors: Unavailable.
func (c *Client) TokenActive(ctx context.Context, raw string) (active bool, thirdParty string, err error) {
	if c == nil {
		return true, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.URL+"/v3/site-router/tokens/check?third_party=1", nil)
	if err != nil {
		return false, "", away(err)
	}
	r.Header.Set("X-Tapis-Token", raw)
	w, err := c.config.HTTP.Do(r)
	if err != nil {
		return false, "", away(err)
	}
	_ = w.Body.Close()
	switch w.StatusCode {
	case http.StatusOK:
		return true, w.Header.Get("X-Tapis-Token-Third-Party"), nil
	case http.StatusUnauthorized, http.StatusBadRequest: // the latter of site routers with legacy_error_codes, and of others
		return false, "", nil
	}
	return false, "", away(fmt.Errorf("the authenticator answered %d to a question about a token", w.StatusCode))
}

func away(err error) error { return apierr.Away(err, "The service that knows who may do what") }

// errRefused says that the token which we sent was not believed.
var errRefused = errors.New("the authenticator refused our service token")

// ask asks once.
func (c *Client) ask(ctx context.Context, own token, q question) (bool, error) {
	var response struct {
		Result struct {
			IsAuthorized *bool `json:"isAuthorized"`
		} `json:"result"`
	}
	status, err := c.post(ctx, "/v3/security/user/hasRole", own.account, map[string]any{
		"tenant": q.tenantID, "user": q.username, "roleName": q.role,
	}, &response, func(r *http.Request) { r.Header.Set("X-Tapis-Token", own.raw) })
	switch {
	case err != nil:
		return false, err
	case status == http.StatusUnauthorized:
		return false, errRefused
	case status == http.StatusNotFound, status == http.StatusForbidden, status == http.StatusBadRequest:
		return false, nil // no such role, or a tenant or name of which the authenticator knows none
	case status != http.StatusOK || response.Result.IsAuthorized == nil:
		return false, fmt.Errorf("the authenticator answered %d to a question about a role", status)
	}
	return *response.Result.IsAuthorized, nil
}

// post sends body as JSON, as the service with the account, and decodes the
// response of a success into result. Errors never repeat what was sent or
// received.
func (c *Client) post(
	ctx context.Context, path string, as Account, body, result any, authenticate func(r *http.Request),
) (status int, err error) {
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
	r.Header.Set("X-Tapis-Tenant", as.TenantID)
	r.Header.Set("X-Tapis-User", c.config.Service)
	authenticate(r)
	w, err := c.config.HTTP.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = w.Body.Close() }()
	response, err := io.ReadAll(io.LimitReader(w.Body, maxResponse))
	if err != nil {
		return 0, err
	}
	if w.StatusCode < http.StatusMultipleChoices && json.Unmarshal(response, result) != nil {
		return 0, fmt.Errorf("the authenticator answered %d and no JSON", w.StatusCode)
	}
	return w.StatusCode, nil
}
