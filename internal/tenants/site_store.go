package tenants

import (
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/field"
)

type siteRow struct {
	SiteID                string `gorm:"primaryKey"`
	IsPrimary             bool
	BaseURL               *string
	TenantBaseURLTemplate *string
	SiteAdminTenantID     string
	Services              []string `gorm:"serializer:json"`
	CreateTime            database.Micros
	CreatedBy             string
	LastUpdateTime        database.Micros
	LastUpdatedBy         string
}

// TableName implements GORM's Tabler.
func (siteRow) TableName() string { return "sites" }

func newSiteRow(s Site) siteRow {
	return siteRow{
		SiteID: s.ID, IsPrimary: s.Primary, BaseURL: field.Null(s.BaseURL), TenantBaseURLTemplate: field.Null(s.TenantBaseURLTemplate),
		SiteAdminTenantID: s.AdminTenantID, Services: field.List(s.Services),
		CreateTime: database.At(s.CreateTime), CreatedBy: s.CreatedBy,
		LastUpdateTime: database.At(s.LastUpdateTime), LastUpdatedBy: s.LastUpdatedBy,
	}
}

func (r siteRow) record() Site {
	return Site{
		ID: r.SiteID, Primary: r.IsPrimary, BaseURL: field.NotNull(r.BaseURL),
		TenantBaseURLTemplate: field.NotNull(r.TenantBaseURLTemplate),
		AdminTenantID:         r.SiteAdminTenantID, Services: r.Services,
		Stamps: Stamps{r.CreateTime.Time(), r.CreatedBy, r.LastUpdateTime.Time(), r.LastUpdatedBy},
	}
}
