// Package callers says who asks: it checks the token and headers of a request
// by the rules that all Tapis services share, and that the token still stands.
//
// The rules are authn's, the view of sites and tenants tenancy's, and which
// token was recorded or revoked is known by tokens. What a caller may do is
// decided where it is done.
package callers

import (
	"context"
	"crypto/rsa"
	"time"

	"gatehouse/internal/authenticator/tenancy"
	"gatehouse/internal/authn"
)

// Standing says of a token of this site, whose signature was found good,
// whether it still stands, and through which client it was made.
type Standing interface {
	Standing(ctx context.Context, tenantID, jti string, expiry time.Time) (clientID string, err error)
}

// Service checks callers. It is safe for concurrent use.
type Service struct {
	registry *tenancy.Registry
	standing Standing
	verifier *authn.Verifier
	siteID   string
}

// New returns a Service for a site whose own tenants' keys are known to own.
func New(registry *tenancy.Registry, own authn.Keys, standing Standing, siteID string, now func() time.Time) *Service {
	return &Service{
		registry: registry, standing: standing, siteID: siteID,
		verifier: authn.NewVerifier(keyring{registry, own}, now),
	}
}

// For returns the check of a service of this site, by its name in the lists
// of services. It accepts users of every active tenant: which tenant a request
// is about is for the service to compare.
func (s *Service) For(service string) authn.Check {
	checks := &authn.Checks{Verifier: s.verifier, Realm: s.registry, SiteID: s.siteID, Service: service}
	return func(ctx context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
		caller, err := checks.Caller(ctx, raw, behalf)
		if err != nil || caller.SiteID != s.siteID {
			return caller, err
		}
		caller.ClientID, err = s.standing.Standing(ctx, caller.TenantID, caller.TokenID, caller.TokenExpiry)
		if err != nil {
			return authn.Caller{}, err
		}
		return caller, nil
	}
}

// keyring finds keys: those of this site's tenants where they are made, those
// of other sites' where they are published.
type keyring struct {
	registry *tenancy.Registry
	own      authn.Keys
}

// PublicKey implements authn.Keys.
func (k keyring) PublicKey(ctx context.Context, tenantID, kid string) (*rsa.PublicKey, error) {
	tenant, found, err := k.registry.Active(ctx, tenantID)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, authn.ErrTenant
	case tenant.OwnedByThisOne:
		return k.own.PublicKey(ctx, tenantID, kid)
	}
	return k.registry.PublicKey(ctx, tenantID, kid)
}
