package tenants

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/sites"
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
	if other, taken := k.hosts[field.Host(t.BaseURL)]; taken {
		return apierr.New(apierr.Conflict, "The field base_url has the host of another tenant, %s.", other)
	}
	return k.checkAddress(t)
}

// checkAddress reports when t is found at the address of another tenant, or
// that one at t's: requests are matched to tenants by host, first with base
// URLs and then with the primary site's template.
func (k *known) checkAddress(t Tenant) error {
	site, found := k.primary()
	if !found {
		return nil
	}
	at := field.Host(site.AddressOf(t.ID))
	if other, taken := k.hosts[at]; taken && other != t.ID {
		return apierr.New(apierr.Conflict, "The tenant %s cannot have its address at the primary site, %s: it is the base_url of the tenant %s.", t.ID, at, other)
	}
	prefix, suffix, _ := strings.Cut(field.Host(site.TenantBaseURLTemplate), sites.Placeholder)
	rest, begins := strings.CutPrefix(field.Host(t.BaseURL), prefix)
	id, ends := strings.CutSuffix(rest, suffix)
	if other, taken := k.folded[id]; begins && ends && taken && other != t.ID {
		return apierr.New(apierr.Conflict, "The field base_url has the address that the tenant %s has at the primary site.", other)
	}
	return nil
}

// checkAddresses is checkAddress for all tenants, for when the primary site's
// template is another.
func (k *known) checkAddresses() error {
	site, _ := k.primary()
	for _, id := range slices.Sorted(maps.Keys(k.tenants)) {
		at := field.Host(site.AddressOf(id))
		if other, taken := k.hosts[at]; taken && other != id {
			return apierr.New(apierr.Conflict, "The field tenant_base_url_template gives the tenant %s the address %s, which is the base_url of the tenant %s.", id, at, other)
		}
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

// checkAdminTenant reports why the administrative tenant that a site has been
// given cannot be it: everybody believes the services of that tenant.
// Errors: Invalid, Conflict.
func (k *known) checkAdminTenant(site sites.Site) error {
	tenant, found := k.tenants[site.AdminTenantID]
	if !found || tenant.SiteID != site.ID {
		return apierr.Invalidf("The field site_admin_tenant_id names %s, which is not a tenant of the site %s.", site.AdminTenantID, site.ID)
	}
	if tenant.Status != Active {
		return apierr.New(apierr.Conflict, "The field site_admin_tenant_id names %s, which is not active.", tenant.ID)
	}
	return nil
}

// checkSiteUnused reports why a site cannot be deleted. Errors: Conflict.
func (k *known) checkSiteUnused(site sites.Site) error {
	if site.Primary {
		return apierr.New(apierr.Conflict, "The site %s is the primary site, which is never deleted.", site.ID)
	}
	if id, found := k.first(func(t Tenant) bool { return t.SiteID == site.ID }); found {
		return apierr.New(apierr.Conflict, "The site %s is in use: it has the tenant %s.", site.ID, id)
	}
	return nil
}

// checkOwnerUnused reports why an owner cannot be deleted. Errors: Conflict.
func (k *known) checkOwnerUnused(o Owner) error {
	if id, found := k.first(func(t Tenant) bool { return t.Owner == o.Email }); found {
		return apierr.New(apierr.Conflict, "The owner %s is in use, by the tenant %s.", o.Email, id)
	}
	return nil
}

// checkLDAPUnused reports why an LDAP connection cannot be deleted. Errors:
// Conflict.
func (k *known) checkLDAPUnused(l LDAPConnection) error {
	if id, found := k.first(func(t Tenant) bool { return t.names(l.ID) }); found {
		return apierr.New(apierr.Conflict, "The LDAP connection %s is in use, by the tenant %s.", l.ID, id)
	}
	return nil
}
