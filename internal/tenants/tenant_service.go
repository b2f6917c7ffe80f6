package tenants

import (
	"context"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/sites"
)

// tenantService applies the rules that a tenant has towards other rows. Its
// writes run inside registry.change.
type tenantService struct {
	store  tenantStore
	owners ownerStore
	ldaps  ldapStore
	sites  *sites.Service
}

// create adds a tenant whose times and authors the caller has set. Errors:
// Invalid, Conflict.
func (s tenantService) create(ctx context.Context, t Tenant) error {
	if err := t.Check(); err != nil {
		return err
	}
	if err := s.checkReferences(ctx, t); err != nil {
		return err
	}
	all, err := s.store.all(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if err := tenantConflict(t, other); err != nil {
			return err
		}
	}
	return s.store.insert(ctx, t)
}

// replace stores the changed fields of an existing tenant. Errors: Invalid,
// NotFound, Conflict.
func (s tenantService) replace(ctx context.Context, t Tenant) error {
	if err := t.Check(); err != nil {
		return err
	}
	return s.store.update(ctx, t)
}

// checkReferences tells the caller which of the rows that a tenant names is
// missing, before the foreign keys would refuse without saying so.
func (s tenantService) checkReferences(ctx context.Context, t Tenant) error {
	all, err := s.sites.All(ctx)
	if err != nil {
		return err
	}
	if _, found := sites.NewView(all).Get(t.SiteID); !found {
		return apierr.Invalidf("The field site_id names the site %s, which does not exist.", t.SiteID)
	}
	if found, err := s.owners.exists(ctx, t.Owner); err != nil {
		return err
	} else if !found {
		return apierr.Invalidf("The field owner names %s, who is not a registered owner.", t.Owner)
	}
	for _, ref := range []struct{ name, id string }{
		{"user_ldap_connection_id", t.UserLDAPConnectionID},
		{"service_ldap_connection_id", t.ServiceLDAPConnectionID},
	} {
		if ref.id == "" {
			continue
		}
		if _, found, err := s.ldaps.get(ctx, ref.id); err != nil {
			return err
		} else if !found {
			return apierr.Invalidf("The field %s names an LDAP connection that does not exist.", ref.name)
		}
	}
	return nil
}

// tenantConflict says what keeps t and other from existing both.
func tenantConflict(t, other Tenant) error {
	switch {
	case strings.EqualFold(t.ID, other.ID):
		return apierr.New(apierr.Conflict, "The tenant %s exists already.", other.ID)
	case strings.EqualFold(t.BaseURL, other.BaseURL):
		return apierr.New(apierr.Conflict, "The field base_url has the value of another tenant.")
	}
	return nil
}
