package sites

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// Placeholder stands for the tenant id in a primary site's template.
const Placeholder = "${tenant_id}"

// Site is one place where Tapis services run.
type Site struct {
	ID      string
	Primary bool
	// BaseURL is where the site is found. The primary's is an origin such as
	// https://tapis.example.org; existing tools give a bare domain for others.
	BaseURL string
	// TenantBaseURLTemplate tells the primary site's address for any tenant,
	// for example https://${tenant_id}.tapis.example.org; others have none.
	TenantBaseURLTemplate string
	// AdminTenantID names the tenant that the site's services belong to. It
	// need not exist yet.
	AdminTenantID string
	Services      []string

	CreateTime     time.Time
	CreatedBy      string // user@tenant, or what made the row
	LastUpdateTime time.Time
	LastUpdatedBy  string
}

// Runs reports whether the site has a service of that name.
func (s Site) Runs(service string) bool { return slices.Contains(s.Services, service) }

// AddressOf returns the base URL that the template gives to a tenant; empty
// without a template.
func (s Site) AddressOf(tenantID string) string {
	return strings.ReplaceAll(s.TenantBaseURLTemplate, Placeholder, tenantID)
}

// Check reports the first field that breaks a rule, as an apierr.Invalid.
// Rules that need the other sites are CheckNew's.
func (s Site) Check() error {
	if err := field.SiteID("site_id", s.ID); err != nil {
		return err
	}
	if err := field.TenantID("site_admin_tenant_id", s.AdminTenantID); err != nil {
		return err
	}
	if err := field.Services("services", s.Services); err != nil {
		return err
	}
	if s.Primary {
		return s.checkPrimary()
	}
	if s.TenantBaseURLTemplate != "" {
		return apierr.Invalidf("The field tenant_base_url_template is for the primary site only.")
	}
	if err := field.Text("base_url", s.BaseURL, field.MaxURL); err != nil {
		return err
	}
	if strings.ContainsFunc(s.BaseURL, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return apierr.Invalidf("The field base_url must be a URL or a domain, without blanks.")
	}
	return nil
}

func (s Site) checkPrimary() error {
	if err := field.Origin("base_url", s.BaseURL); err != nil {
		return err
	}
	if strings.Count(s.TenantBaseURLTemplate, Placeholder) != 1 {
		return apierr.Invalidf("The field tenant_base_url_template must contain %s once.", Placeholder)
	}
	return field.Origin("tenant_base_url_template", strings.Replace(s.TenantBaseURLTemplate, Placeholder, "id", 1))
}
