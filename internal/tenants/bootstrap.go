package tenants

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// Bootstrap is what the operator's configuration says about the first records of
// an empty registry.
type Bootstrap struct {
	SiteID        string // the primary site
	AdminTenantID string // empty: admin
	AdminBaseURL  string // origin of the admin tenant, such as https://admin.tapis.example.org

	// SiteBaseURL and TenantBaseURLTemplate may be empty when the first label
	// of AdminBaseURL's host is the admin tenant's id: without it, it is the
	// former, with ${tenant_id} in its place the latter.
	SiteBaseURL           string
	TenantBaseURLTemplate string

	Services []string // what the site runs; empty: DefaultServices
	Owner    Owner    // of the admin tenant; times are ignored
	// AdminUser administers the admin tenant; empty: admin.
	AdminUser string
	// AdminPublicKey is the public half of the key that the admin tenant's
	// tokens are signed with, in any form that NormalizePublicKey reads. There
	// is no default: a key whose private half is known to others would let
	// them in. It may be empty once the admin tenant exists.
	AdminPublicKey string
}

// DefaultServices returns the names of the services that a complete primary
// site runs. A service that is missing from its site's list refuses requests.
func DefaultServices() []string {
	return []string{
		"systems", "apps", "files", "jobs", "security", "tokens", "streams", "authenticator", "meta", "actors", "pgrest",
		"tenants", "notifications", "pods", "workflows", "globus-proxy",
	}
}

// Check reports the first thing that is wrong with the configuration, whatever
// the registry already holds.
func (b Bootstrap) Check() error {
	_, _, err := b.records()
	return err
}

// Bootstrap makes sure that the primary site, its admin tenant and that
// tenant's owner exist, and leaves those that do as they are. Several
// replicas may do so at once. It fails when the registry belongs to another
// primary site or admin tenant than the configuration names.
func (s *Service) Bootstrap(ctx context.Context, b Bootstrap) error {
	site, tenant, err := b.records()
	if err == nil {
		_, err = s.write(ctx, serviceName+"@"+tenant.ID, func(p *plan) {
			switch primary, found := p.primary(); {
			case !found:
				p.sites.diff(p, []Patch[Site]{whole(Sites(), site)}, absent)
			case primary.ID != site.ID:
				p.refuse("", fmt.Errorf("the registry's primary site is %s, the configuration names %s", primary.ID, site.ID))
			case primary.AdminTenantID != site.AdminTenantID:
				p.refuse("", fmt.Errorf("the primary site's admin tenant is %s, the configuration names %s",
					primary.AdminTenantID, site.AdminTenantID))
			}
			switch _, found := p.tenants.records[tenant.ID]; {
			case found:
			case tenant.PublicKey == "":
				p.refuse("", fmt.Errorf("the admin tenant %s does not exist yet, and no public key is configured for it", tenant.ID))
			default:
				p.owners.ensure(p, b.Owner)
				p.tenants.ensure(p, tenant)
			}
		})
	}
	if err != nil {
		return fmt.Errorf("bootstrap of the registry: %w", err)
	}
	return nil
}

// records checks the configuration and makes the records from it, so that what is
// wrong is said at every start and not only at the first.
func (b Bootstrap) records() (Site, Tenant, error) {
	b.AdminTenantID, b.AdminUser = cmp.Or(b.AdminTenantID, "admin"), cmp.Or(b.AdminUser, "admin")
	if len(b.Services) == 0 {
		b.Services = DefaultServices()
	}
	if err := b.deriveAddresses(); err != nil {
		return Site{}, Tenant{}, err
	}
	if err := b.Owner.Check(); err != nil {
		return Site{}, Tenant{}, err
	}
	site := Site{
		ID: b.SiteID, Primary: true, BaseURL: b.SiteBaseURL, TenantBaseURLTemplate: b.TenantBaseURLTemplate,
		AdminTenantID: b.AdminTenantID, Services: b.Services,
	}
	if err := site.Check(); err != nil {
		return Site{}, Tenant{}, err
	}
	tenant := Tenant{
		ID: b.AdminTenantID, BaseURL: b.AdminBaseURL, SiteID: b.SiteID, Status: Active,
		Owner: b.Owner.Email, AdminUser: b.AdminUser, Description: "Administrative tenant of the primary site.",
	}
	tenant.defaultEndpoints()
	if b.AdminPublicKey != "" {
		key, err := NormalizePublicKey(b.AdminPublicKey)
		if err != nil {
			return Site{}, Tenant{}, err
		}
		tenant.PublicKey = key
	}
	checked := tenant
	if checked.PublicKey == "" {
		checked.Status = Draft // whether the key is needed is known only later
	}
	return site, tenant, checked.Check()
}

// deriveAddresses fills the site's addresses from the admin tenant's: only
// the first label of the host is the tenant's, wherever else its id occurs.
func (b *Bootstrap) deriveAddresses() error {
	if err := field.Origin("admin_base_url", b.AdminBaseURL); err != nil {
		return err
	}
	if b.SiteBaseURL != "" && b.TenantBaseURLTemplate != "" {
		return nil
	}
	u, err := url.Parse(b.AdminBaseURL)
	if err != nil {
		return apierr.Invalidf("The field admin_base_url is not a URL.")
	}
	label, domain, _ := strings.Cut(u.Host, ".")
	if label != strings.ToLower(b.AdminTenantID) || domain == "" {
		return apierr.Invalidf("The site's base URL and its template for tenants must be configured, "+
			"because %s does not begin with the admin tenant's id.", b.AdminBaseURL)
	}
	b.SiteBaseURL = cmp.Or(b.SiteBaseURL, u.Scheme+"://"+domain)
	b.TenantBaseURLTemplate = cmp.Or(b.TenantBaseURLTemplate, u.Scheme+"://"+placeholder+"."+domain)
	return nil
}
