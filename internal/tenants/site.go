package tenants

import (
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
)

// placeholder stands for the tenant id in a primary site's template.
const placeholder = "${tenant_id}"

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

	Stamps
}

// Sites describes sites.
func Sites() Resource[Site] {
	return Resource[Site]{
		Name: "site", title: "site", validID: field.IsSiteID, stamps: func(s *Site) *Stamps { return &s.Stamps },
		Fields: []Field[Site]{
			{"site_id", true, func(s *Site) any { return &s.ID }},
			{"primary", true, func(s *Site) any { return &s.Primary }},
			{"base_url", false, func(s *Site) any { return &s.BaseURL }},
			{"tenant_base_url_template", false, func(s *Site) any { return &s.TenantBaseURLTemplate }},
			{"site_admin_tenant_id", false, func(s *Site) any { return &s.AdminTenantID }},
			{"services", false, func(s *Site) any { return &s.Services }},
		},
	}
}

// Runs reports whether the site has a service of that name.
func (s Site) Runs(service string) bool { return slices.Contains(s.Services, service) }

// AddressOf returns the base URL that the template gives to a tenant; empty
// without a template.
func (s Site) AddressOf(tenantID string) string {
	return strings.ReplaceAll(s.TenantBaseURLTemplate, placeholder, tenantID)
}

// Check reports the first field that breaks a rule, as an apierr.Invalid.
// Rules that need other records are in rules.go.
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
	if strings.Count(s.TenantBaseURLTemplate, placeholder) != 1 {
		return apierr.Invalidf("The field tenant_base_url_template must contain %s once.", placeholder)
	}
	return field.Origin("tenant_base_url_template", strings.Replace(s.TenantBaseURLTemplate, placeholder, "id", 1))
}

// siteResponse is a site on the wire. All members are always there; the two
// addresses may be null.
type siteResponse struct {
	SiteID                string   `json:"site_id"`
	Primary               bool     `json:"primary"`
	BaseURL               *string  `json:"base_url"`
	TenantBaseURLTemplate *string  `json:"tenant_base_url_template"`
	SiteAdminTenantID     string   `json:"site_admin_tenant_id"`
	Services              []string `json:"services"`
	CreateTime            string   `json:"create_time"`
	CreatedBy             string   `json:"created_by"`
	LastUpdateTime        string   `json:"last_update_time"`
	LastUpdatedBy         string   `json:"last_updated_by"`
}

func (r siteResponse) id() string { return r.SiteID }

func newSiteResponse(s Site) siteResponse {
	return siteResponse{
		SiteID: s.ID, Primary: s.Primary, BaseURL: field.Null(s.BaseURL), TenantBaseURLTemplate: field.Null(s.TenantBaseURLTemplate),
		SiteAdminTenantID: s.AdminTenantID, Services: field.List(s.Services),
		CreateTime: field.Time(s.CreateTime), CreatedBy: s.CreatedBy,
		LastUpdateTime: field.Time(s.LastUpdateTime), LastUpdatedBy: s.LastUpdatedBy,
	}
}
