// Package serviceaccount is the authenticator's own service account: it signs
// its requests to other services with tokens that it has minted for itself.
//
// Minting belongs to tokens, keeping the account's secrets to kernel; which
// tenant and site the account belongs to is known by registryclient.
package serviceaccount

import (
	"context"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
)

// Name is the account's name, in the administrative tenant of its site.
const Name = "authenticator"

// Secret is where the kernel keeps a secret of the account.
func Secret(adminTenant, name string) kernel.SecretAddress {
	return kernel.SecretAddress{TenantID: adminTenant, Type: kernel.UserSecret, Account: Name, Name: name}
}

// lifetime of a token; a new one is minted when less than half is left.
const lifetime = time.Hour

// Account is the authenticator's own account.
type Account struct {
	registry *registryclient.Client
	tokens   *tokens.Service
	keys     *keys.Service
	now      func() time.Time

	mu     sync.Mutex // guards the rest
	token  tokens.Token
	holder holder
}

// holder is what a token was minted for, and with which key: the registry
// knows one, so that a token of the key before is worth nothing there.
type holder struct{ tenant, issuer, site, kid string }

// New returns the Account.
func New(r *registryclient.Client, t *tokens.Service, k *keys.Service, now func() time.Time) *Account {
	return &Account{registry: r, tokens: t, keys: k, now: now}
}

// Authorize makes a request to a service of the primary site one of this
// account, on its own behalf.
func (a *Account) Authorize(ctx context.Context, req *http.Request) error {
	admin, site, err := a.registry.Self()
	if err != nil {
		return err
	}
	token, err := a.current(ctx, admin, site)
	if err != nil {
		return err
	}
	req.Header.Set("X-Tapis-Token", token)
	req.Header.Set("X-Tapis-Tenant", admin.ID)
	req.Header.Set("X-Tapis-User", Name)
	return nil
}

func (a *Account) current(ctx context.Context, admin registryclient.Tenant, site string) (string, error) {
	key, err := a.keys.Active(ctx, admin.ID)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	want := holder{admin.ID, admin.TokenService, site, key.ID}
	if a.holder == want && a.token.ExpiresAt.Sub(a.now()) > lifetime/2 {
		return a.token.Value, nil
	}
	began, err := a.tokens.Begin(ctx, admin.ID)
	if err != nil {
		return "", err
	}
	pair, err := a.tokens.Issue(ctx, tokens.Request{
		Tenant: tokens.Tenant{ID: admin.ID, Issuer: admin.TokenService}, Username: Name, AccountType: authn.ServiceAccount,
		TargetSite: site, GrantType: tokens.Direct, AccessTTL: lifetime, Began: began,
	})
	if err != nil {
		return "", err
	}
	a.token, a.holder = pair.Access, want
	return pair.Access.Value, nil
}
