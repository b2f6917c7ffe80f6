package tenants

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// The rules that records have towards other records. Errors are Invalid for
// what can never be, and Conflict for what other records stand against.

func (p *plan) checkSite(e *edit[Site]) error {
	site := e.after
	if site.TenantBaseURLTemplate != e.before.TenantBaseURLTemplate {
		p.finally(e.origin, p.checkAddresses)
	}
	if !e.isNew && site.AdminTenantID != e.before.AdminTenantID {
		p.finally(e.origin, func() error { return p.checkAdminTenant(site) })
	}
	if err := site.Check(); err != nil {
		return err
	}
	if site.BaseURL != e.before.BaseURL {
		if err := field.Secure("base_url", site.BaseURL); err != nil {
			return err
		}
	}
	if site.TenantBaseURLTemplate != e.before.TenantBaseURLTemplate {
		if err := field.Secure("tenant_base_url_template", site.AddressOf("id")); err != nil {
			return err
		}
	}
	for _, other := range p.sites.records {
		switch {
		case site.ID == other.ID:
		case site.Primary && other.Primary:
			return apierr.New(apierr.Conflict, "The site %s is the primary site; there can be only one.", other.ID)
		case field.Host(site.BaseURL) == field.Host(other.BaseURL):
			return apierr.New(apierr.Conflict, "The field base_url has the host of another site, %s.", other.ID)
		}
	}
	return nil
}

func (p *plan) checkOwner(e *edit[Owner]) error { return e.after.Check() }

func (p *plan) checkLDAP(e *edit[LDAPConnection]) error { return e.after.Check() }

// checkTenant makes a new tenant a draft unless told otherwise, with its
// services at its base URL unless told otherwise.
func (p *plan) checkTenant(e *edit[Tenant]) error {
	t := &e.after
	if e.isNew {
		t.Status = cmp.Or(t.Status, Draft)
		t.defaultEndpoints()
	}
	if err := t.Check(); err != nil {
		return err
	}
	if !e.isNew && t.Status == Draft && e.before.Status != Draft {
		return apierr.Invalidf("The field status cannot go back to draft; an %s tenant can be active or inactive.", e.before.Status)
	}
	if err := p.checkReferences(*t); err != nil {
		return err
	}
	if t.BaseURL != e.before.BaseURL {
		if err := cmp.Or(field.Secure("base_url", t.BaseURL), p.checkUnique(*t)); err != nil {
			return err
		}
		delete(p.hosts, field.Host(e.before.BaseURL))
		p.index(*t)
	}
	if e.before.Status == Active && t.Status != Active {
		p.finally(e.origin, func() error { return p.checkRetired(e.after) })
	}
	return nil
}

// checkUnique reports whether the id or the address of t is taken.
func (p *plan) checkUnique(t Tenant) error {
	if other, taken := p.folded[strings.ToLower(t.ID)]; taken && other != t.ID {
		return apierr.New(apierr.Conflict, "The tenant %s exists already.", other)
	}
	if other, taken := p.hosts[field.Host(t.BaseURL)]; taken && other != t.ID {
		return apierr.New(apierr.Conflict, "The field base_url has the host of another tenant, %s.", other)
	}
	return p.checkAddress(t)
}

// checkAddress reports when t is found at the address of another tenant, or
// that one at t's: requests are matched to tenants by host, first with base
// URLs and then with the primary site's template.
func (p *plan) checkAddress(t Tenant) error {
	site, found := p.primary()
	if !found {
		return nil
	}
	at := field.Host(site.AddressOf(t.ID))
	if other, taken := p.hosts[at]; taken && other != t.ID {
		return apierr.New(apierr.Conflict,
			"The tenant %s cannot have its address at the primary site, %s: it is the base_url of the tenant %s.", t.ID, at, other)
	}
	prefix, suffix, _ := strings.Cut(field.Host(site.TenantBaseURLTemplate), placeholder)
	rest, begins := strings.CutPrefix(field.Host(t.BaseURL), prefix)
	id, ends := strings.CutSuffix(rest, suffix)
	if other, taken := p.folded[id]; begins && ends && taken && other != t.ID {
		return apierr.New(apierr.Conflict, "The field base_url has the address that the tenant %s has at the primary site.", other)
	}
	return nil
}

// checkAddresses is checkAddress for all tenants, for when the primary site's
// template is another.
func (p *plan) checkAddresses() error {
	site, _ := p.primary()
	for _, id := range slices.Sorted(maps.Keys(p.tenants.records)) {
		at := field.Host(site.AddressOf(id))
		if other, taken := p.hosts[at]; taken && other != id {
			return apierr.New(apierr.Conflict,
				"The field tenant_base_url_template gives the tenant %s the address %s, which is the base_url of the tenant %s.", id, at,
				other)
		}
	}
	return nil
}

// checkReferences says which of the records that a tenant names is missing,
// before the foreign keys would refuse without saying so.
func (p *plan) checkReferences(t Tenant) error {
	if _, found := p.sites.records[t.SiteID]; !found {
		return apierr.Invalidf("The field site_id names the site %s, which does not exist.", t.SiteID)
	}
	if _, found := p.owners.records[t.Owner]; !found {
		return apierr.Invalidf("The field owner names %s, who is not a registered owner.", t.Owner)
	}
	for _, ref := range []struct{ name, id string }{
		{"user_ldap_connection_id", t.UserLDAPConnectionID},
		{"service_ldap_connection_id", t.ServiceLDAPConnectionID},
	} {
		if _, found := p.ldaps.records[ref.id]; !found && ref.id != "" {
			return apierr.Invalidf("The field %s names an LDAP connection that does not exist.", ref.name)
		}
	}
	return nil
}

// checkRetired reports what needs the tenant t, which is no longer active:
// the services of a site belong to its administrative tenant. Errors:
// Conflict.
func (p *plan) checkRetired(t Tenant) error {
	site := p.sites.records[t.SiteID]
	if site.AdminTenantID != t.ID {
		return nil
	}
	if site.Primary {
		return apierr.New(apierr.Conflict,
			"The field status must stay active, because %s is the administrative tenant of the primary site.", t.ID)
	}
	for _, other := range p.tenants.records {
		if other.SiteID == site.ID && other.Status == Active && other.ID != t.ID {
			return apierr.New(apierr.Conflict,
				"The field status must stay active, because %s is the administrative tenant of the site %s, which has other active tenants.",
				t.ID, site.ID)
		}
	}
	return nil
}

// checkAdminTenant reports why the administrative tenant that a site has been
// given cannot be it: everybody believes the services of that tenant.
// Errors: Invalid, Conflict.
func (p *plan) checkAdminTenant(site Site) error {
	tenant, found := p.tenants.records[site.AdminTenantID]
	if !found || tenant.SiteID != site.ID {
		return apierr.Invalidf("The field site_admin_tenant_id names %s, which is not a tenant of the site %s.", site.AdminTenantID,
			site.ID)
	}
	if tenant.Status != Active {
		return apierr.New(apierr.Conflict, "The field site_admin_tenant_id names %s, which is not active.", tenant.ID)
	}
	return nil
}

// first returns the least id of a tenant for which is holds; false: of none.
func (p *plan) first(is func(t Tenant) bool) (string, bool) {
	var ids []string
	for id, t := range p.tenants.records {
		if is(t) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", false
	}
	return slices.Min(ids), true
}

// checkSiteUnused reports why a site cannot be deleted. Errors: Conflict.
func (p *plan) checkSiteUnused(site Site) error {
	if site.Primary {
		return apierr.New(apierr.Conflict, "The site %s is the primary site, which is never deleted.", site.ID)
	}
	if id, found := p.first(func(t Tenant) bool { return t.SiteID == site.ID }); found {
		return apierr.New(apierr.Conflict, "The site %s is in use: it has the tenant %s.", site.ID, id)
	}
	return nil
}

// checkOwnerUnused reports why an owner cannot be deleted. Errors: Conflict.
func (p *plan) checkOwnerUnused(o Owner) error {
	if id, found := p.first(func(t Tenant) bool { return t.Owner == o.Email }); found {
		return apierr.New(apierr.Conflict, "The owner %s is in use, by the tenant %s.", o.Email, id)
	}
	return nil
}

// checkLDAPUnused reports why an LDAP connection cannot be deleted. Errors:
// Conflict.
func (p *plan) checkLDAPUnused(l LDAPConnection) error {
	if id, found := p.first(func(t Tenant) bool { return t.names(l.ID) }); found {
		return apierr.New(apierr.Conflict, "The LDAP connection %s is in use, by the tenant %s.", l.ID, id)
	}
	return nil
}
