package tenants

import (
	"context"
	"strings"

	"gatehouse/internal/apierr"
)

// tenantService stores tenants by the rules that they have towards other
// rows. It runs inside registry.change.
type tenantService struct {
	tables tables
}

// create adds a tenant whose times and authors the caller has set. Errors:
// Invalid, Conflict.
func (s tenantService) create(ctx context.Context, t Tenant) error {
	content, err := s.tables.content(ctx)
	if err != nil {
		return err
	}
	if err := newKnown(content).checkNew(t); err != nil {
		return err
	}
	return s.tables.tenants.insert(ctx, t)
}

// replace stores the changed fields of an existing tenant. Errors: Invalid,
// NotFound, Conflict.
func (s tenantService) replace(ctx context.Context, t Tenant) error {
	if err := t.Check(); err != nil {
		return err
	}
	return s.tables.tenants.update(ctx, t)
}

// checkNew reports what keeps t from being added. Errors: Invalid, Conflict.
func (k *known) checkNew(t Tenant) error {
	if err := t.Check(); err != nil {
		return err
	}
	if err := k.checkReferences(t); err != nil {
		return err
	}
	if other, taken := k.folded[strings.ToLower(t.ID)]; taken {
		return apierr.New(apierr.Conflict, "The tenant %s exists already.", other)
	}
	if _, taken := k.urls[strings.ToLower(t.BaseURL)]; taken {
		return apierr.New(apierr.Conflict, "The field base_url has the value of another tenant.")
	}
	return nil
}

// checkUpdate reports what keeps the tenant was from becoming now; its id,
// site and base URL are the same. Errors: Invalid.
func (k *known) checkUpdate(was, now Tenant) error {
	if err := now.Check(); err != nil {
		return err
	}
	if now.Status == Draft && was.Status != Draft {
		return apierr.Invalidf("The field status cannot go back to draft; an %s tenant can be active or inactive.", was.Status)
	}
	return k.checkReferences(now)
}

// checkReferences says which of the rows that a tenant names is missing,
// before the foreign keys would refuse without saying so.
func (k *known) checkReferences(t Tenant) error {
	if _, found := k.sites[t.SiteID]; !found {
		return apierr.Invalidf("The field site_id names the site %s, which does not exist.", t.SiteID)
	}
	if _, found := k.owners[t.Owner]; !found {
		return apierr.Invalidf("The field owner names %s, who is not a registered owner.", t.Owner)
	}
	for _, ref := range []struct{ name, id string }{
		{"user_ldap_connection_id", t.UserLDAPConnectionID},
		{"service_ldap_connection_id", t.ServiceLDAPConnectionID},
	} {
		if _, found := k.ldaps[ref.id]; !found && ref.id != "" {
			return apierr.Invalidf("The field %s names an LDAP connection that does not exist.", ref.name)
		}
	}
	return nil
}

// checkRetired reports what needs the tenant t, which is no longer active:
// the services of a site belong to its administrative tenant. Errors:
// Conflict.
func (k *known) checkRetired(t Tenant) error {
	site := k.sites[t.SiteID]
	if site.AdminTenantID != t.ID {
		return nil
	}
	if site.Primary {
		return apierr.New(apierr.Conflict, "The field status must stay active, because %s is the administrative tenant of the primary site.", t.ID)
	}
	for _, other := range k.tenants {
		if other.SiteID == site.ID && other.Status == Active && other.ID != t.ID {
			return apierr.New(apierr.Conflict, "The field status must stay active, because %s is the administrative tenant of the site %s, which has other active tenants.", t.ID, site.ID)
		}
	}
	return nil
}
