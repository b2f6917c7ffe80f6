package tenants

import (
	"cmp"
	"context"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/field"
)

// tenantStore is the table of tenants.
type tenantStore struct {
	db *database.DB
}

type tenantRow struct {
	TenantID                string `gorm:"primaryKey"`
	BaseURL                 string
	SiteID                  string
	Status                  string
	TokenService            string
	SecurityKernel          string
	Authenticator           string
	Owner                   string
	AdminUser               string
	TokenGenServices        []string `gorm:"serializer:json"`
	PublicKey               *string
	ServiceLDAPConnectionID *string `gorm:"column:service_ldap_connection_id"`
	UserLDAPConnectionID    *string `gorm:"column:user_ldap_connection_id"`
	Description             *string
	CreateTime              database.Micros
	CreatedBy               string
	LastUpdateTime          database.Micros
	LastUpdatedBy           string
}

// TableName implements GORM's Tabler.
func (tenantRow) TableName() string { return "tenants" }

// all returns the tenants of every status, ordered by id.
func (s tenantStore) all(ctx context.Context) ([]Tenant, error) {
	var rows []tenantRow
	if err := s.db.Conn(ctx).Find(&rows).Error; err != nil {
		return nil, apierr.Wrap(err, "read tenants")
	}
	tenants := make([]Tenant, len(rows))
	for i, row := range rows {
		tenants[i] = row.tenant()
	}
	// Sorted here, because databases differ in how they order letters.
	slices.SortFunc(tenants, func(a, b Tenant) int { return cmp.Compare(a.ID, b.ID) })
	return tenants, nil
}

func (s tenantStore) insert(ctx context.Context, t Tenant) error {
	row := newTenantRow(t)
	return tenantWritten(t, s.db.Conn(ctx).Create(&row).Error, "insert tenant")
}

// update stores every field but the id, the site and how the row came to be.
func (s tenantStore) update(ctx context.Context, t Tenant) error {
	row := newTenantRow(t)
	result := s.db.Conn(ctx).Select("*").Omit("TenantID", "SiteID", "CreateTime", "CreatedBy").Updates(&row)
	if result.Error == nil && result.RowsAffected == 0 {
		return apierr.New(apierr.NotFound, "The tenant %s does not exist.", t.ID)
	}
	return tenantWritten(t, result.Error, "update tenant")
}

func tenantWritten(t Tenant, err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case database.IsDuplicate(err):
		return apierr.New(apierr.Conflict, "The tenant %s has a field that must be unique and is in use.", t.ID).Because(err)
	}
	return apierr.Wrap(err, doing)
}

func newTenantRow(t Tenant) tenantRow {
	return tenantRow{
		TenantID: t.ID, BaseURL: t.BaseURL, SiteID: t.SiteID, Status: string(t.Status),
		TokenService: t.TokenService, SecurityKernel: t.SecurityKernel, Authenticator: t.Authenticator,
		Owner: t.Owner, AdminUser: t.AdminUser, TokenGenServices: field.List(t.TokenGenServices),
		PublicKey: field.Null(t.PublicKey), Description: field.Null(t.Description),
		ServiceLDAPConnectionID: field.Null(t.ServiceLDAPConnectionID),
		UserLDAPConnectionID:    field.Null(t.UserLDAPConnectionID),
		CreateTime:              database.At(t.CreateTime), CreatedBy: t.CreatedBy,
		LastUpdateTime: database.At(t.LastUpdateTime), LastUpdatedBy: t.LastUpdatedBy,
	}
}

func (r tenantRow) tenant() Tenant {
	return Tenant{
		ID: r.TenantID, BaseURL: r.BaseURL, SiteID: r.SiteID, Status: Status(r.Status),
		TokenService: r.TokenService, SecurityKernel: r.SecurityKernel, Authenticator: r.Authenticator,
		Owner: r.Owner, AdminUser: r.AdminUser, TokenGenServices: r.TokenGenServices,
		PublicKey: field.NotNull(r.PublicKey), Description: field.NotNull(r.Description),
		ServiceLDAPConnectionID: field.NotNull(r.ServiceLDAPConnectionID),
		UserLDAPConnectionID:    field.NotNull(r.UserLDAPConnectionID),
		CreateTime:              r.CreateTime.Time(), CreatedBy: r.CreatedBy,
		LastUpdateTime: r.LastUpdateTime.Time(), LastUpdatedBy: r.LastUpdatedBy,
	}
}
