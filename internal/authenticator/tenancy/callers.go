package tenancy

import (
	"context"
	"crypto/rsa"
	"time"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/registryclient"
)

// Callers says who asks. It is safe for concurrent use.
type Callers struct {
	registry *registryclient.Client
	issued   *tokens.Service
	verifier *authn.Verifier
	siteID   string
}

// NewCallers returns Callers of a site, whose own tenants' keys and tokens are
// known to own and issued.
func NewCallers(registry *registryclient.Client, own *keys.Service, issued *tokens.Service, siteID string,
	now func() time.Time,
) *Callers {
	return &Callers{
		registry: registry, issued: issued, siteID: siteID,
		verifier: authn.NewVerifier(keyring{registry, own}, now),
	}
}

// For returns the check of a service of this site, by its name in the lists
// of services. It accepts users of every active tenant: which tenant a request
// is about is for the service to compare.
func (s *Callers) For(service string) authn.Check {
	checks := &authn.Checks{Verifier: s.verifier, Realm: s.registry, SiteID: s.siteID, Service: service}
	return func(ctx context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
		caller, err := checks.Caller(ctx, raw, behalf)
		if err != nil || caller.SiteID != s.siteID {
			return caller, err
		}
		known, err := s.issued.Standing(ctx, caller.TenantID, caller.TokenID, caller.TokenExpiry)
		if err != nil {
			return authn.Caller{}, err
		}
		caller.ClientID, caller.GrantType, caller.GrantBegan = known.ClientID, known.GrantType, known.Began
		return caller, nil
	}
}

// keyring finds keys: those of this site's tenants where they are made, those
// of other sites' where they are published.
type keyring struct {
	registry *registryclient.Client
	own      *keys.Service
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
