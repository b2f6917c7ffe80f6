package kernelclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// tokenTTL is asked for, and early is how long before its end a token is
// replaced.
const (
	tokenTTL = 4 * time.Hour
	early    = time.Minute
)

// token is the service's own.
type token struct {
	raw     string
	until   time.Time // when it is to be replaced
	account Account
}

// serviceToken returns the service's own token, another one than bad. Of
// callers at the same time one fetches it.
func (c *Client) serviceToken(ctx context.Context, bad string) (token, error) {
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
	account, err := c.config.Account(ctx)
	if err != nil {
		return token{}, err
	}
	asked := c.config.Now()
	var response struct {
		Result struct {
			Access struct {
				Token     string `json:"access_token"`
				ExpiresIn int64  `json:"expires_in"`
			} `json:"access_token"`
		} `json:"result"`
	}
	status, err := c.post(ctx, "/v3/tokens", account, map[string]any{
		"account_type": "service", "token_tenant_id": account.TenantID, "token_username": c.config.Service,
		"target_site_id": account.SiteID, "access_token_ttl": int64(tokenTTL / time.Second), "generate_refresh_token": false,
	}, &response, func(r *http.Request) { r.SetBasicAuth(c.config.Service, c.config.Password) })
	got := response.Result.Access
	switch {
	case err != nil:
		return token{}, err
	case status != http.StatusOK && status != http.StatusCreated:
		return token{}, fmt.Errorf("the authenticator answered %d to our service password", status)
	case got.Token == "" || got.ExpiresIn <= 0:
		return token{}, errors.New("the authenticator answered without a token")
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	t := token{raw: got.Token, until: asked.Add(life - min(early, life/2)), account: account}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = t
	return t, nil
}
