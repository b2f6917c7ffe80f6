package tenants

import (
	"context"
	"fmt"

	"gatehouse/internal/tenants/sites"
)

// Seed is the content of a development registry. Times and authors are
// ignored; the service sets them.
type Seed struct {
	Site  sites.Site
	Owner Owner
	LDAPs []LDAPConnection
	// Tenants may leave SiteID, Owner and Status empty for the seed's site, its
	// owner and Active, and the three endpoints for the paths below BaseURL
	// where Gatehouse serves them. Public keys may have any form that
	// NormalizePublicKey reads.
	Tenants []Tenant
}

// Seed makes sure that the rows of a development registry exist, at every
// start. Of rows that exist it rewrites only what the start itself decides,
// because the listener or the keys may have changed: the addresses of the
// site and the tenants, the settings of the LDAP connections, and the public
// keys that are given. Everything else, and all other rows, stay as they are.
func (s *Service) Seed(ctx context.Context, seed Seed) error {
	seed, err := seed.complete(s.stamp(seed.Site.AdminTenantID))
	if err != nil {
		return fmt.Errorf("seed of the registry: %w", err)
	}
	err = s.registry.change(ctx, func(ctx context.Context) error {
		if err := s.seedSite(ctx, seed.Site); err != nil {
			return err
		}
		if err := s.tables.owners.ensure(ctx, seed.Owner); err != nil {
			return err
		}
		for _, l := range seed.LDAPs {
			if err := s.seedLDAP(ctx, l); err != nil {
				return err
			}
		}
		return s.seedTenants(ctx, seed.Tenants)
	})
	if err != nil {
		return fmt.Errorf("seed of the registry: %w", err)
	}
	return nil
}

// complete returns a copy with everything that may be left out, checked.
func (seed Seed) complete(mark stamp) (Seed, error) {
	mark.site(&seed.Site)
	mark.owner(&seed.Owner)
	if err := seed.Owner.Check(); err != nil {
		return Seed{}, err
	}
	seed.LDAPs = append([]LDAPConnection(nil), seed.LDAPs...)
	for i := range seed.LDAPs {
		mark.ldap(&seed.LDAPs[i])
		if err := seed.LDAPs[i].Check(); err != nil {
			return Seed{}, err
		}
	}
	seed.Tenants = append([]Tenant(nil), seed.Tenants...)
	for i := range seed.Tenants {
		t := &seed.Tenants[i]
		mark.tenant(t)
		t.defaultEndpoints()
		if t.SiteID == "" {
			t.SiteID = seed.Site.ID
		}
		if t.Owner == "" {
			t.Owner = seed.Owner.Email
		}
		if t.Status == "" {
			t.Status = Active
		}
		if t.PublicKey == "" {
			continue
		}
		var err error
		if t.PublicKey, err = NormalizePublicKey(t.PublicKey); err != nil {
			return Seed{}, fmt.Errorf("tenant %s: %w", t.ID, err)
		}
	}
	return seed, nil
}

func (s *Service) seedSite(ctx context.Context, site sites.Site) error {
	all, err := s.tables.sites.All(ctx)
	if err != nil {
		return err
	}
	have, found := sites.NewView(all).Get(site.ID)
	if !found {
		return s.tables.sites.Create(ctx, site)
	}
	if have.BaseURL == site.BaseURL && have.TenantBaseURLTemplate == site.TenantBaseURLTemplate {
		return nil
	}
	have.BaseURL, have.TenantBaseURLTemplate = site.BaseURL, site.TenantBaseURLTemplate
	have.LastUpdateTime, have.LastUpdatedBy = site.LastUpdateTime, site.LastUpdatedBy
	return s.tables.sites.Update(ctx, have)
}

func (s *Service) seedLDAP(ctx context.Context, l LDAPConnection) error {
	have, found, err := s.tables.ldaps.get(ctx, l.ID)
	if err != nil || (found && have.sameSettings(l)) {
		return err
	}
	return s.tables.ldaps.put(ctx, l)
}

func (s *Service) seedTenants(ctx context.Context, wanted []Tenant) error {
	all, err := s.tables.tenants.all(ctx)
	if err != nil {
		return err
	}
	byID := make(map[string]Tenant, len(all))
	for _, t := range all {
		byID[t.ID] = t
	}
	for _, t := range wanted {
		have, found := byID[t.ID]
		if !found {
			err = s.tenants.create(ctx, t)
		} else if moved := have.movedTo(t); moved.differs(have) {
			err = s.tenants.replace(ctx, moved)
		}
		if err != nil {
			return fmt.Errorf("tenant %s: %w", t.ID, err)
		}
	}
	return nil
}

// movedTo returns t at the addresses and, if there is one, with the key of
// wanted.
func (t Tenant) movedTo(wanted Tenant) Tenant {
	t.BaseURL, t.TokenService, t.SecurityKernel, t.Authenticator = wanted.BaseURL, wanted.TokenService, wanted.SecurityKernel, wanted.Authenticator
	if wanted.PublicKey != "" {
		t.PublicKey = wanted.PublicKey
	}
	t.LastUpdateTime, t.LastUpdatedBy = wanted.LastUpdateTime, wanted.LastUpdatedBy
	return t
}

// differs compares what movedTo may have changed.
func (t Tenant) differs(other Tenant) bool {
	return t.BaseURL != other.BaseURL || t.TokenService != other.TokenService || t.SecurityKernel != other.SecurityKernel ||
		t.Authenticator != other.Authenticator || t.PublicKey != other.PublicKey
}
