package tenants

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/sites"
)

// Bootstrap is what the operator's configuration says about the first rows of
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
	_, _, err := b.rows()
	return err
}

// Bootstrap makes sure that the primary site, its admin tenant and that
// tenant's owner exist, and leaves those that do as they are. Several
// replicas may do so at once. It fails when the registry belongs to another
// primary site or admin tenant than the configuration names.
func (s *Service) Bootstrap(ctx context.Context, b Bootstrap) error {
	site, tenant, err := b.rows()
	if err != nil {
		return fmt.Errorf("bootstrap of the registry: %w", err)
	}
	owner := b.Owner
	stamp := s.stamp(tenant.ID)
	stamp.site(&site)
	stamp.owner(&owner)
	stamp.tenant(&tenant)
	err = s.registry.change(ctx, func(ctx context.Context) error {
		if err := s.ensurePrimary(ctx, site); err != nil {
			return err
		}
		return s.ensureAdminTenant(ctx, tenant, owner)
	})
	if err != nil {
		return fmt.Errorf("bootstrap of the registry: %w", err)
	}
	return nil
}

// rows checks the configuration and makes the rows from it, so that what is
// wrong is said at every start and not only at the first.
func (b Bootstrap) rows() (sites.Site, Tenant, error) {
	if b.AdminTenantID == "" {
		b.AdminTenantID = "admin"
	}
	if b.AdminUser == "" {
		b.AdminUser = "admin"
	}
	if len(b.Services) == 0 {
		b.Services = DefaultServices()
	}
	if err := b.deriveAddresses(); err != nil {
		return sites.Site{}, Tenant{}, err
	}
	if err := b.Owner.Check(); err != nil {
		return sites.Site{}, Tenant{}, err
	}
	site := sites.Site{
		ID: b.SiteID, Primary: true, BaseURL: b.SiteBaseURL, TenantBaseURLTemplate: b.TenantBaseURLTemplate,
		AdminTenantID: b.AdminTenantID, Services: b.Services,
	}
	if err := site.Check(); err != nil {
		return sites.Site{}, Tenant{}, err
	}
	tenant := Tenant{
		ID: b.AdminTenantID, BaseURL: b.AdminBaseURL, SiteID: b.SiteID, Status: Active,
		Owner: b.Owner.Email, AdminUser: b.AdminUser, Description: "Administrative tenant of the primary site.",
	}
	tenant.defaultEndpoints()
	if b.AdminPublicKey != "" {
		key, err := NormalizePublicKey(b.AdminPublicKey)
		if err != nil {
			return sites.Site{}, Tenant{}, err
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
		return apierr.Invalidf("The site's base URL and its template for tenants must be configured, because %s does not begin with the admin tenant's id.", b.AdminBaseURL)
	}
	if b.SiteBaseURL == "" {
		b.SiteBaseURL = u.Scheme + "://" + domain
	}
	if b.TenantBaseURLTemplate == "" {
		b.TenantBaseURLTemplate = u.Scheme + "://" + sites.Placeholder + "." + domain
	}
	return nil
}

func (s *Service) ensurePrimary(ctx context.Context, site sites.Site) error {
	all, err := s.tables.sites.All(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		switch {
		case !other.Primary:
		case other.ID != site.ID:
			return fmt.Errorf("the registry's primary site is %s, the configuration names %s", other.ID, site.ID)
		case other.AdminTenantID != site.AdminTenantID:
			return fmt.Errorf("the primary site's admin tenant is %s, the configuration names %s", other.AdminTenantID, site.AdminTenantID)
		default:
			return nil
		}
	}
	if err := s.tables.sites.Create(ctx, site); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "primary site created", slog.String("site_id", site.ID))
	return nil
}

func (s *Service) ensureAdminTenant(ctx context.Context, tenant Tenant, owner Owner) error {
	all, err := s.tables.tenants.all(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID == tenant.ID {
			return nil
		}
	}
	if tenant.PublicKey == "" {
		return fmt.Errorf("the admin tenant %s does not exist yet, and no public key is configured for it", tenant.ID)
	}
	if err := s.tables.owners.ensure(ctx, owner); err != nil {
		return err
	}
	if err := s.tenants.create(ctx, tenant); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "admin tenant created", slog.String("tenant_id", tenant.ID))
	return nil
}

// defaultEndpoints fills the addresses of the services that every tenant has
// at its base URL.
func (t *Tenant) defaultEndpoints() {
	for _, e := range []struct {
		url  *string
		path string
	}{
		{&t.TokenService, "/v3/tokens"}, {&t.SecurityKernel, "/v3/security"}, {&t.Authenticator, "/v3/oauth2"},
	} {
		if *e.url == "" {
			*e.url = t.BaseURL + e.path
		}
	}
}

// stamp is who writes rows, and when.
type stamp struct {
	at time.Time
	by string
}

// stamp returns the mark of rows that this service writes on its own behalf.
func (s *Service) stamp(adminTenantID string) stamp {
	return stamp{at: s.now(), by: "tenants@" + adminTenantID}
}

func (m stamp) site(s *sites.Site) {
	s.CreateTime, s.CreatedBy, s.LastUpdateTime, s.LastUpdatedBy = m.at, m.by, m.at, m.by
}

func (m stamp) tenant(t *Tenant) {
	t.CreateTime, t.CreatedBy, t.LastUpdateTime, t.LastUpdatedBy = m.at, m.by, m.at, m.by
}

func (m stamp) owner(o *Owner) { o.CreateTime, o.LastUpdateTime = m.at, m.at }

func (m stamp) ldap(l *LDAPConnection) { l.CreateTime, l.LastUpdateTime = m.at, m.at }
