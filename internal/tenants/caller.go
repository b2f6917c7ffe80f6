package tenants

import (
	"context"
	"crypto/rsa"
	"errors"
	"log/slog"
	"sync"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
)

// serviceName is the registry's own in the lists of services.
const serviceName = "tenants"

var errNoPrimary = errors.New("the registry has no primary site yet")

// The checks of tokens see the registry from memory: a key that was rotated by
// another process counts within two seconds. They know one key of each tenant,
// the one in its record.
var (
	_ authn.Realm = (*snapshots)(nil)
	_ authn.Keys  = (*snapshots)(nil)
)

// Tenant implements authn.Realm.
func (s *snapshots) Tenant(ctx context.Context, id string) (authn.Tenant, bool, error) {
	now, err := s.recent(ctx)
	if err != nil {
		return authn.Tenant{}, false, err
	}
	t, _, found := now.tenant(id)
	if !found || t.Status != Active {
		return authn.Tenant{}, false, nil
	}
	site, _ := now.site(t.SiteID)
	return authn.Tenant{ID: t.ID, SiteID: t.SiteID, Issuer: t.TokenService, SiteAdmin: site.AdminTenantID == t.ID}, true, nil
}

// RunsItself implements authn.Realm.
func (s *snapshots) RunsItself(ctx context.Context, siteID, service string) (bool, error) {
	now, err := s.recent(ctx)
	if err != nil {
		return false, err
	}
	site, _ := now.site(siteID)
	return site.Runs(service), nil
}

// PrimarySite implements authn.Realm.
func (s *snapshots) PrimarySite(ctx context.Context) (string, error) {
	now, err := s.recent(ctx)
	if err != nil {
		return "", err
	}
	site, found := now.primary()
	if !found {
		return "", apierr.Away(errNoPrimary, "The primary site")
	}
	return site.ID, nil
}

// PublicKey implements authn.Keys.
func (s *snapshots) PublicKey(ctx context.Context, tenantID, kid string) (*rsa.PublicKey, error) {
	now, err := s.recent(ctx)
	if err != nil {
		return nil, err
	}
	t, parsed, found := now.tenant(tenantID)
	if !found || t.PublicKey == "" {
		return nil, authn.ErrUnknownKey
	}
	key, err := parsed.of(t)
	if err != nil {
		return nil, apierr.Wrap(err, "read public key of tenant "+t.ID)
	}
	if kid != "" && authn.Thumbprint(key) != kid {
		return nil, authn.ErrUnknownKey
	}
	return key, nil
}

// parsedKey is a tenant's public key, parsed when it is first needed.
type parsedKey struct {
	once sync.Once
	key  *rsa.PublicKey
	err  error
}

func (p *parsedKey) of(t Tenant) (*rsa.PublicKey, error) {
	p.once.Do(func() { p.key, p.err = parsePublicKey(t.PublicKey) })
	return p.key, p.err
}

// caller checks a token that was sent to the registry, which is a service of
// the primary site, and that it was not revoked. While that cannot be asked
// nothing is written: tokens of services may be good for a year, and what is
// written here says whom everybody believes. With the error comes who it would
// be then.
func (s *Service) caller(ctx context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
	site, err := s.snapshots.PrimarySite(ctx)
	if err != nil {
		return authn.Caller{}, err
	}
	checks := authn.Checks{Verifier: s.verifier, Realm: s.snapshots, SiteID: site, Service: serviceName}
	caller, err := checks.Caller(ctx, raw, behalf)
	if err != nil {
		return authn.Caller{}, err
	}
	active, thirdParty, err := s.access.kernel.TokenActive(ctx, raw)
	switch {
	case err != nil:
		return caller, err
	case !active:
		return authn.Caller{}, authn.ErrRevoked
	}
	caller.ThirdParty = thirdParty
	if caller.SiteID != site {
		caller.ThirdParty = caller.ClientID // nobody here knows whose client it is
	}
	return caller, nil
}

// reader is caller for reads. Services are believed while nobody can be asked:
// without what they read here the authenticator lets nobody sign in.
func (s *Service) reader(ctx context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
	caller, err := s.caller(ctx, raw, behalf)
	if apierr.Is(err, apierr.Unavailable) && caller.Service() {
		s.log.WarnContext(ctx, "revocation of a service token not checked",
			slog.String("service", caller.Username), slog.String("error", err.Error()))
		return caller, nil
	}
	return caller, err
}
