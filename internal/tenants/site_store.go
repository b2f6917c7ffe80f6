package tenants

import "gatehouse/internal/tenants/field"

type siteRow struct {
	SiteID                string `gorm:"primaryKey"`
	IsPrimary             bool
	BaseURL               *string
	TenantBaseURLTemplate *string
	SiteAdminTenantID     string
	Services              []string  `gorm:"serializer:json"`
	Stamps                stampsRow `gorm:"embedded"`
}

// TableName implements GORM's Tabler.
func (siteRow) TableName() string { return "sites" }

func newSiteRow(s Site) siteRow {
	return siteRow{
		SiteID: s.ID, IsPrimary: s.Primary, BaseURL: field.Null(s.BaseURL), TenantBaseURLTemplate: field.Null(s.TenantBaseURLTemplate),
		SiteAdminTenantID: s.AdminTenantID, Services: field.List(s.Services),
		Stamps: newStampsRow(s.Stamps),
	}
}

func (r siteRow) record() Site {
	return Site{
		ID: r.SiteID, Primary: r.IsPrimary, BaseURL: field.NotNull(r.BaseURL),
		TenantBaseURLTemplate: field.NotNull(r.TenantBaseURLTemplate),
		AdminTenantID:         r.SiteAdminTenantID, Services: r.Services,
		Stamps: r.Stamps.stamps(),
	}
}
