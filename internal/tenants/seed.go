package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Seed is the content of a development registry. Times and authors are
// ignored; the service sets them.
type Seed struct {
	Site  Site
	Owner Owner
	LDAPs []LDAPConnection
	// Tenants may leave SiteID, Owner and Status empty for the seed's site, its
	// owner and Active, and the three endpoints for the paths below BaseURL
	// where Gatehouse serves them. Public keys may have any form that
	// NormalizePublicKey reads.
	Tenants []Tenant
}

// Seed makes sure that the records of a development registry exist, at every
// start. Of those that exist it rewrites only what the start itself decides,
// because the listener or the keys may have changed: the addresses of the
// site and the tenants, the settings of the LDAP connections, and the public
// keys that are given. Everything else, and all other records, stay as they
// are.
func (s *Service) Seed(ctx context.Context, seed Seed) error {
	tenants, err := seed.tenants()
	if err == nil {
		_, err = s.write(ctx, serviceName+"@"+seed.Site.AdminTenantID, func(p *plan) {
			p.sites.ensure(p, seed.Site, "base_url", "tenant_base_url_template")
			p.owners.ensure(p, seed.Owner)
			for _, l := range seed.LDAPs {
				p.ldaps.ensure(p, l, "url", "port", "use_ssl", "user_dn", "bind_dn", "bind_credential", "account_type")
			}
			for _, t := range tenants {
				moves := []string{"base_url", "token_service", "security_kernel", "authenticator"}
				if t.PublicKey != "" {
					moves = append(moves, "public_key")
				}
				p.tenants.ensure(p, t, moves...)
			}
		})
	}
	if err != nil {
		return fmt.Errorf("seed of the registry: %w", err)
	}
	return nil
}

// ensure plans that there is such a record, and that one which is there has
// the values of the named fields, also of fixed ones.
func (c *collection[R]) ensure(p *plan, record R, fields ...string) {
	patch := whole(c.Resource, record)
	patch.moves = true
	if _, found := c.records[c.ID(&record)]; found {
		for _, f := range c.Fields {
			patch.Given[f.Name] = slices.Contains(fields, f.Name)
		}
	}
	c.diff(p, []Patch[R]{patch}, always)
}

// tenants returns a copy of the tenants with everything that may be left out.
func (seed Seed) tenants() ([]Tenant, error) {
	all := slices.Clone(seed.Tenants)
	for i := range all {
		t := &all[i]
		t.defaultEndpoints()
		t.SiteID, t.Owner, t.Status = cmp.Or(t.SiteID, seed.Site.ID), cmp.Or(t.Owner, seed.Owner.Email), cmp.Or(t.Status, Active)
		if t.PublicKey == "" {
			continue
		}
		var err error
		if t.PublicKey, err = NormalizePublicKey(t.PublicKey); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.ID, err)
		}
	}
	return all, nil
}
