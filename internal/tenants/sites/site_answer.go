package sites

import "gatehouse/internal/tenants/field"

// siteAnswer is a site on the wire. All members are always there; the two
// addresses may be null.
type siteAnswer struct {
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

func newSiteAnswer(s Site) siteAnswer {
	return siteAnswer{
		SiteID: s.ID, Primary: s.Primary, BaseURL: field.Null(s.BaseURL), TenantBaseURLTemplate: field.Null(s.TenantBaseURLTemplate),
		SiteAdminTenantID: s.AdminTenantID, Services: field.List(s.Services),
		CreateTime: field.Time(s.CreateTime), CreatedBy: s.CreatedBy,
		LastUpdateTime: field.Time(s.LastUpdateTime), LastUpdatedBy: s.LastUpdatedBy,
	}
}

// Answer returns the site as answers show it.
func Answer(s Site) any { return newSiteAnswer(s) }
