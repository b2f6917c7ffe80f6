package sites

import (
	"cmp"
	"context"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/field"
)

// store is the table of sites.
type store struct {
	db *database.DB
}

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

func (s store) all(ctx context.Context) ([]Site, error) {
	var rows []siteRow
	if err := s.db.Conn(ctx).Find(&rows).Error; err != nil {
		return nil, apierr.Wrap(err, "read sites")
	}
	sites := make([]Site, len(rows))
	for i, row := range rows {
		sites[i] = row.site()
	}
	// Sorted here, because databases differ in how they order letters.
	slices.SortFunc(sites, func(a, b Site) int { return cmp.Compare(a.ID, b.ID) })
	return sites, nil
}

func (s store) insert(ctx context.Context, site Site) error {
	row := newSiteRow(site)
	err := s.db.Conn(ctx).Create(&row).Error
	if database.IsDuplicate(err) {
		return apierr.New(apierr.Conflict, "The site %s has a field that must be unique and is in use.", site.ID).Because(err)
	}
	if err != nil {
		return apierr.Wrap(err, "insert site")
	}
	return nil
}

func (s store) update(ctx context.Context, site Site) error {
	row := newSiteRow(site)
	result := s.db.Conn(ctx).Select("BaseURL", "TenantBaseURLTemplate", "SiteAdminTenantID", "Services",
		"LastUpdateTime", "LastUpdatedBy").Updates(&row)
	switch {
	case database.IsDuplicate(result.Error):
		return apierr.New(apierr.Conflict, "The site %s has a field that must be unique and is in use.", site.ID).Because(result.Error)
	case result.Error != nil:
		return apierr.Wrap(result.Error, "update site")
	case result.RowsAffected == 0:
		return apierr.New(apierr.NotFound, "The site %s does not exist.", site.ID)
	}
	return nil
}

func (s store) remove(ctx context.Context, id string) error {
	if err := s.db.Conn(ctx).Delete(&siteRow{SiteID: id}).Error; err != nil {
		return apierr.Wrap(err, "delete site")
	}
	return nil
}

func newSiteRow(s Site) siteRow {
	return siteRow{
		SiteID: s.ID, IsPrimary: s.Primary, BaseURL: field.Null(s.BaseURL), TenantBaseURLTemplate: field.Null(s.TenantBaseURLTemplate),
		SiteAdminTenantID: s.AdminTenantID, Services: field.List(s.Services),
		CreateTime: database.At(s.CreateTime), CreatedBy: s.CreatedBy,
		LastUpdateTime: database.At(s.LastUpdateTime), LastUpdatedBy: s.LastUpdatedBy,
	}
}

func (r siteRow) site() Site {
	return Site{
		ID: r.SiteID, Primary: r.IsPrimary, BaseURL: field.NotNull(r.BaseURL), TenantBaseURLTemplate: field.NotNull(r.TenantBaseURLTemplate),
		AdminTenantID: r.SiteAdminTenantID, Services: r.Services,
		CreateTime: r.CreateTime.Time(), CreatedBy: r.CreatedBy,
		LastUpdateTime: r.LastUpdateTime.Time(), LastUpdatedBy: r.LastUpdatedBy,
	}
}
